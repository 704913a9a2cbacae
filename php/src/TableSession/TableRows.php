<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\TableSession;

use PhpSessionChat\Session\Database\DatabaseFailure;
use PhpSessionChat\Session\Database\SqlDialect;
use PhpSessionChat\Session\DatabaseUrl;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Session\StoreUrl;

/**
 * The table of TableSession: one row for each session, with its values as one JSON object.
 *
 * The database's clock sets and compares the expiry, because the clocks of several web servers may differ.
 */
final class TableRows
{
    /**
     * PostgreSQL rejects NUL in JSON, and would not return keys as ASCII. HIDDEN doubles the backslash of each `\u`, so
     * that it is plain text, and SHOWN converts the result back. TableJson writes no other backslash before a `u`.
     */
    private const HIDDEN = "replace(%s, E'\\\\u', E'\\\\\\\\u')";
    private const SHOWN = "replace(%s, E'\\\\\\\\u', E'\\\\u')";

    private ?\PDO $pdo = null;
    private SqlDialect $dialect;

    /** @var array<string, string> the SQL for the placeholders of the statements below */
    private array $sql;

    private function __construct(
        private readonly \PDO|DatabaseUrl $database,
        string $table,
        string $id = 'id',
        string $data = 'data',
        string $expires = 'expires',
    ) {
        $index = strtr($table, '.', '_') . '_expires';
        $this->sql = [
            '{table}' => $table, '{id}' => $id, '{data}' => $data, '{expires}' => $expires, '{index}' => $index,
        ];
    }

