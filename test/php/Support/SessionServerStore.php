<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

use PhpSessionChat\Session\SessionServerClient;

/**
 * Reads and changes the expiry of sessions in the server's database, because the protocol renews it.
 *
 * @see Store
 */
final class SessionServerStore extends Store
{
    private const PATIENCE_MS = 10_000;

    private readonly string $database;
    private readonly int $port;

    /** @param string $hold the time after which the next waiting client gets a lock */
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

    /** The server reports only whether the session is locked, not for how long. */
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

    /** Opens the session for writing, after the holder of the lock was idle for `$hold`. */
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
