<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\TableSession;

use PhpSessionChat\Session\DatabaseUrl;
use PhpSessionChat\Session\Database\DatabaseFailure;
use PhpSessionChat\Session\Database\SqlDialect;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Session\UrlParts;

/**
 * The table of TableSession: a row for each session, with its values as one JSON object.
 *
 * The end of a session is told and compared by the database's clock: those of several web servers differ.
 */
final class TableRows
{
    private const NAME = '[\w$#]+(\.[\w$#]+)?';

    /** By SQLSTATE, or by MySQL's own number: the value is too long. */
    private const TOO_LONG = ['22001', 1153, 1406];

    private ?\PDO $pdo = null;
    private SqlDialect $dialect;

    /** @var array<string, string> what stands in braces in the statements below */
    private array $words;

    /** Connects at the first use, if it has to. */
    private function __construct(
        private readonly \PDO|DatabaseUrl $database,
        string $table,
        string $id = 'id',
        string $data = 'data',
        string $expires = 'expires',
    ) {
        $index = strtr($table, '.', '_') . '_expires';
        $this->words = ['{table}' => $table, '{id}' => $id, '{data}' => $data, '{expires}' => $expires, '{index}' => $index];
    }

    /**
     * @param string $table may be `schema.table`
     * @throws InvalidSettings
     */
    public static function in(#[\SensitiveParameter] \PDO|DatabaseUrl|string $database, string $table): self
    {
        if (preg_match('~^' . self::NAME . '\z~', $table) !== 1) {
            throw new InvalidSettings('a table has a name of letters, digits, _, $ and #');
        }
        if (!is_string($database)) {
            return new self($database, $table);
        }
        $parts = UrlParts::parse($database);
        $parts->take('format', 'json', 'json, as TableSession writes');
        $parts->take('expires_unit', 'unix', 'unix, as TableSession writes');
        $name = static fn (string $option): ?string => $parts->take($option, self::NAME, 'a name');
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

    /** Makes the table, unless it is there. */
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

    /** @return array{string, int}|null the JSON, and the seconds that the session has to live */
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
     * Renews the life of a session, with changes to its values, and moves it to another ID. Other values stay as they
     * are in the row, whoever has written them. A row that is gone stays gone.
     *
     * @param string $to the same ID, or a new one
     * @param array<string, string|null> $changes the JSON of each key's value; null removes it
     * @return bool false when there is no such session any more
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
            [$merged, $values] = TableMerge::sql($pdo, $this->dialect, '{data}', $changes);
            $assign[] = "{data} = $merged";
        }
        if ($to !== $id) {
            $assign[] = '{id} = ?';
            $values[] = $to;
        }
        $set = implode(', ', $assign);
        $changed = $this->run("UPDATE {table} SET $set WHERE {id} = ? AND {expires} > {now}", [...$values, $id]);
        // MySQL does not count a row that is as it was, such as one that another request has changed likewise just now.
        return $changed->rowCount() > 0 || ($this->dialect === SqlDialect::MySql && $this->find($to) !== null);
    }

    /** @return bool false when it was gone */
    public function delete(#[\SensitiveParameter] string $id): bool
    {
        return $this->run('DELETE FROM {table} WHERE {id} = ?', [$id])->rowCount() > 0;
    }

    /** Removes the sessions that are over. @return int how many */
    public function collect(): int
    {
        return $this->run('DELETE FROM {table} WHERE {expires} <= {now}')->rowCount();
    }

    /** For a page that happens to be chosen for it: it is not the one to fail. */
    public function tryToCollect(): void
    {
        try {
            $this->collect();
        } catch (SessionUnavailable) {
            // The next one tries again.
        }
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
            $statement = $pdo->prepare(strtr($sql, $this->words));
            $statement->execute($values);
            return $statement;
        } catch (SessionDataError $error) {
            // Of TableMerge, through PDO: not itself, since its trace has the values.
            throw new SessionDataError($error->getMessage());
        } catch (\PDOException $error) {
            // Not the exception itself: its trace has the values.
            if (array_intersect($error->errorInfo ?? [], self::TOO_LONG) !== []) {
                throw new SessionDataError('The session is too long for its column, or for the database.');
            }
            throw new SessionUnavailable('the table of the sessions: ' . DatabaseFailure::meaning($this->dialect, $error));
        }
    }

    private function pdo(): \PDO
    {
        if ($this->pdo === null) {
            $pdo = $this->database instanceof \PDO ? $this->database : $this->database->connect();
            if ($pdo->getAttribute(\PDO::ATTR_ERRMODE) !== \PDO::ERRMODE_EXCEPTION) {
                throw new InvalidSettings('a connection for sessions has PDO::ERRMODE_EXCEPTION');
            }
            $this->dialect = SqlDialect::of($pdo);
            $this->words = array_map($this->dialect->quoted(...), $this->words) + ['{now}' => $this->dialect->now()];
            $this->pdo = $pdo;
        }
        return $this->pdo;
    }
}
