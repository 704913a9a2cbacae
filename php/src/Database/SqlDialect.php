<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Database;

use PhpSessionChat\Session\InvalidSettings;

/** The differences between the SQL of the databases. */
enum SqlDialect: string
{
    case MySql = 'mysql';
    case PostgreSql = 'pgsql';
    case Sqlite = 'sqlite';

    /** A table or column, or `schema.table`. */
    public const NAME = '[\w$#]+(\.[\w$#]+)?';

    /** @throws InvalidSettings */
    public static function of(\PDO $pdo): self
    {
        $driver = $pdo->getAttribute(\PDO::ATTR_DRIVER_NAME);
        return self::tryFrom($driver) ?? throw new InvalidSettings(
            "sessions in tables need MySQL, MariaDB, PostgreSQL or SQLite, not PDO's driver $driver",
        );
    }

    /** @throws InvalidSettings if the name does not match NAME */
    public static function checkName(string $name): void
    {
        if (preg_match('~^' . self::NAME . '\z~', $name) !== 1) {
            throw new InvalidSettings('names of tables and columns may contain only letters, digits, _, $ and #');
        }
    }

    /** @throws InvalidSettings as checkName() */
    public function quoted(string $name): string
    {
        self::checkName($name);
        $mark = $this === self::MySql ? '`' : '"';
        return $mark . str_replace('.', "$mark.$mark", $name) . $mark;
    }

    /** Returns SQL for the database's Unix time in seconds, because the clocks of web servers may differ. */
    public function now(): string
    {
        return match ($this) {
            self::MySql => 'UNIX_TIMESTAMP()',
            self::PostgreSql => 'floor(extract(epoch FROM clock_timestamp()))::bigint',
            self::Sqlite => "CAST(strftime('%s', 'now') AS INTEGER)",
        };
    }

    /**
     * Returns the end of an INSERT that overwrites an existing row with the same key.
     *
     * @param string $key quoted
     * @param string ...$columns to overwrite, quoted
     */
    public function orUpdate(string $key, string ...$columns): string
    {
        [$head, $new] = $this === self::MySql
            ? ['ON DUPLICATE KEY UPDATE', 'VALUES(%s)']
            : ["ON CONFLICT ($key) DO UPDATE SET", 'excluded.%s'];
        $assign = static fn (string $column): string => "$column = " . sprintf($new, $column);
        return "$head " . implode(', ', array_map($assign, $columns));
    }

    /**
     * Returns the statements that create the table of PdoHandler. Only locks use `lock_token` and `lock_until`.
     *
     * @return list<string>
     * @throws InvalidSettings
     */
    public function createTable(string $table = 'sessions'): array
    {
        $name = $this->quoted($table);
        $index = $this->quoted(strtr($table, '.', '_') . '_expires');
        $columns = match ($this) {
            // ascii_bin compares bytes; in most collations `A` equals `a`. 456 is a prefix of 200 plus an ID of 256.
            self::MySql => 'id VARCHAR(456) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, data MEDIUMBLOB',
            self::PostgreSql => 'id VARCHAR(456) PRIMARY KEY, data BYTEA',
            self::Sqlite => 'id TEXT NOT NULL PRIMARY KEY, data BLOB',
        };
        return [
            "CREATE TABLE $name ($columns NOT NULL, expires BIGINT NOT NULL, lock_token CHAR(32), lock_until BIGINT)",
            "CREATE INDEX $index ON $name (expires)",
        ];
    }
}
