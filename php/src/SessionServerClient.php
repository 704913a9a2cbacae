<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\SessionServer\SessionServerConnection;

/**
 * A client of the session server, for every command of its protocol except watching: see SessionServerWatcher. It has
 * one session open at a time.
 *
 *     $client = new SessionServerClient('localhost', 9090);
 *     $id = $client->create();
 *     $client->put('name', 'Ann');
 *     $client->close();
 *
 * Opening a session to write it takes its lock; others wait for it, see lockTimeout(). Changes are saved by commit() or
 * close() only. Keys and values are bytes, any of them.
 *
 * A SessionUnavailable means that the server does not answer, or reports an error that the method does not mention. If
 * the connection is lost while a session is open, its unsaved changes are lost too, and open() has to be called again.
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

    /** Milliseconds. */
    private int $lockTimeout = 20_000;

    /** The ID of the session that is open. */
    private ?string $id = null;

    /** Whether that session was opened to be changed. */
    private bool $writable = false;

    /** The error in the last answer, if it had one. */
    private ?string $refusal = null;

    /**
     * Connects at the first use.
     *
     * @param string $host a name, an address, or the path of a unix socket
     * @param string|null $token that the server asks for (`SESSION_SERVER_AUTH_FILE`)
     * @param array<string, mixed>|null $tls PHP's SSL context options, such as `cafile`; null: no TLS
     * @param int $timeout milliseconds to connect, and for one answer in addition to the wait for a lock
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

    /** @return list<string> what the server can do beyond PEAR's protocol */
    public function hello(): array
    {
        return explode(',', substr($this->ask('hello', '1'), strlen('1 ')));
    }

    /** Uses another token from now on. @throws SessionUnavailable when it is wrong */
    public function auth(#[\SensitiveParameter] string $token): void
    {
        $this->connection->setToken($token);
        $this->ask('auth', $token);
    }

    public function ping(): void
    {
        $this->ask('ping');
    }

    /** Sets how long open() waits for the lock of a session, in milliseconds; 0: not at all. */
    public function lockTimeout(int $milliseconds): void
    {
        if ($milliseconds < 0 || $milliseconds > self::DAY) {
            throw new InvalidSettings('the wait for a lock must be 0 ms to a day');
        }
        $this->lockTimeout = $milliseconds;
    }

    /** Closes the connection. Unsaved changes of the session that is open are lost. */
    public function disconnect(): void
    {
        try {
            // Once this is answered, the lock is free.
            $this->id === null || $this->ask('quit');
        } finally {
            $this->connection->disconnect();
            $this->id = null;
        }
    }

    /** Opens a new session to write it. @return string its ID */
    public function create(): string
    {
        $this->opened(null, false);
        $id = $this->ask('new');
        $this->opened($id, true);
        return $id;
    }

    /**
     * Opens a session. Unsaved changes of the session that was open are lost.
     *
     * @param string $mode `r`: to read it as it is saved, without waiting; `rw` or `w`: to write it, under its lock
     * @return bool false when there is none to read, or when others held the lock for too long
     * @throws SessionDataError when no session can have that ID
     */
    public function open(#[\SensitiveParameter] string $id, string $mode = 'rw'): bool
    {
        if (!in_array($mode, ['r', 'w', 'rw'], true)) {
            throw new \ValueError('a session is opened with r, w or rw');
        }
        if (preg_match(self::ID, $id) !== 1) {
            throw new SessionDataError('The session server takes IDs of up to 128 of A-Z a-z 0-9 , _ - only.');
        }
        $this->id = null;
        $wait = $mode === 'r' ? 0 : $this->lockTimeout;
        // lock_timeout is answered at once. So a server that is down is noticed without waiting as long as for a lock.
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

    /** The ID of the session that is open; null when there is none, or its connection was lost. */
    public function id(): ?string
    {
        return $this->id;
    }

    /** Whether the session was opened to be changed. It may have lost its lock since: see hasLock(). */
    public function isWritable(): bool
    {
        return $this->id !== null && $this->writable;
    }

    /** Whether the session can still be changed: the server gives the lock of an idle client to one that waits. */
    public function hasLock(): bool
    {
        if (!$this->isWritable()) {
            return false;
        }
        $late = 'Could not touch session.';
        return $this->ask('touch', '', $late, self::NO_SESSION) !== null || $this->refusal !== $late;
    }

    /** @return string|null null when there is no such key */
    public function get(#[\SensitiveParameter] string $key): ?string
    {
        $noString = 'Value is not a string';
        $value = $this->askInSession('get', rawurlencode($key), self::NO_KEY, $noString);
        if ($value === null && $this->refusal === $noString) {
            throw new SessionDataError('The value is not a string: getAll() reads it.');
        }
        return $value === null ? null : rawurldecode($value);
    }

    /** @throws SessionDataError when it is too large, or another value of the session is a reference to the old one */
    public function put(#[\SensitiveParameter] string $key, #[\SensitiveParameter] string $value): void
    {
        $this->change('put', rawurlencode($key) . ' ' . rawurlencode($value), 'Could not store value');
    }

    public function exists(#[\SensitiveParameter] string $key): bool
    {
        return $this->askInSession('exists', rawurlencode($key), self::NO_KEY) !== null;
    }

    /**
     * @return bool false when there is no such key
     * @throws SessionDataError when another value of the session is a reference to it
     */
    public function remove(#[\SensitiveParameter] string $key): bool
    {
        return $this->change('remove', rawurlencode($key), 'Could not remove value', self::NO_KEY) !== null;
    }

    /** @return list<string> in the order in which they were first put */
    public function keys(): array
    {
        $keys = $this->askInSession('keys');
        if ($keys === '') {
            // No key, or only the empty one.
            return $this->exists('') ? [''] : [];
        }
        return array_map('rawurldecode', explode('|', $keys));
    }

    /**
     * @return array<mixed> by key, where decimal numbers are integers; objects are __PHP_Incomplete_Class
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
     * @throws SessionDataError when they cannot be stored; nothing is changed then
     */
    public function putAll(#[\SensitiveParameter] array $values): void
    {
        try {
            $text = serialize($values);
        } catch (\Exception) {
            // PHP's own message could tell something of the values.
            throw new SessionDataError('The values hold something that cannot be serialized.');
        }
        $this->change('put_all', rawurlencode($text), 'Could not store session data.');
    }

    /** Saves the changes, and gives the lock back. The session stays open to be read. */
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
     * Puts a value, sets the lifetime, saves and closes, in one round trip. If the value is refused, the old one stays.
     *
     * @param string|null $value null: leaves the value as it is
     * @param int $lifetime as lifetime()
     * @return bool false when another client got the lock meanwhile; nothing is saved then
     * @throws SessionDataError when the value is too large, or another value is a reference to the old one
     */
    public function closeWith(
        #[\SensitiveParameter] string $key,
        #[\SensitiveParameter] ?string $value,
        int $lifetime,
    ): bool {
        $this->isWritable() || throw new \LogicException('close: no session is open to be written');
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
                'The session server refuses a value: ' . SessionServerConnection::shown($answer),
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

    /** Moves what is saved of the session, and its lock, to a new ID. @return string that ID */
    public function regenerateId(): string
    {
        $id = $this->change('regenerate_id');
        $this->opened($id, true);
        return $id;
    }

    /**
     * The seconds that the session lives after each use; 0: for ever.
     *
     * @param int|null $seconds sets it, with the next commit() or close()
     */
    public function lifetime(?int $seconds = null): int
    {
        return (int) ($seconds === null
            ? $this->askInSession('lifetime')
            : $this->change('lifetime', (string) $seconds));
    }

    /** Seconds until the session expires; 0: never. */
    public function ttl(): int
    {
        return (int) $this->askInSession('ttl');
    }

    /** The same of any session, without opening it or renewing it. @return int|null null when there is none */
    public function ttlOf(#[\SensitiveParameter] string $id): ?int
    {
        $seconds = preg_match(self::ID, $id) === 1 ? $this->ask('ttl', $id, self::NO_SESSION) : null;
        return $seconds === null ? null : (int) $seconds;
    }

    /** Starts the session's lifetime again. @return bool false when there is no such session any more */
    public function touch(): bool
    {
        return $this->askInSession('touch', '', self::NO_SESSION) !== null;
    }

    /**
     * The saved values of any session, without opening it, locking it or renewing its lifetime.
     *
     * @return array<mixed>|null as getAll(); null when there is none
     */
    public function peek(#[\SensitiveParameter] string $id): ?array
    {
        // The ID is checked, since a line feed in it would begin another command.
        $values = preg_match(self::ID, $id) === 1 ? $this->ask('peek', $id, self::NO_SESSION) : null;
        return $values === null ? null : self::decoded($values);
    }

    private function opened(#[\SensitiveParameter] ?string $id, bool $writable): void
    {
        [$this->id, $this->writable] = [$id, $writable];
    }

    /**
     * @param string ...$expected errors for which it returns null
     * @return string|null the text after the `ok`
     * @throws SessionUnavailable for any other error
     */
    private function ask(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        string ...$expected,
    ): ?string {
        try {
            // While no session is open, a command changes nothing, so it can be sent again.
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
     * @param string|null $failure the server's error for everything that it cannot store
     * @throws SessionDataError when it gives that error although the client has the lock
     */
    private function change(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        ?string $failure = null,
        string ...$expected,
    ): ?string {
        if ($this->id !== null && !$this->writable) {
            throw new \LogicException("$command: the session is open to be read only");
        }
        $failures = $failure === null ? [] : [$failure, 'Line too long.'];
        $done = $this->askInSession($command, $arguments, ...$failures, ...$expected);
        if ($done !== null || in_array($this->refusal, $expected, true)) {
            return $done;
        }
        if ($this->refusal === $failure && !$this->hasLock()) {
            throw $this->failed($command, 'another client has got the lock of the session meanwhile');
        }
        throw new SessionDataError(
            "The session server refused $command: a value is too large, or another value of the session refers to the old one.",
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
