<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * The base of all handlers that keep sessions in a store. It implements the methods that PHP calls. Each store adds
 * short methods for records and locks.
 *
 * - **Only IDs in the store are accepted** (strict mode), so that visitors cannot choose their ID.
 * - **A failure is an exception, never an empty session.** PHP replaces the ID of a missing session, which logs the
 *   visitor out permanently. A store must therefore distinguish a missing record from a failed read.
 * - **A logout is final.** A record that existed at the start of a request, and was deleted before the request writes,
 *   is not written again and not copied to a new ID. Otherwise a slow page would log its visitor in again.
 * - **Requests of one session can wait for each other** (`lockWait` in the settings). Without a lock, the last request
 *   to write wins. With a lock, one request at a time uses the session. A request that waits too long fails with
 *   SessionUnavailable. A request that took longer than its lease fails when it writes, because another request may
 *   have changed the session. If the session ended or got another ID during the wait, the request sees an empty
 *   session, and its writes are discarded.
 *
 * Call session_write_close() before any output. At the end of the request, an exception is too late for an error page,
 * and the browser must not get the ID of a session that is not stored yet.
 */
abstract class StoreHandler implements
    \SessionHandlerInterface,
    \SessionIdInterface,
    \SessionUpdateTimestampHandlerInterface
{
    /** IDs as PHP makes them: session.sid_length is 22 to 256. */
    protected const ID = '/^[A-Za-z0-9,-]{22,256}\z/';

    /** The delay between attempts to lock, in ms. It grows, so that a hundred requests do not flood the store. */
    private const FIRST_PAUSE = 2;
    private const LONGEST_PAUSE = 50;

    /** The lifetime of a record after its last use, in seconds, at least 1. Set by open(). */
    protected int $lifetime;

    /** The ID that PHP has created or validated. Only this ID may be read. */
    private ?string $checked = null;

    /** @var array{string, string|\Throwable}|null the ID and the record or failure of validateId(), for read() */
    private ?array $found = null;

    /** The ID whose record existed when this request read it. */
    private ?string $existing = null;

    /** Why the session no longer belongs to this request. */
    private ?SessionUnavailable $ended = null;

    /** The value of `ended` if PHP replaces the session's ID. read() of the new ID throws it. */
    private ?SessionUnavailable $refusal = null;

    /** @var array{string, string}|null ID and token of the lock that this request holds */
    private ?array $lock = null;

    public function __construct(private readonly HandlerSettings $settings = new HandlerSettings())
    {
    }

    /** @return string|null the record; null if it does not exist */
    abstract protected function load(string $id): ?string;

    /** Creates or overwrites the record, and starts its lifetime. */
    abstract protected function store(string $id, string $record): void;

    /**
     * Overwrites an existing record, and restarts its lifetime. A deleted record is not written again, because the
     * session has ended.
     *
     * @param string|null $token of the lock, if any
     * @return bool false if the record no longer exists
     * @throws SessionUnavailable lockLost(), without writing, if the token no longer holds the lock
     */
    abstract protected function replace(string $id, string $record, ?string $token): bool;

    /** Restarts the lifetime. No-op if the record was deleted. */
    abstract protected function renew(string $id): void;

    /** Deletes the record. @return bool false if it did not exist */
    abstract protected function remove(string $id): bool;

    /**
     * Takes the lock of a record if it is free, without waiting.
     *
     * @param int $lease after this time in seconds the lock expires
     * @return bool false if another request holds the lock; true also if the record was deleted
     */
    abstract protected function acquire(string $id, string $token, int $lease): bool;

    /** Whether the token still holds the lock. */
    abstract protected function holds(string $id, string $token): bool;

    /** Releases the lock if the token still holds it. */
    abstract protected function release(string $id, string $token): void;

    /** Deletes expired records, if the store does not do so itself. @return int the number of deleted records */
    protected function collect(): int
    {
        return 0;
    }

    final public function open(string $path, string $name): bool
    {
        $serializer = ini_get('session.serialize_handler');
        if ($this->settings->serializer !== null && $this->settings->serializer !== $serializer) {
            throw new InvalidSettings(
                "session.serialize_handler is $serializer, but the session store needs {$this->settings->serializer}.",
            );
        }
        if (!filter_var(ini_get('session.use_strict_mode'), FILTER_VALIDATE_BOOL)) {
            throw new InvalidSettings('session.use_strict_mode must be on, otherwise visitors could choose their ID.');
        }
        // ext-memcached reads 0 as "never expires", ext-memcache as "expires at once". So 0 is rejected.
        $this->lifetime = $this->settings->lifetime ?? (int) ini_get('session.gc_maxlifetime');
        if ($this->lifetime < 1) {
            throw new InvalidSettings('session.gc_maxlifetime must be at least 1 second.');
        }
        return true;
    }

    final public function close(): bool
    {
        $this->checked = $this->found = $this->existing = null;
        $this->unlock();
        return true;
    }

    final public function create_sid(): string
    {
        return $this->checked = session_create_id();
    }

    final public function validateId(#[\SensitiveParameter] string $id): bool
    {
        // PHP validates an ID that it has just created only if the ID replaces another ID.
        $this->refusal = $id === $this->checked ? $this->ended : null;
        $this->found = null;
        try {
            $found = preg_match(self::ID, $id) === 1 ? $this->loadLocked($id) : null;
        } catch (\Throwable $error) {
            // If this method threw, PHP would create a new ID, whose cookie logs the visitor out. read() throws
            // instead.
            $found = $error;
        }
        if ($found === null) {
            return false;
        }
        $this->checked = $id;
        $this->found = [$id, $found];
        return true;
    }

    final public function read(#[\SensitiveParameter] string $id): string
    {
        if ($this->checked !== $id && session_status() === PHP_SESSION_ACTIVE) {
            throw new InvalidSettings(
                'PHP does not let this handler validate IDs: register the object or all of its callbacks.',
            );
        }
        [$known, $record] = $this->found ?? [null, null];
        $failure = $this->refusal ?? ($known === $id && $record instanceof \Throwable ? $record : null);
        $this->found = $this->ended = $this->refusal = null;
        return $this->orClose(function () use ($id, $known, $record, $failure): string {
            if ($failure !== null) {
                throw $failure;
            }
            $record = $known === $id ? $record : $this->loadLocked($id);
            $this->existing = $record === null ? null : $id;
            return $record ?? '';
        });
    }

    final public function write(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        $this->orClose(function () use ($id, $data): void {
            if ($this->existing !== $id) {
                $this->store($id, $data);
            } elseif (!$this->replace($id, $data, $this->token($id))) {
                $this->ended = self::sessionEnded();
            }
        });
        return true;
    }

    /** PHP calls this instead of write() if the data has not changed (session.lazy_write). */
    final public function updateTimestamp(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        $this->orClose(fn () => $this->renew($id));
        return true;
    }

    final public function destroy(#[\SensitiveParameter] string $id): bool
    {
        $this->orClose(function () use ($id): void {
            $token = $this->token($id);
            $lost = $token !== null && !$this->holds($id, $token);
            if ($lost && self::isRegenerating()) {
                // The store may have newer data, so this request must not copy its data to a new ID.
                $this->unlock();
                throw $this->load($id) === null ? self::sessionEnded() : self::lockLost();
            }
            // A logout always succeeds. But a new ID must not get data that may be outdated.
            $existed = $this->remove($id);
            $this->ended = match (true) {
                $this->existing !== $id => null,
                !$existed => self::sessionEnded(),
                $lost => self::lockLost(),
                default => null,
            };
        });
        return true;
    }

    final public function gc(int $max_lifetime): int|false
    {
        try {
            return $this->collect();
        } catch (SessionUnavailable) {
            // PHP collects garbage in a random request. That request must not fail.
            return false;
        }
    }

    /**
     * Takes the lock of a record, and waits for it if necessary.
     *
     * @param int $lease in seconds
     * @param int $wait in seconds
     * @return bool false if other requests held the lock all this time
     */
    protected function acquireWithin(#[\SensitiveParameter] string $id, string $token, int $lease, int $wait): bool
    {
        $end = hrtime(true) + $wait * 1_000_000_000;
        $pause = self::FIRST_PAUSE;
        while (!$this->acquire($id, $token, $lease)) {
            if (hrtime(true) > $end) {
                return false;
            }
            // Random, so that waiting requests do not all retry at the same moment.
            usleep(random_int($pause * 500, $pause * 1000));
            $pause = min(2 * $pause, self::LONGEST_PAUSE);
        }
        return true;
    }

    final protected static function lockLost(): SessionUnavailable
    {
        return new SessionUnavailable('The page took longer than the lease of its lock: the session was not written.');
    }

    final protected static function lockedFor(int $seconds): SessionUnavailable
    {
        return new SessionUnavailable("Other requests locked this session for more than $seconds s.");
    }

    private static function sessionEnded(): SessionUnavailable
    {
        return new SessionUnavailable(
            'The session ended or got another ID since this page started, so it cannot get a new ID.',
        );
    }

    /**
     * Loads the record, under its lock if the settings have `lockWait`. IDs that are not in the store are not locked,
     * because any visitor can invent them.
     *
     * @return string|null null if there is no record; '' if it was deleted while this request waited for the lock
     */
    private function loadLocked(#[\SensitiveParameter] string $id): ?string
    {
        $wait = $this->settings->lockWait;
        $record = $this->load($id);
        if ($record === null || $wait === null || $this->token($id) !== null) {
            return $record;
        }
        $token = bin2hex(random_bytes(16));
        $this->acquireWithin($id, $token, $this->settings->lockLease, $wait) || throw self::lockedFor($wait);
        $this->lock = [$id, $token];
        try {
            $record = $this->load($id);
        } finally {
            isset($record) || $this->unlock();
        }
        // If the record was deleted during the wait, the session ended or got another ID. With null, PHP would create a
        // new ID, whose cookie could replace the cookie of the request that this request waited for.
        return $record ?? '';
    }

    /** Returns the token of the lock on the record, if this request has locked it. */
    private function token(#[\SensitiveParameter] string $id): ?string
    {
        return $id === ($this->lock[0] ?? null) ? $this->lock[1] : null;
    }

    private function unlock(): void
    {
        if ($this->lock === null) {
            return;
        }
        [[$id, $token], $this->lock] = [$this->lock, null];
        try {
            $this->release($id, $token);
        } catch (SessionUnavailable) {
            // The lock expires with its lease.
        }
    }

    /** PHP calls destroy() for both session_destroy() and session_regenerate_id(true), without telling which. */
    private static function isRegenerating(): bool
    {
        $functions = array_column(debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS), 'function');
        return in_array('session_regenerate_id', $functions, true);
    }

    /** Closes the handler after an exception. PHP does not, and a lock would remain. */
    private function orClose(#[\SensitiveParameter] \Closure $work): mixed
    {
        try {
            return $work();
        } catch (\Throwable $error) {
            $this->close();
            throw $error;
        }
    }
}
