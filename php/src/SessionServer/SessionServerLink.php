<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\SessionServer;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;

/** What SessionServerClient knows of its connection and of the session that is open on it, and how it asks. */
abstract class SessionServerLink
{
    private const DAY = 86_400_000;

    private readonly SessionServerConnection $connection;

    /** Milliseconds. */
    private int $lockTimeout = 20_000;

    /** Of the session that is open. */
    private ?string $id = null;

    /** Whether it may be changed. */
    private bool $writable = false;

    /** The last error that was an answer. */
    protected ?string $refusal = null;

    /**
     * Connects at the first use, not here.
     *
     * @param string $host a name, an address, or the path of a unix socket
     * @param string|null $token that the server asks for (`SESSION_SERVER_AUTH_FILE`)
     * @param array<string, mixed>|null $tls null: none; else PHP's SSL context options, such as `cafile`
     * @param int $timeout milliseconds to connect, and for one answer beyond the wait for a lock
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
        return ['connection' => $this->connection, 'open' => $this->id !== null];
    }

    /** The ID of the session that is open; null when there is none, or its connection was lost. */
    final public function id(): ?string
    {
        return $this->id;
    }

    /** Whether the session was opened to be changed. Its lock may have gone to somebody else since: see hasLock(). */
    final public function isWritable(): bool
    {
        return $this->id !== null && $this->writable;
    }

    /** Whether the session may still be changed: after a while the server gives the lock to another who waits. */
    final public function hasLock(): bool
    {
        if (!$this->isWritable()) {
            return false;
        }
        $late = 'Could not touch session.';
        return $this->ask('touch', '', $late, 'No such session.') !== null || $this->refusal !== $late;
    }

    /**
     * Opens a session, and ends the one that was open, without keeping what was not kept.
     *
     * @param string $mode `r`: as it is now, without waiting; `rw` or `w`: to write it, when nobody else does
     * @return bool false when there is none to read, or when others had it for too long
     * @throws SessionDataError when no session can have that ID
     */
    final public function open(#[\SensitiveParameter] string $id, string $mode = 'rw'): bool
    {
        if (!in_array($mode, ['r', 'w', 'rw'], true)) {
            throw new \ValueError('a session is opened with r, w or rw');
        }
        if (preg_match(SessionServerClient::ID, $id) !== 1) {
            throw new SessionDataError('The session server takes IDs of up to 128 of A-Z a-z 0-9 , _ - only.');
        }
        $this->id = null;
        $wait = $mode === 'r' ? 0 : $this->lockTimeout;
        // With an answer of its own, so that a server that is gone is not waited for as long as a lock.
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

    /** @return list<string> what the server can do beyond the protocol of old */
    final public function hello(): array
    {
        return explode(',', substr($this->ask('hello', '1'), strlen('1 ')));
    }

    /** Shows another token than the constructor's from now on. @throws SessionUnavailable when it is a wrong one */
    final public function auth(#[\SensitiveParameter] string $token): void
    {
        $this->connection->setToken($token);
        $this->ask('auth', $token);
    }

    /** How long an open() waits for who has the session, in milliseconds; 0: not at all. */
    final public function lockTimeout(int $milliseconds): void
    {
        if ($milliseconds < 0 || $milliseconds > self::DAY) {
            throw new InvalidSettings('the wait for a lock must be 0 ms to a day');
        }
        $this->lockTimeout = $milliseconds;
    }

    final public function ping(): void
    {
        $this->ask('ping');
    }

    /** Ends the connection, and the session that is open without keeping what was not kept. */
    final public function disconnect(): void
    {
        try {
            // Others have the lock as soon as this is answered.
            $this->id === null || $this->ask('quit');
        } finally {
            $this->connection->disconnect();
            $this->id = null;
        }
    }

    final protected function opened(#[\SensitiveParameter] ?string $id, bool $writable): void
    {
        [$this->id, $this->writable] = [$id, $writable];
    }

    /**
     * @param string ...$refusals errors that are answers, too
     * @return string|null what follows the `ok`; null for one of those errors
     * @throws SessionUnavailable
     */
    final protected function ask(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        string ...$refusals,
    ): ?string {
        try {
            // Without an open session nothing is kept by a command: it can be sent again.
            [$answer] = $this->connection->ask([rtrim("$command $arguments")], again: $this->id === null);
        } finally {
            $this->connection->isConnected() || $this->id = null;
        }
        return $this->read($command, $answer, ...$refusals);
    }

    /** As ask(), for what concerns the session that is open. */
    final protected function askInSession(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        string ...$refusals,
    ): ?string {
        $this->id === null && throw $this->failed($command, 'no session is open, or its connection was lost');
        return $this->ask($command, $arguments, ...$refusals);
    }

    /**
     * As ask(), for what changes the session that is open.
     *
     * @param string|null $failure the error that says that it cannot be stored, for whatever reason
     * @throws SessionDataError when that is not for the lock
     */
    final protected function change(
        string $command,
        #[\SensitiveParameter] string $arguments = '',
        ?string $failure = null,
        string ...$refusals,
    ): ?string {
        if ($this->id !== null && !$this->writable) {
            throw new \LogicException("$command: the session is open to be read only");
        }
        $failures = $failure === null ? [] : [$failure, 'Line too long.'];
        $done = $this->askInSession($command, $arguments, ...$failures, ...$refusals);
        if ($done !== null || in_array($this->refusal, $refusals, true)) {
            return $done;
        }
        if ($this->refusal === $failure && !$this->hasLock()) {
            throw $this->failed($command, 'others have got the session\'s lock meanwhile');
        }
        throw new SessionDataError("The session server refuses to $command: too much, or what others refer to?");
    }

    /**
     * @param list<string> $changes commands
     * @return bool whether the session was still this client's, and is kept
     * @throws SessionDataError when one of them was refused for what it holds
     */
    final protected function closeAfter(#[\SensitiveParameter] array $changes): bool
    {
        $this->isWritable() || throw new \LogicException('close: no session is open to be written');
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
                'The session server refuses a value: ' . SessionServerConnection::told($answer),
            );
        }
        $this->read('close', $closed ?? '');
        return true;
    }

    private function failed(string $command, string $what): SessionUnavailable
    {
        return $this->connection->failed("$command: $what");
    }

    private function read(string $command, #[\SensitiveParameter] string $answer, string ...$refusals): ?string
    {
        $this->refusal = str_starts_with($answer, 'err ') ? substr($answer, strlen('err ')) : null;
        if (in_array($this->refusal, $refusals, true)) {
            return null;
        }
        if ($answer !== 'ok' && !str_starts_with($answer, 'ok ')) {
            throw $this->failed($command, SessionServerConnection::told($answer));
        }
        return substr($answer, strlen('ok '));
    }
}
