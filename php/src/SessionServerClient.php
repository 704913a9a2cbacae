<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\SessionServer\SessionServerConnection;

/**
 * A client for all commands of the session server except watching, for which see SessionServerWatcher. It has one
 * session open at a time.
 *
 *     $client = new SessionServerClient('localhost', 9090);
 *     $id = $client->create();
 *     $client->put('name', 'Ann');
 *     $client->close();
 *
 * Opening a session for writing takes its lock, and other clients wait for it (see lockTimeout()). Only commit(),
 * close() and closeWith() save changes. Keys and values are arbitrary bytes.
 *
 * Methods throw SessionUnavailable if the server does not respond, or reports an unexpected error. If the connection is
 * lost while a session is open, its unsaved changes are lost, and open() must be called again.
 */
final class SessionServerClient
{
    public const PORT = 9090;

    /** The session IDs that the server accepts. */
    public const ID = '/^[A-Za-z0-9,_-]{1,128}\z/';

    private const DAY = 86_400_000;

    /** Errors of the server that some methods expect. */
    private const NO_KEY = 'Key does not exist';
    private const NO_SESSION = 'No such session.';

    private readonly SessionServerConnection $connection;

    /** How long open() waits for a lock, in ms. */
    private int $lockTimeout = 20_000;

    /** The ID of the open session. */
    private ?string $id = null;

    /** Whether the open session was opened for writing. */
    private bool $writable = false;

    /** The error in the last reply, if any. */
    private ?string $refusal = null;

    /**
     * Connects at the first use.
     *
     * @param string $host a name, an address, or the path of a Unix socket
     * @param string|null $token that the server requires (`SESSION_SERVER_AUTH_FILE`)
     * @param array<string, mixed>|null $tls PHP's SSL context options, such as `cafile`; null: no TLS
     * @param int $timeout to connect, and for each reply in addition to the wait for a lock, in ms
     * @throws InvalidSettings
     */
    public function __construct(
        string $host,
        int $port = self::PORT,
        #[\SensitiveParameter] ?string $token = null,
        ?array $tls = null,
        int $timeout = 1000,
    ) {
        $this->connection = new SessionServerConnection($host, $port, $token, $tls, $timeout);
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['connection' => $this->connection, 'open' => $this->id !== null];
    }

    /** @return list<string> the extensions of PEAR's protocol that the server supports */
    public function hello(): array
    {
        return explode(',', substr($this->ask('hello', '1'), strlen('1 ')));
    }