    /**
     * Connects at the first use.
     *
     * @param string $table may be `schema.table`; a table in the URL takes precedence
     * @throws InvalidSettings
     */
    public static function in(#[\SensitiveParameter] \PDO|DatabaseUrl|string $database, string $table): self
    {
        SqlDialect::checkName($table);
        if (!is_string($database)) {
            return new self($database, $table);
        }
        $parts = StoreUrl::parse($database);
        $parts->take('format', 'json', 'json, the format of TableSession');
        $parts->take('expires_unit', 'unix', 'unix, because TableSession writes Unix seconds');
        $name = static fn (string $option): ?string => $parts->take($option, SqlDialect::NAME, 'a name');
        $rows = new self(
            DatabaseUrl::fromParts($parts),
            $name('table') ?? $table,
            $name('id') ?? 'id',
            $name('data') ?? 'data',
            $name('expires') ?? 'expires',
        );
        $parts->finish();
        return $rows;
    }

    /** Creates the table if it does not exist. */
    public function create(): void
    {
        $this->pdo();
        $statements = match ($this->dialect) {
            SqlDialect::MySql => [
                'CREATE TABLE IF NOT EXISTS {table} ({id} CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, '
                    . '{data} JSON NOT NULL, {expires} BIGINT NOT NULL, INDEX ({expires}))',
            ],
            SqlDialect::PostgreSql, SqlDialect::Sqlite => [
                'CREATE TABLE IF NOT EXISTS {table} ({id} VARCHAR(32) PRIMARY KEY, {data} TEXT NOT NULL, '
                    . '{expires} BIGINT NOT NULL)',
                'CREATE INDEX IF NOT EXISTS {index} ON {table} ({expires})',
            ],
        };
        foreach ($statements as $statement) {
            $this->run($statement);
        }
    }

    /** @return array{string, int}|null the JSON, and the time until it expires in seconds */
    public function find(#[\SensitiveParameter] string $id): ?array
    {
        $row = $this->run(
            'SELECT {data}, {expires} - {now} FROM {table} WHERE {id} = ? AND {expires} > {now}',
            [$id],
        )->fetch(\PDO::FETCH_NUM);
        return $row === false ? null : [(string) $row[0], (int) $row[1]];
    }

    public function insert(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $json, int $lifetime): void
    {
        $this->run("INSERT INTO {table} ({id}, {data}, {expires}) VALUES (?, ?, {now} + $lifetime)", [$id, $json]);
    }

    /**
     * Restarts a session's lifetime, changes some of its values, and moves it to another ID. Other values keep their
     * current state in the row, even if another request has just written them. A deleted row stays deleted.
     *
     * @param string $to the same ID or a new ID
     * @param array<string, string|null> $changes the JSON of each key's value; null removes the key
     * @return bool false if the session no longer exists
     */
    public function change(
        #[\SensitiveParameter] string $id,
        #[\SensitiveParameter] string $to,
        #[\SensitiveParameter] array $changes,
        int $lifetime,
    ): bool {
        $assign = ["{expires} = {now} + $lifetime"];
        $values = [];
        if ($changes !== []) {
            $pdo = $this->pdo();
            [$merged, $values] = match ($this->dialect) {
                SqlDialect::MySql => self::mergedByPath($changes),
                SqlDialect::PostgreSql => self::mergedByKey($changes),
                SqlDialect::Sqlite => self::mergedByPhp($pdo, $changes),
            };
            $assign[] = "{data} = $merged";
        }
        if ($to !== $id) {
            $assign[] = '{id} = ?';
            $values[] = $to;
        }
        $set = implode(', ', $assign);
        $changed = $this->run("UPDATE {table} SET $set WHERE {id} = ? AND {expires} > {now}", [...$values, $id]);
        // MySQL does not count an unchanged row, for example if another request has just made the same change.
        return $changed->rowCount() > 0 || ($this->dialect === SqlDialect::MySql && $this->find($to) !== null);
    }

    /** @return bool false if the row did not exist */
    public function delete(#[\SensitiveParameter] string $id): bool
    {
        return $this->run('DELETE FROM {table} WHERE {id} = ?', [$id])->rowCount() > 0;
    }

    /** Deletes the expired sessions. @return int the number of deleted sessions */
    public function collect(): int
    {
        return $this->run('DELETE FROM {table} WHERE {expires} <= {now}')->rowCount();
    }

    /** Calls collect(), and ignores failures. It runs in a random request, which must not fail. */
    public function tryToCollect(): void
    {
        try {
            $this->collect();
        } catch (SessionUnavailable) {
            // A later request tries again.
        }
    }

    /*
     * The three methods below return an SQL expression for `{data}` with some keys changed, and the values for its
     * question marks. They keep the rest of the JSON text: floats stay floats, keys keep their order, and null is a
     * value. A JSON merge patch (RFC 7396) removes null and merges objects, and PostgreSQL's jsonb changes numbers and
     * the order of keys, so neither can be used.
     */

    /**
     * @param array<string, string|null> $changes as in change()
     * @return array{string, list<string>}
     */
    private static function mergedByPath(#[\SensitiveParameter] array $changes): array
    {
        $removed = $set = [];
        foreach ($changes as $key => $json) {
            // MariaDB finds a key that starts with a minus only if the minus is escaped.
            $path = '$.' . strtr(TableJson::ofKey((string) $key), ['-' => '\u002d']);
            if ($json === null) {
                $removed[] = $path;
            } else {
                array_push($set, $path, $json);
            }
        }
        $sql = '{data}';
        if ($removed !== []) {
            $sql = "JSON_REMOVE($sql" . str_repeat(', ?', count($removed)) . ')';
        }
        if ($set !== []) {
            $sql = "JSON_SET($sql" . str_repeat(", ?, JSON_EXTRACT(?, '$')", intdiv(count($set), 2)) . ')';
        }
        return [$sql, [...$removed, ...$set]];
    }

    /**
     * @param array<string, string|null> $changes as in change()
     * @return array{string, list<string>}
     */
    private static function mergedByKey(#[\SensitiveParameter] array $changes): array
    {
        $json = static fn (string $text): string => sprintf(self::HIDDEN, $text) . '::json';
        $members = sprintf(self::SHOWN, "string_agg(to_json(key)::text || ':' || value::text, ',')");
        $sql = "(SELECT coalesce('{' || $members || '}', '{}') FROM ("
            . "SELECT key, value FROM json_each({$json('{data}')})"
            . " WHERE key NOT IN (SELECT json_array_elements_text({$json('?')}))"
            . " UNION ALL SELECT key, value FROM json_each({$json('?')})) AS merged)";
        $keys = array_map(TableJson::ofKey(...), array_map(strval(...), array_keys($changes)));
        $set = array_filter($changes, is_string(...));
        return [$sql, ['[' . implode(',', $keys) . ']', TableJson::object($set)]];
    }

    /**
     * Uses a PHP function, because the paths of SQLite's functions do not support every key. SQLite calls the function
     * within the UPDATE, when the file is already locked.
     *
     * @param array<string, string|null> $changes as in change()
     * @return array{string, list<string>}
     */
    private static function mergedByPhp(\PDO $pdo, #[\SensitiveParameter] array $changes): array
    {
        $merge = static function (#[\SensitiveParameter] string $json) use ($changes): string {
            $kept = array_diff_key(TableJson::decode($json), $changes);
            foreach ($kept as $key => $value) {
                $kept[$key] = TableJson::ofValue((string) $key, $value);
            }
            return TableJson::object($kept + array_filter($changes, is_string(...)));
        };
        if ($pdo instanceof \Pdo\Sqlite) {
            $pdo->createFunction('chat_session_merge', $merge, 1);
        } else {
            // PHP 8.5 deprecates this method, but a connection from `new PDO` has no other.
            @$pdo->sqliteCreateFunction('chat_session_merge', $merge, 1);
        }
        return ['chat_session_merge({data})', []];
    }

    /**
     * @param list<string> $values
     * @throws SessionDataError
     * @throws SessionUnavailable
     */
    private function run(string $sql, #[\SensitiveParameter] array $values = []): \PDOStatement
    {
        $pdo = $this->pdo();
        try {
            $statement = $pdo->prepare(strtr($sql, $this->sql));
            $statement->execute($values);
            return $statement;
        } catch (SessionDataError $error) {
            // Thrown by mergedByPhp(). Creates a new exception, because the stack trace contains the values.
            throw new SessionDataError($error->getMessage());
        } catch (\PDOException $error) {
            // Discards the exception, because its stack trace contains the values.
            if (DatabaseFailure::isTooLong($error)) {
                throw new SessionDataError('The session is too long for its column or for the database.');
            }
            $meaning = DatabaseFailure::meaning($this->dialect, $error);
            throw new SessionUnavailable("the session table: $meaning");
        }
    }

    private function pdo(): \PDO
    {
        if ($this->pdo === null) {
            $pdo = $this->database instanceof \PDO ? $this->database : $this->database->connect();
            if ($pdo->getAttribute(\PDO::ATTR_ERRMODE) !== \PDO::ERRMODE_EXCEPTION) {
                throw new InvalidSettings('a connection for sessions must have PDO::ERRMODE_EXCEPTION');
            }
            $this->dialect = SqlDialect::of($pdo);
            $this->sql = array_map($this->dialect->quoted(...), $this->sql) + ['{now}' => $this->dialect->now()];
            $this->pdo = $pdo;
        }
        return $this->pdo;
    }
}
