<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\TableSession;

use PhpSessionChat\Session\Database\SqlDialect;

/**
 * SQL that changes some keys of the JSON object in a column. All other text of it stays as it is: no float turns into
 * an integer, no key changes its place, and null is a value like any other. That is why it is neither a JSON merge
 * patch (RFC 7396: null removes, and objects are merged) nor PostgreSQL's jsonb.
 */
final class TableMerge
{
    /**
     * PostgreSQL takes no NUL in JSON, and would leave no key as ASCII: it is shown each `\u` as if it were text. There is
     * no other backslash before a `u`, since TableJson writes it as `\u005c`.
     */
    private const HIDDEN = "replace(%s, E'\\\\u', E'\\\\\\\\u')";
    private const SHOWN = "replace(%s, E'\\\\\\\\u', E'\\\\u')";

    /**
     * @param array<string, string|null> $changes the JSON of each key's value; null removes it
     * @return array{string, list<string>} the expression, and the values for its placeholders
     */
    public static function sql(\PDO $pdo, SqlDialect $dialect, string $column, array $changes): array
    {
        return match ($dialect) {
            SqlDialect::MySql => self::byPath($column, $changes),
            SqlDialect::PostgreSql => self::byKey($column, $changes),
            SqlDialect::Sqlite => self::byPhp($pdo, $column, $changes),
        };
    }

    /**
     * @param array<string, string|null> $changes
     * @return array{string, list<string>}
     */
    private static function byPath(string $column, array $changes): array
    {
        $removed = $set = [];
        foreach ($changes as $key => $json) {
            // MariaDB finds no key that begins with a minus, unless it is written so.
            $path = '$.' . strtr(TableJson::ofKey((string) $key), ['-' => '\u002d']);
            if ($json === null) {
                $removed[] = $path;
            } else {
                array_push($set, $path, $json);
            }
        }
        $sql = $column;
        if ($removed !== []) {
            $sql = "JSON_REMOVE($sql" . str_repeat(', ?', count($removed)) . ')';
        }
        if ($set !== []) {
            $sql = "JSON_SET($sql" . str_repeat(", ?, JSON_EXTRACT(?, '$')", intdiv(count($set), 2)) . ')';
        }
        return [$sql, [...$removed, ...$set]];
    }

    /**
     * @param array<string, string|null> $changes
     * @return array{string, list<string>}
     */
    private static function byKey(string $column, array $changes): array
    {
        $json = static fn (string $text): string => sprintf(self::HIDDEN, $text) . '::json';
        $members = sprintf(self::SHOWN, "string_agg(to_json(key)::text || ':' || value::text, ',')");
        $sql = "(SELECT coalesce('{' || $members || '}', '{}') FROM ("
            . "SELECT key, value FROM json_each({$json($column)})"
            . " WHERE key NOT IN (SELECT json_array_elements_text({$json('?')}))"
            . " UNION ALL SELECT key, value FROM json_each({$json('?')})) AS merged)";
        $keys = array_map(TableJson::ofKey(...), array_map(strval(...), array_keys($changes)));
        $set = array_filter($changes, is_string(...));
        return [$sql, ['[' . implode(',', $keys) . ']', TableJson::object($set)]];
    }

    /**
     * The paths of SQLite's own functions cannot name every key. Its UPDATE has locked the file when it calls this.
     *
     * @param array<string, string|null> $changes
     * @return array{string, list<string>}
     */
    private static function byPhp(\PDO $pdo, string $column, array $changes): array
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
            $pdo->sqliteCreateFunction('chat_session_merge', $merge, 1);
        }
        return ["chat_session_merge($column)", []];
    }
}
