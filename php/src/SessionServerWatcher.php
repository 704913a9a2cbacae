<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\SessionServer\SessionServerConnection;

/**
 * Reports changes of sessions in the session server, for example to a worker that handles logouts. It does not open the
 * sessions, so it neither waits for locks nor renews lifetimes.
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

    /** Whether the connection has subscriptions. A new connection has none. */
    private bool $watching = false;

    /**
     * Connects at the first use. The parameters are the same as in SessionServerClient.
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

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['connection' => $this->connection];
    }

    /**
     * Subscribes to a session, so that next() reports its changes. If it does not exist yet, next() also reports its
     * creation.
     *
     * @return bool whether the session exists now
     * @throws SessionDataError if the server accepts no more subscriptions, or the ID is invalid
     * @throws SessionUnavailable
     */
    public function watch(#[\SensitiveParameter] string $id): bool
    {
        return $this->ask('watch', $id) !== 'gone';
    }

    /**
     * @throws SessionDataError if the ID is invalid
     * @throws SessionUnavailable
     */
    public function unwatch(#[\SensitiveParameter] string $id): void
    {
        $this->ask('unwatch', $id);
    }

    /**
     * Waits for the next event.
     *
     * @param int $wait in ms
     * @return array{string, string|null, int|null}|null `changed`, `destroyed`, `expired` or `regenerated`; the session
     *         ID; for `changed` the revision, which increases. Only `lost`: this client was too slow and missed events,
     *         so watch again. null if no event arrives in this time
     * @throws SessionUnavailable if the connection is lost, and all subscriptions with it
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

    /** Checks the connection. A host that disappears does not close it. @throws SessionUnavailable if it is lost */
    public function ping(): void
    {
        $this->ask('ping');
    }

    private function ask(string $command, #[\SensitiveParameter] string $id = ''): string
    {
        if ($id !== '' && preg_match(SessionServerClient::ID, $id) !== 1) {
            throw new SessionDataError('A session ID must be 1 to 128 of A-Z a-z 0-9 , _ -');
        }
        try {
            [$answer] = $this->connection->ask([rtrim("$command $id")], again: !$this->watching);
            $this->watching = $this->watching || $command === 'watch';
        } finally {
            $this->watching = $this->watching && $this->connection->isConnected();
        }
        if ($answer === 'err Too many watches.') {
            throw new SessionDataError('The session server accepts no more subscriptions.');
        }
        return $this->connection->result($command, $answer);
    }
}
