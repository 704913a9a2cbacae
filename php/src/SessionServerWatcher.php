<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\SessionServer\SessionServerConnection;

/**
 * Hears what happens to sessions in the session server: a worker that is to act on a logout, say. It opens none, so it
 * neither waits for anybody nor keeps a session alive.
 *
 *     $watcher = new SessionServerWatcher('localhost', 9090);
 *     $watcher->watch($id);
 *     while (true) {
 *         $event = $watcher->next(30_000);   // ['destroyed', $id, null], or null after 30 s
 *     }
 */
final class SessionServerWatcher
{
    private readonly SessionServerConnection $connection;

    /** Whether a new connection would be one that watches less. */
    private bool $watching = false;

    /**
     * Connects at the first use, not here. As SessionServerClient.
     *
     * @param array<string, mixed>|null $tls
     * @throws InvalidSettings
     */
    public function __construct(
        string $host,
        int $port = SessionServerClient::PORT,
        #[\SensitiveParameter] ?string $token = null,
        ?array $tls = null,
        int $timeout = 1000,
    ) {
        $this->connection = new SessionServerConnection($host, $port, $token, $tls, $timeout);
    }

    /** What a dump of it shows. */
    public function __debugInfo(): array
    {
        return ['connection' => $this->connection];
    }

    /**
     * From now on next() tells what happens to the session, also when it comes to be.
     *
     * @return bool whether there is one now
     * @throws SessionDataError when the server takes no more, or no session can have that ID
     * @throws SessionUnavailable
     */
    public function watch(#[\SensitiveParameter] string $id): bool
    {
        return $this->ask('watch', $id) !== 'gone';
    }

    /**
     * @throws SessionDataError when no session can have that ID
     * @throws SessionUnavailable
     */
    public function unwatch(#[\SensitiveParameter] string $id): void
    {
        $this->ask('unwatch', $id);
    }

    /**
     * Waits for the next event.
     *
     * @param int $wait milliseconds
     * @return array{string, string|null, int|null}|null `changed`, `destroyed`, `expired` or `regenerated`, the
     *         session's ID, and of a change its revision, which rises; `lost` alone when something was not told, since
     *         this client has been too slow: then watch again. null when nothing has happened
     * @throws SessionUnavailable when the connection is lost: nothing is watched any more
     */
    public function next(int $wait): ?array
    {
        try {
            $event = $this->connection->event($wait);
        } finally {
            $this->watching = $this->watching && $this->connection->isConnected();
        }
        if ($event === null) {
            return null;
        }
        [$kind, $id, $revision] = explode(' ', $event) + [1 => null, 2 => null];
        return [$kind, $id, $revision === null ? null : (int) $revision];
    }

    /** Whether the server is still there: a host that vanishes does not say so. @throws SessionUnavailable if not */
    public function ping(): void
    {
        $this->ask('ping');
    }

    private function ask(string $command, #[\SensitiveParameter] string $id = ''): string
    {
        if ($id !== '' && preg_match(SessionServerClient::ID, $id) !== 1) {
            throw new SessionDataError('The session server takes IDs of up to 128 of A-Z a-z 0-9 , _ - only.');
        }
        try {
            [$answer] = $this->connection->ask([rtrim("$command $id")], again: !$this->watching);
            $this->watching = $this->watching || $command === 'watch';
        } finally {
            $this->watching = $this->watching && $this->connection->isConnected();
        }
        if ($answer === 'err Too many watches.') {
            throw new SessionDataError('The session server watches no more sessions.');
        }
        if ($answer !== 'ok' && !str_starts_with($answer, 'ok ')) {
            throw $this->connection->failed("$command: " . SessionServerConnection::told($answer));
        }
        return substr($answer, strlen('ok '));
    }
}
