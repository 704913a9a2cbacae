<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Database;

use PhpSessionChat\Session\InvalidSettings;

/** What the databases say differently. */
enum SqlDialect: string
{
    case MySql = 'mysql';
    case PostgreSql = 'pgsql';
    case Sqlite = 'sqlite';

    /** @throws InvalidSettings */
    public static function of(\PDO $pdo): self
    {
        $driver = $pdo->getAttribute(\PDO::ATTR_DRIVER_NAME);
        return self::tryFrom($driver) ?? throw new InvalidSettings(
            "sessions in tables are for MySQL, MariaDB, PostgreSQL and SQLite, not for PDO's $driver",
        );
    }

    /**
     * @param string $name of a table or a column; `schema.table` too
     * @throws InvalidSettings for what would not be one name any more in SQL
     */
    public static function checkName(string $name): void
    {
        if (preg_match('/^[\w$#]+(\.[\w$#]+)?\z/', $name) !== 1) {
            throw new InvalidSettings('tables and columns have names of letters, digits, _, $ and #');
        }
    }

    /**
     * A table or a column; `schema.table` too.
     *
     * @throws InvalidSettings
     */
    public function quoted(string $name): string
    {
        self::checkName($name);
        $mark = $this === self::MySql ? '`' : '"';
        return $mark . str_replace('.', "$mark.$mark", $name) . $mark;
    }

    /** The time now in Unix seconds, by the database's clock: those of several web servers differ. */
    public function now(): string
    {
        return match ($this) {
            self::MySql => 'UNIX_TIMESTAMP()',
            self::PostgreSql => 'floor(extract(epoch FROM clock_timestamp()))::bigint',
            self::Sqlite => "CAST(strftime('%s', 'now') AS INTEGER)",
        };
    }

    /**
     * What makes an INSERT overwrite the row with that key.
     *
     * @param string $key quoted, as the others
     * @param string ...$columns to take over
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
     * The statements that make the table of PdoHandler. Without locking it does without `lock_token` and `lock_until`.
     *
     * @return list<string>
     * @throws InvalidSettings
     */
    public function createTable(string $table = 'sessions'): array
    {
        $name = $this->quoted($table);
        $index = $this->quoted(strtr($table, '.', '_') . '_expires');
        $columns = match ($this) {
            // Compared byte by byte: to other collations `A` and `a` are the same. A prefix, and PHP's longest ID.
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