    /** Changes the token. @throws SessionUnavailable if it is wrong */
    public function auth(#[\SensitiveParameter] string $token): void
    {
        $this->connection->setToken($token);
        $this->ask('auth', $token);
    }

    public function ping(): void
    {
        $this->ask('ping');
    }

    /** Sets how long open() waits for the lock of a session, in ms; 0: it does not wait. */
    public function lockTimeout(int $milliseconds): void
    {
        if ($milliseconds < 0 || $milliseconds > self::DAY) {
            throw new InvalidSettings('the timeout for a lock must be 0 ms to a day');
        }
        $this->lockTimeout = $milliseconds;
    }

    /** Closes the connection. Unsaved changes of the open session are lost. */
    public function disconnect(): void
    {
        try {
            // The reply confirms that the lock is released.
            $this->id === null || $this->ask('quit');
        } finally {
            $this->connection->disconnect();
            $this->id = null;
        }
    }

    /** Creates a session, and opens it for writing. @return string its ID */
    public function create(): string
    {
        $this->opened(null, false);
        $id = $this->ask('new');
        $this->opened($id, true);
        return $id;
    }

    /**
     * Opens a session. Unsaved changes of the previously open session are lost.
     *
     * @param string $mode `r`: for reading the saved session, without waiting; `rw` or `w`: for writing, under its lock
     * @return bool false if there is no session to read, or other clients held the lock for too long
     * @throws SessionDataError if the ID is invalid
     */
    public function open(#[\SensitiveParameter] string $id, string $mode = 'rw'): bool
    {
        if (!in_array($mode, ['r', 'w', 'rw'], true)) {
            throw new \ValueError('the mode of a session must be r, w or rw');
        }
        if (preg_match(self::ID, $id) !== 1) {
            throw new SessionDataError('A session ID must be 1 to 128 of A-Z a-z 0-9 , _ -');
        }
        $this->id = null;
        $wait = $mode === 'r' ? 0 : $this->lockTimeout;
        // The server replies to lock_timeout immediately, so a server that is down is detected before the wait for the
        // lock.
        $before = $mode === 'r' ? [] : ["lock_timeout $wait"];
        $answers = $this->connection->ask([...$before, "open $id $mode"], $wait, again: true);
        foreach (array_slice($answers, 0, -1) as $answer) {
            $this->read('lock_timeout', $answer);
        }
        if ($this->read('open', end($answers), 'Could not open session.') === null) {
            return false;
        }
        $this->opened($id, $mode !== 'r');
        return true;
    }

    /** Returns the ID of the open session; null if no session is open, or its connection was lost. */
    public function id(): ?string
    {
        return $this->id;
    }

    /** Whether the session was opened for writing. It may have lost its lock since then: see hasLock(). */
    public function isWritable(): bool
    {
        return $this->id !== null && $this->writable;
    }

    /** Whether the session can still be changed. The server gives the lock of an idle client to a waiting client. */
    public function hasLock(): bool
    {
        if (!$this->isWritable()) {
            return false;
        }
        $late = 'Could not touch session.';
        return $this->ask('touch', '', $late, self::NO_SESSION) !== null || $this->refusal !== $late;
    }

    /** @return string|null null if the key does not exist */
    public function get(#[\SensitiveParameter] string $key): ?string
    {
        $noString = 'Value is not a string';
        $value = $this->askInSession('get', rawurlencode($key), self::NO_KEY, $noString);
        if ($value === null && $this->refusal === $noString) {
            throw new SessionDataError('The value is not a string: read it with getAll().');
        }
        return $value === null ? null : rawurldecode($value);
    }

    /** @throws SessionDataError if the value is too large, or another value is a reference to the old value */
    public function put(#[\SensitiveParameter] string $key, #[\SensitiveParameter] string $value): void
    {
        $this->change('put', rawurlencode($key) . ' ' . rawurlencode($value), 'Could not store value');
    }

    public function exists(#[\SensitiveParameter] string $key): bool
    {
        return $this->askInSession('exists', rawurlencode($key), self::NO_KEY) !== null;
    }

    /**
     * @return bool false if the key does not exist
     * @throws SessionDataError if another value of the session is a reference to its value
     */
    public function remove(#[\SensitiveParameter] string $key): bool
    {
        return $this->change('remove', rawurlencode($key), 'Could not remove value', self::NO_KEY) !== null;
    }

    /** @return list<string> in the order of their first put() */
    public function keys(): array
    {
        $keys = $this->askInSession('keys');
        if ($keys === '') {
            // No key, or only the empty key.
            return $this->exists('') ? [''] : [];
        }
        return array_map('rawurldecode', explode('|', $keys));
    }

    /**
     * @return array<mixed> by key, where decimal numbers become integers; objects are __PHP_Incomplete_Class
     * @throws SessionDataError
     */
    public function getAll(): array
    {
        return self::decoded($this->askInSession('get_all'));
    }

    /**
     * Replaces all keys and values.
     *
     * @param array<mixed> $values
     * @throws SessionDataError if they cannot be stored; then no value changes
     */
    public function putAll(#[\SensitiveParameter] array $values): void
    {
        try {
            $text = serialize($values);
        } catch (\Exception) {
            // PHP's own message could contain values.
            throw new SessionDataError('The values contain a value that cannot be serialized.');
        }
        $this->change('put_all', rawurlencode($text), 'Could not store session data.');
    }

    /** Saves the changes, and releases the lock. The session stays open for reading. */
    public function commit(): void
    {
        $this->change('commit');
        $this->opened($this->id, false);
    }

    /** Saves the changes, and closes the session. */
    public function close(): void
    {
        try {
            $this->askInSession('close');
        } finally {
            $this->opened(null, false);
        }
    }

    /**
     * Puts a value, sets the lifetime, saves and closes, in one round trip. If the value is rejected, the old value
     * stays.
     *
     * @param string|null $value null: keeps the current value
     * @param int $lifetime as in lifetime()
     * @return bool false if another client got the lock; then no change is saved
     * @throws SessionDataError if the value is too large, or another value is a reference to the old value
     */
    public function closeWith(
        #[\SensitiveParameter] string $key,
        #[\SensitiveParameter] ?string $value,
        int $lifetime,
    ): bool {
        $this->isWritable() || throw new \LogicException('close: no session is open for writing');
        $changes = ["lifetime $lifetime"];
        if ($value !== null) {
            $changes[] = 'put ' . rawurlencode($key) . ' ' . rawurlencode($value);
        }
        try {
            $answers = $this->connection->ask([...$changes, 'close']);
        } finally {
            $this->id = null;
        }
        $closed = count($answers) > count($changes) ? array_pop($answers) : null;
        if ($closed === 'err Could not close session') {
            return false;
        }
        foreach ($answers as $answer) {
            str_starts_with($answer, 'ok') || throw new SessionDataError(
                'The session server rejects a value: ' . SessionServerConnection::shown($answer),
            );
        }
        $this->read('close', $closed ?? '');
        return true;
    }

    public function destroy(): void
    {
        $this->change('destroy');
        $this->opened(null, false);
    }

    /** Moves the saved session and its lock to a new ID. @return string the new ID */
    public function regenerateId(): string
    {
        $id = $this->change('regenerate_id');
        $this->opened($id, true);
        return $id;
    }

    /**
     * Returns the lifetime of the session after each use, in seconds; 0: unlimited.
     *
     * @param int|null $seconds the new lifetime, saved by the next commit() or close(); null: no change
     */
    public function lifetime(?int $seconds = null): int
    {
        return (int) ($seconds === null
            ? $this->askInSession('lifetime')
            : $this->change('lifetime', (string) $seconds));
    }

    /** Returns the time until the session expires, in seconds; 0: never. */
    public function ttl(): int
    {
        return (int) $this->askInSession('ttl');
    }

    /** Returns ttl() of any session, without opening or renewing it. @return int|null null if it does not exist */
    public function ttlOf(#[\SensitiveParameter] string $id): ?int
    {
        $seconds = preg_match(self::ID, $id) === 1 ? $this->ask('ttl', $id, self::NO_SESSION) : null;
        return $seconds === null ? null : (int) $seconds;
    }

    /** Restarts the session's lifetime. @return bool false if the session no longer exists */
    public function touch(): bool
    {
        return $this->askInSession('touch', '', self::NO_SESSION) !== null;
    }

    /**
     * Returns the saved values of any session, without opening, locking or renewing it.
     *
     * @return array<mixed>|null as getAll(); null if the session does not exist
     */
    public function peek(#[\SensitiveParameter] string $id): ?array
    {
        // A line feed in the ID would start another command.
        $values = preg_match(self::ID, $id) === 1 ? $this->ask('peek', $id, self::NO_SESSION) : null;
        return $values === null ? null : self::decoded($values);
    }

    private function opened(#[\SensitiveParameter] ?string $id, bool $writable): void
    {
        [$this->id, $this->writable] = [$id, $writable];
    }

    /**
     * @param string ...$expected errors that return null instead of throwing
     * @return string|null the text after `ok`
     * @throws SessionUnavailable for any other error
     */
    private function ask(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        string ...$expected,
    ): ?string {
        try {
            // Without an open session, a command changes no saved session, so it can be sent again.
            [$answer] = $this->connection->ask([rtrim("$command $arguments")], again: $this->id === null);
        } finally {
            $this->connection->isConnected() || $this->id = null;
        }
        return $this->read($command, $answer, ...$expected);
    }

    /** As ask(), for commands that need an open session. */
    private function askInSession(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        string ...$expected,
    ): ?string {
        $this->id === null && throw $this->failed($command, 'no session is open, or its connection was lost');
        return $this->ask($command, $arguments, ...$expected);
    }

    /**
     * As ask(), for commands that change the open session.
     *
     * @param string|null $failure the server's error for values that it cannot store
     * @throws SessionDataError if the server reports this error although the client has the lock
     */
    private function change(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        ?string $failure = null,
        string ...$expected,
    ): ?string {
        if ($this->id !== null && !$this->writable) {
            throw new \LogicException("$command: the session is open for reading only");
        }
        $failures = $failure === null ? [] : [$failure, 'Line too long.'];
        $done = $this->askInSession($command, $arguments, ...$failures, ...$expected);
        if ($done !== null || in_array($this->refusal, $expected, true)) {
            return $done;
        }
        if ($this->refusal === $failure && !$this->hasLock()) {
            throw $this->failed($command, 'another client has the lock of the session');
        }
        throw new SessionDataError(
            "The session server rejects $command: a value is too large, or another value is a reference to the old value.",
        );
    }

    private function read(string $command, #[\SensitiveParameter] string $answer, string ...$expected): ?string
    {
        $this->refusal = str_starts_with($answer, 'err ') ? substr($answer, strlen('err ')) : null;
        return in_array($this->refusal, $expected, true) ? null : $this->connection->result($command, $answer);
    }

    private function failed(string $command, string $what): SessionUnavailable
    {
        return $this->connection->failed("$command: $what");
    }

    /** @return array<mixed> */
    private static function decoded(#[\SensitiveParameter] string $text): array
    {
        $values = @unserialize(rawurldecode($text), ['allowed_classes' => false]);
        return is_array($values) ? $values : throw new SessionDataError('PHP cannot read this session.');
    }
}
