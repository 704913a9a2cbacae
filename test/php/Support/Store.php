<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * A session store, read and changed by its administrator without the handlers. It connects for each call, and can be
 * serialized for the pages of Site, which get it as `$store`.
 */
abstract class Store
{
    /** @var array<string, self> */
    private static array $known = [];

    /** Shared by all tests. The first use starts its server. */
    public static function named(string $name): self
    {
        return self::$known[$name] ??= match ($name) {
            'memcached' => new MemcachedStore(MemcachedProcess::shared()->port),
            'redis' => new RedisStore(RedisProcess::shared()->port),
            'mariadb' => TableStore::mariadb(MariadbProcess::shared()),
            'postgres' => TableStore::postgres(PostgresProcess::shared()),
            'sqlite' => TableStore::sqlite(Folder::temporary() . '/sessions.db'),
            'session-server' => new SessionServerStore('60s'),
            // Short, so that endLock(), put() and remove() need not wait long for a page's lock.
            'session-server with short locks' => new SessionServerStore('300ms'),
            'files' => new FolderStore(Folder::temporary()),
        };
    }

    /** The store URL with a timeout for a busy machine. Options can be appended after `&`. */
    abstract public function url(): string;

    /** The URL of a store of this kind that is down. */
    abstract public function deadUrl(): string;

    /** The record of a session, expired or not. */
    abstract public function get(string $id): ?string;

    /** Overwrites the record and keeps its expiry. */
    abstract public function put(string $id, string $record): void;

    /** Seconds until the session expires. */
    abstract public function remaining(string $id): int;

    /** @param int $seconds expired if 0 or less */
    abstract public function setRemaining(string $id, int $seconds): void;

    abstract public function remove(string $id): void;

    /** Seconds until the lock expires, or null without a lock. */
    abstract public function lockRemaining(string $id): ?int;

    /** Ends the lock as if the lease expired. */
    abstract public function endLock(string $id): void;
}
