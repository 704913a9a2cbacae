<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\ConfigurationError;

/**
 * What every session handler of this project has in common: only IDs that the store knows are accepted,
 * the data are JSON, and a failure is an exception, never an empty session.
 *
 * A store adds four short methods. "Not there" and "failed" must be different answers in each: taking a
 * failed read for an empty session would make PHP hand out a new ID and log the user out for good.
 *
 * The handler takes no lock. Two requests of one session at the same time do not wait for each other, and
 * whichever writes last wins. Only a logout is final: a record that was there when a request began and is
 * gone when it ends is not written again, or the slower page would log its visitor in once more.
 *
 * Call session_write_close() before sending output: an exception at the end of the request comes too late
 * for an error page.
 */
abstract class StrictIdHandler implements
    \SessionHandlerInterface,
    \SessionIdInterface,
    \SessionUpdateTimestampHandlerInterface
{
    /** What PHP itself makes: session.sid_length is 22 to 256. Anything else never came from PHP. */
    private const ID = '/^[A-Za-z0-9,-]{22,256}\z/';

    /** @var array{string, string}|null ID and record found by validateId(), for the read() that follows */
    private ?array $found = null;

    /** The ID whose record was there when this request read it. */
    private ?string $existing = null;

    private int $lifetime;

    /** @return string|null the record, or null when there is none */
    abstract protected function load(string $id): ?string;

    /** @param int $lifetime seconds, at least 1 */
    abstract protected function store(string $id, string $record, int $lifetime): void;

    /** As store(), for a record that was there. One that is gone stays gone, without an error: the session has ended. */
    abstract protected function replace(string $id, string $record, int $lifetime): void;

    /** Renews the lifetime. A record that is gone stays gone, without an error: the session has ended. */
    abstract protected function renew(string $id, int $lifetime): void;

    /** Removes the record; one that is gone already is no error. */
    abstract protected function remove(string $id): void;

    final public function open(string $path, string $name): bool
    {
        if (ini_get('session.serialize_handler') !== 'php_serialize') {
            throw new ConfigurationError('session.serialize_handler must be php_serialize for this handler.');
        }
        if (!filter_var(ini_get('session.use_strict_mode'), FILTER_VALIDATE_BOOL)) {
            throw new ConfigurationError('session.use_strict_mode must be on, or visitors could choose their ID.');
        }
        // 0 means "for ever" to ext-memcached and "over at once" to ext-memcache: neither is worth a guess.
        $this->lifetime = (int) ini_get('session.gc_maxlifetime');
        if ($this->lifetime < 1) {
            throw new ConfigurationError('session.gc_maxlifetime must be at least 1 second.');
        }
        return true;
    }

    final public function close(): bool
    {
        $this->found = null;
        $this->existing = null;
        return true;
    }

    final public function create_sid(): string
    {
        return session_create_id();
    }

    final public function validateId(string $id): bool
    {
        $this->found = null;
        if (preg_match(self::ID, $id) !== 1) {
            return false;
        }
        $record = $this->load($id);
        if ($record === null) {
            return false;
        }
        $this->found = [$id, $record];
        return true;
    }

    final public function read(string $id): string
    {
        [$known, $record] = $this->found ?? [null, null];
        $this->found = null;
        if ($known !== $id) {
            $record = $this->load($id);
        }
        $this->existing = $record === null ? null : $id;
        return $record === null || $record === '' ? '' : JsonFormat::toPhp($record);
    }

    final public function write(string $id, string $data): bool
    {
        $record = JsonFormat::fromPhp($data);
        if ($this->existing === $id) {
            $this->replace($id, $record, $this->lifetime);
        } else {
            $this->store($id, $record, $this->lifetime);
        }
        return true;
    }

    /** PHP calls this instead of write() when nothing has changed (session.lazy_write). */
    final public function updateTimestamp(string $id, string $data): bool
    {
        $this->renew($id, $this->lifetime);
        return true;
    }

    final public function destroy(string $id): bool
    {
        $this->remove($id);
        return true;
    }

    /** The stores forget expired records by themselves. */
    final public function gc(int $max_lifetime): int
    {
        return 0;
    }
}
