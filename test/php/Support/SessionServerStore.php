<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

use PhpSessionChat\Session\SessionServerClient;

/**
 * How long a session lives is told and changed in the server's own database: by its protocol one cannot ask without
 * using the session.
 *
 * @see Store
 */
final class SessionServerStore extends Store
{
    private const PATIENCE_MS = 10_000;

    private readonly string $database;
    private readonly int $port;

    /** @param string $hold after which a lock that is held goes to who waits for it */
    public function __construct(private readonly string $hold)
    {
        $this->database = Folder::temporary() . '/sessions.db';
        $this->port = (new SessionServerProcess([
            'CONTAINER' => "sqlite:$this->database",
            'LOCK_HOLD' => $hold,
        ]))->port;
    }

    public function url(): string
    {
        return "session-server://127.0.0.1:$this->port?timeout=5";
    }

    public function deadUrl(): string
    {
        return 'session-server://127.0.0.1:1?timeout=1';
    }

    public function get(string $id): ?string
    {
        return $this->client()->peek($id)[''] ?? null;
    }

    public function put(string $id, string $record): void
    {
        $seconds = $this->remaining($id);
        $client = $this->opened($id);
        $client->put('', $record);
        $client->close();
        $this->setRemaining($id, $seconds);
    }

    public function remaining(string $id): int
    {
        return (int) round($this->run('SELECT expires FROM sessions WHERE id = ?', $id)->fetchColumn() / 1000 - time());
    }

    public function setRemaining(string $id, int $seconds): void
    {
        $this->run('UPDATE sessions SET expires = ? WHERE id = ?', (time() + $seconds) * 1000, $id);
    }

    public function remove(string $id): void
    {
        $this->opened($id)->destroy();
    }

    /** The server says only whether it is locked. */
    public function lockRemaining(string $id): ?int
    {
        $client = $this->client();
        $client->lockTimeout(0);
        $free = $client->open($id);
        $client->disconnect();
        return $free ? null : (int) $this->hold;
    }

    public function endLock(string $id): void
    {
        $this->opened($id)->disconnect();
    }

    /** With the session opened to write it, once who holds it has not done anything for so long. */
    private function opened(string $id): SessionServerClient
    {
        $client = $this->client();
        $client->lockTimeout(self::PATIENCE_MS);
        return $client->open($id) ? $client : throw new \RuntimeException('The session stays locked.');
    }

    private function client(): SessionServerClient
    {
        return new SessionServerClient('127.0.0.1', $this->port, timeout: 5000);
    }

    private function run(string $sql, int|string ...$values): \PDOStatement
    {
        $statement = (new \PDO("sqlite:$this->database"))->prepare($sql);
        $statement->execute($values);
        return $statement;
    }
}
