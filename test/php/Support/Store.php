<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * A store of sessions, read and changed by its administrator, without the handlers. It connects for each call. It can be
 * serialized, so that the pages that a test sends to Site have it as `$store`.
 */
abstract class Store
{
    /** @var array<string, self> */
    private static array $known = [];

    /** Shared by all tests. Its server is started at the first use. */
    public static function named(string $name): self
    {
        return self::$known[$name] ??= match ($name) {
            'memcached' => new MemcachedStore(MemcachedProcess::shared()->port),
            'redis' => new RedisStore(RedisProcess::shared()->port),
            'mariadb' => TableStore::mariadb(MariadbProcess::shared()),
            'postgres' => TableStore::postgres(PostgresProcess::shared()),
            'sqlite' => TableStore::sqlite(Folder::temporary() . '/sessions.db'),
            'session-server' => new SessionServerStore('60s'),
            // So that endLock(), put() and remove() need not wait long for the lock that a page holds.
            'session-server with short locks' => new SessionServerStore('300ms'),
            'files' => new FolderStore(Folder::temporary()),
        };
    }

    /** Its URL, to which options can be added with an `&`. Its timeout is long enough for a busy machine. */
    abstract public function url(): string;

    /** The URL of such a store that does not answer. */
    abstract public function deadUrl(): string;

    /** The record of that session, expired or not. */
    abstract public function get(string $id): ?string;

    /** Overwrites the record, and leaves its expiry as it is. */
    abstract public function put(string $id, string $record): void;

    /** Seconds until it expires. */
    abstract public function remaining(string $id): int;

    /** @param int $seconds 0 or less: it has expired */
    abstract public function setRemaining(string $id, int $seconds): void;

    abstract public function remove(string $id): void;

    /** Seconds until its lock ends by itself; null when it is not locked. */
    abstract public function lockRemaining(string $id): ?int;

    /** Ends its lock, as if the lease were over. */
    abstract public function endLock(string $id): void;
}
