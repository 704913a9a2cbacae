<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * The base of all handlers that keep sessions in a store. It implements the methods that PHP calls; each store adds a
 * few short methods for its records and their locks.
 *
 * - **Only IDs that are in the store are accepted** (strict mode), so that visitors cannot choose their ID.
 * - **A failure is an exception, never an empty session.** PHP answers an empty session with a new ID, which logs the
 *   visitor out permanently. So a store must tell "there is no record" from "the read has failed".
 * - **A logout is final.** A record that was there when the request began and is deleted when the request writes is not
 *   written again and not copied to a new ID. Otherwise a slow page would log its visitor in again.
 * - **Requests of one session wait for each other if the settings say so.** Without a lock the last request to write
 *   wins. With a lock each request has the session to itself. A request that waits too long fails with
 *   SessionUnavailable. So does a request that took longer than its lease, when it writes: another request may have
 *   changed the session by then. If the session ended or got another ID during the wait, the request sees an empty
 *   session, and nothing that it writes is kept.
 *
 * Call session_write_close() before any output. An exception at the end of the request is too late for an error page,
 * and the browser should not get the ID of a session that is not stored yet.
 */
abstract class StoreHandler implements
    \SessionHandlerInterface,
    \SessionIdInterface,
    \SessionUpdateTimestampHandlerInterface
{
    /** IDs as PHP makes them: session.sid_length is 22 to 256. */
    protected const ID = '/^[A-Za-z0-9,-]{22,256}\z/';

    /** Milliseconds between two tries for a lock. It grows, so that a hundred requests do not flood the store. */
    private const FIRST_PAUSE = 2;
    private const LONGEST_PAUSE = 50;

    /** Seconds that a record lives after its last use, at least 1. Set by open(). */
    protected int $lifetime;

    /** The ID that PHP has made or checked, and may therefore read. */
    private ?string $checked = null;

    /** @var array{string, string|\Throwable}|null ID, and the result of validateId() for the read() that follows */
    private ?array $found = null;

    /** The ID whose record was there when this request read it. */
    private ?string $existing = null;

    /** Why the session no longer belongs to this request. */
    private ?SessionUnavailable $ended = null;

    /** The same, for the new ID that PHP has made to replace the session's ID. read() throws it. */
    private ?SessionUnavailable $refusal = null;

    /** @var array{string, string}|null ID and token of the lock that this request holds */
    private ?array $lock = null;

    public function __construct(private readonly HandlerSettings $settings = new HandlerSettings())
    {
    }

    /** @return string|null the record; null when there is none */
    abstract protected function load(string $id): ?string;

    /** Creates or overwrites the record and starts its lifetime. */
    abstract protected function store(string $id, string $record): void;

    /**
     * As store(), but only where there is a record. A deleted record is not written again: the session has ended.
     *
     * @param string|null $token of the lock, if there is one
     * @return bool false when there is no record any more
     * @throws SessionUnavailable lockLost(), and nothing is written, when that token no longer holds the lock
     */
    abstract protected function replace(string $id, string $record, ?string $token): bool;

    /** Starts the lifetime again. A deleted record stays deleted, and that is no error. */
    abstract protected function renew(string $id): void;

    /** Deletes the record. @return bool false when there was none */
    abstract protected function remove(string $id): bool;

    /**
     * Takes the lock of a record if it is free, without waiting.
     *
     * @param int $lease seconds after which the lock ends by itself
     * @return bool false when another request holds it; true also when the record has been deleted meanwhile
     */
    abstract protected function acquire(string $id, string $token, int $lease): bool;

    /** Whether that token still holds the lock. */
    abstract protected function holds(string $id, string $token): bool;

    /** Gives the lock back if that token still holds it. */
    abstract protected function release(string $id, string $token): void;

    /** Deletes expired records where the store does not do so by itself. @return int how many */
    protected function collect(): int
    {
        return 0;
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
        // ext-memcached takes 0 for "never expires", ext-memcache for "expires at once". So 0 is refused.
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
        // PHP checks an ID that it has just made only when that ID replaces another one.
        $this->refusal = $id === $this->checked ? $this->ended : null;
        $this->found = null;
        try {
            $found = preg_match(self::ID, $id) === 1 ? $this->loadLocked($id) : null;
        } catch (\Throwable $error) {
            // If this method threw, PHP would still make a new ID, whose cookie logs the visitor out. read() throws it.
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
                'PHP does not ask this handler whether it knows an ID: register the object, or all of its callbacks.',
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

    /** PHP calls this instead of write() when nothing has changed (session.lazy_write). */
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
                // The store may have newer data than this request, so the request must not copy its data to a new ID.
                $this->unlock();
                throw $this->load($id) === null ? self::sessionEnded() : self::lockLost();
            }
            // A logout always succeeds. But a new ID must not get data that may be old by now.
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
            // PHP chooses the page that collects garbage by chance. That page should not fail.
            return false;
        }
    }

    /**
     * Takes the lock of a record, and waits for it.
     *
     * @param int $lease seconds
     * @param int $wait seconds
     * @return bool false when other requests held it all the time
     */
    protected function acquireWithin(#[\SensitiveParameter] string $id, string $token, int $lease, int $wait): bool
    {
        $end = hrtime(true) + $wait * 1_000_000_000;
        $pause = self::FIRST_PAUSE;
        while (!$this->acquire($id, $token, $lease)) {
            if (hrtime(true) > $end) {
                return false;
            }
            // A random part, so that waiting requests do not all ask at the same moment.
            usleep(random_int($pause * 500, $pause * 1000));
            $pause = min(2 * $pause, self::LONGEST_PAUSE);
        }
        return true;
    }

    final protected static function lockLost(): SessionUnavailable
    {
        return new SessionUnavailable('The page took longer than its lock on the session lasts: nothing is written.');
    }

    final protected static function lockedFor(int $seconds): SessionUnavailable
    {
        return new SessionUnavailable("Other requests of this session have kept it locked for $seconds s.");
    }

    private static function sessionEnded(): SessionUnavailable
    {
        return new SessionUnavailable(
            'The session has ended or got another ID since this page began: this page gives it no new ID.',
        );
    }

    /**
     * Loads the record, under the lock if the settings say so. IDs that are not in the store are not locked, since any
     * visitor can invent them.
     *
     * @return string|null null when there is no record; '' when it was deleted while this request waited for the lock
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
        // If the record was deleted meanwhile, the session ended or got another ID. With null PHP would make a new ID,
        // and its cookie could replace the cookie of the page that this request waited for.
        return $record ?? '';
    }

    /** The token of the lock on that record, if this request has taken it. */
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
            // The data is stored already, and the lock ends with its lease.
        }
    }

    /** PHP calls destroy() for session_destroy() and for session_regenerate_id(true), and does not say for which. */
    private static function isRegenerating(): bool
    {
        $functions = array_column(debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS), 'function');
        return in_array('session_regenerate_id', $functions, true);
    }

    /** PHP does not close the handler after an exception; without this a lock would stay. */
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
