<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * What the handlers of all stores have in common: only IDs that the store knows are accepted, a failure is an
 * exception and never an empty session, and requests of one session wait for each other if they are told to.
 *
 * A store adds short methods. "Not there" and "failed" must be different answers in each: taking a failed read for an
 * empty session would make PHP hand out a new ID and log the user out for good.
 *
 * Without a lock two requests of one session at the same time do not wait for each other, and whichever writes last
 * wins. Only a logout is final: a record that was there when a request began and is gone when it ends is not written
 * again, nor carried over to a new ID, or the slower page would log its visitor in once more.
 *
 * With a lock each request has the session to itself. One that waits for too long fails with SessionUnavailable; so
 * does one that took longer than its lease, when it writes: somebody else may have the session by then.
 *
 * Call session_write_close() before sending output: an exception at the end of the request comes too late
 * for an error page, and until then nobody knows the ID of a new session.
 */
abstract class StrictIdHandler implements
    \SessionHandlerInterface,
    \SessionIdInterface,
    \SessionUpdateTimestampHandlerInterface
{
    /** What PHP itself makes: session.sid_length is 22 to 256. Anything else never came from PHP. */
    protected const ID = '/^[A-Za-z0-9,-]{22,256}\z/';

    /** Milliseconds between two tries for a lock: soon at first, then rarely enough for a hundred to wait. */
    private const FIRST_PAUSE = 2;
    private const LONGEST_PAUSE = 50;

    /** The ID that PHP has made or checked, and may read therefore. */
    private ?string $proven = null;

    /** @var array{string, string|\Throwable}|null ID, and what validateId() found, for the read() that follows */
    private ?array $found = null;

    /** The ID whose record was there when this request read it. */
    private ?string $existing = null;

    /** Whether that record was gone when this request wrote or destroyed it; and the new ID that then replaced it. */
    private bool $ended = false;
    private ?string $refused = null;

    /** @var array{string, string}|null ID and token of the lock that this request holds */
    private ?array $lock = null;

    /** Seconds that a record lives on, at least 1. Known once PHP has opened the handler. */
    protected int $lifetime;

    public function __construct(private readonly HandlerSettings $settings = new HandlerSettings())
    {
    }

    /** @return string|null the record, or null when there is none */
    abstract protected function load(string $id): ?string;

    /** Writes the record, whether there is one or not, for its lifetime. */
    abstract protected function store(string $id, string $record): void;

    /**
     * As store(), for a record that was there. One that is gone stays gone: the session has ended.
     *
     * @param string|null $token of the lock, if there is one
     * @return bool false when it is gone
     * @throws SessionUnavailable lockLost(), and nothing is written, when the lock is not held by that token any more
     */
    abstract protected function replace(string $id, string $record, ?string $token): bool;

    /** Renews the lifetime. A record that is gone stays gone, without an error: the session has ended. */
    abstract protected function renew(string $id): void;

    /** Removes the record. @return bool false when it was gone already */
    abstract protected function remove(string $id): bool;

    /**
     * Takes the lock of a record if nobody has it, without waiting.
     *
     * @param int $lease seconds after which it ends by itself
     * @return bool false when somebody else has it; true, too, when the record is gone meanwhile
     */
    abstract protected function acquire(string $id, string $token, int $lease): bool;

    /** Gives the lock back if it is still held by that token. */
    abstract protected function release(string $id, string $token): void;

    /** Removes what is over, where the store does not do so by itself. @return int how many */
    protected function collect(): int
    {
        return 0;
    }

    final protected static function lockLost(): SessionUnavailable
    {
        return new SessionUnavailable('The page took longer than its lock on the session lasts: nothing is written.');
    }

    final public function open(string $path, string $name): bool
    {
        $serializer = ini_get('session.serialize_handler');
        if ($this->settings->serializer !== null && $this->settings->serializer !== $serializer) {
            throw new InvalidSettings(
                "session.serialize_handler is $serializer, and the session store is for {$this->settings->serializer}.",
            );
        }
        if (!filter_var(ini_get('session.use_strict_mode'), FILTER_VALIDATE_BOOL)) {
            throw new InvalidSettings('session.use_strict_mode must be on, or visitors could choose their ID.');
        }
        // 0 means "for ever" to ext-memcached and "over at once" to ext-memcache: neither is worth a guess.
        $this->lifetime = $this->settings->lifetime ?? (int) ini_get('session.gc_maxlifetime');
        if ($this->lifetime < 1) {
            throw new InvalidSettings('session.gc_maxlifetime must be at least 1 second.');
        }
        return true;
    }

    final public function close(): bool
    {
        $this->proven = $this->found = $this->existing = null;
        if ($this->lock !== null) {
            [[$id, $token], $this->lock] = [$this->lock, null];
            try {
                $this->release($id, $token);
            } catch (SessionUnavailable) {
                // What this request had to store is stored, and the lock ends by itself.
            }
        }
        return true;
    }

    final public function create_sid(): string
    {
        return $this->proven = session_create_id();
    }

    final public function validateId(#[\SensitiveParameter] string $id): bool
    {
        // PHP asks about its own new IDs only where one replaces another.
        $this->refused = $this->ended && $id === $this->proven ? $id : null;
        $this->found = null;
        try {
            $found = preg_match(self::ID, $id) === 1 ? $this->loadLocked($id) : null;
        } catch (SessionUnavailable | SessionDataError $error) {
            // Thrown here PHP would make a new ID all the same, and its cookie would log the visitor out.
            $found = $error;
        }
        if ($found === null) {
            return false;
        }
        $this->proven = $id;
        $this->found = [$id, $found];
        return true;
    }

    final public function read(#[\SensitiveParameter] string $id): string
    {
        if ($this->proven !== $id && session_status() === PHP_SESSION_ACTIVE) {
            throw new InvalidSettings(
                'PHP does not ask this handler whether it knows an ID: register the object, or all of its callbacks.',
            );
        }
        [$known, $record] = $this->found ?? [null, null];
        $this->found = null;
        $this->ended = false;
        if ($record instanceof \Throwable && $known === $id) {
            // PHP does not, after an exception.
            $this->close();
            throw $record;
        }
        $record = $known === $id ? $record : $this->loadLocked($id);
        $this->existing = $record === null ? null : $id;
        return $record ?? '';
    }

    final public function write(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        try {
            if ($this->existing === $id) {
                [, $token] = $this->lock ?? [null, null];
                $this->ended = !$this->replace($id, $data, $token);
            } elseif ($this->refused !== $id) {
                $this->store($id, $data);
            }
        } catch (\Throwable $error) {
            $this->close();
            throw $error;
        }
        return true;
    }

    /** PHP calls this instead of write() when nothing has changed (session.lazy_write). */
    final public function updateTimestamp(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        $this->renew($id);
        return true;
    }

    final public function destroy(#[\SensitiveParameter] string $id): bool
    {
        $this->ended = !$this->remove($id) && $this->existing === $id;
        return true;
    }

    final public function gc(int $max_lifetime): int|false
    {
        try {
            return $this->collect();
        } catch (SessionUnavailable) {
            // The page that PHP happened to choose for this is not the one to fail for it.
            return false;
        }
    }

    /** The record, under the lock. IDs that nobody knows take none, since anybody can invent them. */
    private function loadLocked(#[\SensitiveParameter] string $id): ?string
    {
        $record = $this->load($id);
        if ($record === null || $this->settings->lockWait === null || $id === ($this->lock[0] ?? null)) {
            return $record;
        }
        $this->lock($id, $this->settings->lockWait);
        try {
            return $record = $this->load($id);
        } finally {
            isset($record) || $this->close();
        }
    }

    /** @param int $wait seconds */
    private function lock(#[\SensitiveParameter] string $id, int $wait): void
    {
        $token = bin2hex(random_bytes(16));
        $end = hrtime(true) + $wait * 1_000_000_000;
        $pause = self::FIRST_PAUSE;
        while (!$this->acquire($id, $token, $this->settings->lockLease)) {
            if (hrtime(true) > $end) {
                throw new SessionUnavailable("Other requests of this session have kept it locked for $wait s.");
            }
            // By chance, so that those who wait do not all ask at once.
            usleep(random_int($pause * 500, $pause * 1000));
            $pause = min(2 * $pause, self::LONGEST_PAUSE);
        }
        $this->lock = [$id, $token];
    }
}
