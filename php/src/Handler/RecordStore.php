<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\SessionUnavailable;

/** What a store does for StrictIdHandler: short methods for its records, and for a lock on each of them. */
abstract class RecordStore
{
    /** Milliseconds between two tries for a lock: soon at first, then rarely enough for a hundred to wait. */
    private const FIRST_PAUSE = 2;
    private const LONGEST_PAUSE = 50;

    /** @var array{string, string}|null ID and token of the lock that this request holds */
    private ?array $lock = null;

    /** Seconds that a record lives on, at least 1. Known once PHP has opened the handler. */
    protected int $lifetime;

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

    /** Whether the lock is still held by that token. */
    abstract protected function holds(string $id, string $token): bool;

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

    /**
     * The record, under the lock; empty when it was there before the wait for that, and is gone. IDs that nobody knows
     * take none, since anybody can invent them.
     *
     * @param int|null $wait seconds; null: without a lock
     * @param int $lease seconds
     */
    final protected function loadLocked(#[\SensitiveParameter] string $id, ?int $wait, int $lease): ?string
    {
        $record = $this->load($id);
        if ($record === null || $wait === null || $this->token($id) !== null) {
            return $record;
        }
        $this->lock($id, $wait, $lease);
        try {
            $record = $this->load($id);
        } finally {
            isset($record) || $this->unlock();
        }
        // It has ended or got another ID meanwhile, and this request has an empty one that is not stored: of "not there"
        // PHP would make a new ID, whose cookie might replace that of the page that was waited for.
        return $record ?? '';
    }

    /** Of the lock on that record, if this request has taken it. */
    final protected function token(#[\SensitiveParameter] string $id): ?string
    {
        return $id === ($this->lock[0] ?? null) ? $this->lock[1] : null;
    }

    final protected function unlock(): void
    {
        if ($this->lock === null) {
            return;
        }
        [[$id, $token], $this->lock] = [$this->lock, null];
        try {
            $this->release($id, $token);
        } catch (SessionUnavailable) {
            // What this request had to store is stored, and the lock ends by itself.
        }
    }

    /**
     * Takes the lock of a record, and waits for it.
     *
     * @param int $lease seconds
     * @param int $wait seconds
     * @return bool false when somebody else has had it all the time
     */
    protected function acquireWithin(#[\SensitiveParameter] string $id, string $token, int $lease, int $wait): bool
    {
        $end = hrtime(true) + $wait * 1_000_000_000;
        $pause = self::FIRST_PAUSE;
        while (!$this->acquire($id, $token, $lease)) {
            if (hrtime(true) > $end) {
                return false;
            }
            // By chance, so that those who wait do not all ask at once.
            usleep(random_int($pause * 500, $pause * 1000));
            $pause = min(2 * $pause, self::LONGEST_PAUSE);
        }
        return true;
    }

    final protected static function lockedFor(int $seconds): SessionUnavailable
    {
        return new SessionUnavailable("Other requests of this session have kept it locked for $seconds s.");
    }

    private function lock(#[\SensitiveParameter] string $id, int $wait, int $lease): void
    {
        $token = bin2hex(random_bytes(16));
        $this->acquireWithin($id, $token, $lease, $wait) || throw self::lockedFor($wait);
        $this->lock = [$id, $token];
    }
}
