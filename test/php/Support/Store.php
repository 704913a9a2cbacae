<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * A store of sessions as its administrator sees it, past the handlers. It connects for each question, and can be
 * serialized: a page that a test sends to a Site has it as `$store`.
 */
abstract class Store
{
    /** @var array<string, self> */
    private static array $known = [];

    /** One that all tests share, on a server that is started for the first. */
    public static function named(string $name): self
    {
        return self::$known[$name] ??= match ($name) {
            'memcached' => new MemcachedStore((int) getenv('MEMCACHED_PORT')),
            'redis' => new RedisStore(RedisProcess::shared()->port),
            'mariadb' => TableStore::mariadb(MariadbProcess::shared()),
            'postgres' => TableStore::postgres(PostgresProcess::shared()),
            'sqlite' => TableStore::sqlite(Folder::temporary() . '/sessions.db'),
            'session-server' => new SessionServerStore('60s'),
            // Whose locks a test can end.
            'session-server with short locks' => new SessionServerStore('500ms'),
            'files' => new FolderStore(Folder::temporary()),
        };
    }

    /** A store URL, to which options can be added with an `&`. */
    abstract public function url(): string;

    /** The URL of such a store that does not answer. */
    abstract public function deadUrl(): string;

    /** What lies under that session ID, over or not. */
    abstract public function get(string $id): ?string;

    /** Overwrites what lies there, and nothing else of it. */
    abstract public function put(string $id, string $record): void;

    /** Seconds that it has to live. */
    abstract public function remaining(string $id): int;

    /** @param int $seconds 0 and less: it is over */
    abstract public function setRemaining(string $id, int $seconds): void;

    abstract public function remove(string $id): void;

    /** Seconds that its lock has to live; null when nobody has locked it. */
    abstract public function lockRemaining(string $id): ?int;

    /** Lets the lease of its lock end. */
    abstract public function endLock(string $id): void;
}
