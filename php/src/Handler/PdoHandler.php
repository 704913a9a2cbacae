<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\Database\DatabaseFailure;
use PhpSessionChat\Session\Database\SqlDialect;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * PHP sessions in a table of MySQL, MariaDB, PostgreSQL or SQLite, as PHP writes them. For locking and errors see
 * StrictIdHandler.
 *
 *     $database = DatabaseUrl::parse('sqlite:/srv/site/sessions.db');
 *     session_set_save_handler(new PdoHandler($database->connect(...)), false);
 *     session_start(['use_strict_mode' => true, 'gc_probability' => 1]);
 *
 * DatabaseUrl makes a new SQLite file for its owner alone; by `new PDO` every user of the machine could read it.
 *
 * The table is not made by the handler: SqlDialect::createTable() has the statements. Give it a connection of its own,
 * since what it writes would otherwise be part of the site's transactions, and undone with them. In MySQL that has
 * autocommit and a strict sql_mode, as by default; the connections of DatabaseUrl have them in any case.
 *
 * What is over is not read any more, and is removed when PHP collects garbage: with `session.gc_probability`, or by
 * session_gc() in a cron job. In PostgreSQL the end of a session is told by a NOTIFY on the channel `chat_ended`, with
 * the first 32 hexadecimal digits of the ID's SHA-256.
 */
final class PdoHandler extends StrictIdHandler
{
    /** By SQLSTATE, or by MySQL's own number: the value is too long. */
    private const TOO_LONG = ['22001', 1153, 1406];

    private ?\PDO $pdo = null;
    private ?SqlDialect $dialect = null;

    /** @var array<string, string> of the table and its columns, as given */
    private readonly array $names;

    /** @var array<string, string> what stands in braces in the statements below */
    private array $words;

    /**
     * @param \PDO|\Closure(): \PDO $connection a function is called at the first use
     * @param string $table may be `schema.table`
     * @param string $id the primary key
     * @param string $data a column of bytes: BLOB, BYTEA
     * @param string $expires a column of integers, with the end in Unix seconds
     * @param string $prefix put before the session ID
     */
    public function __construct(
        #[\SensitiveParameter] private readonly \PDO|\Closure $connection,
        string $table = 'sessions',
        string $id = 'id',
        string $data = 'data',
        string $expires = 'expires',
        private readonly string $prefix = '',
        HandlerSettings $settings = new HandlerSettings(),
    ) {
        parent::__construct($settings);
        $this->names = ['{table}' => $table, '{id}' => $id, '{data}' => $data, '{expires}' => $expires];
        array_map(SqlDialect::checkName(...), $this->names);
    }

    /** What a dump of it shows. */
    public function __debugInfo(): array
    {
        return ['table' => $this->names['{table}'], 'prefix' => $this->prefix];
    }

    protected function load(#[\SensitiveParameter] string $id): ?string
    {
        $live = $this->run('SELECT {id}, {data} FROM {table} WHERE {id} = :id AND {expires} > {now}', [
            'id' => $this->prefix . $id,
        ]);
        foreach ($live->fetchAll(\PDO::FETCH_NUM) as [$key, $record]) {
            // Compared here once more: to many collations `A` and `a` are the same.
            if ($key === $this->prefix . $id) {
                return is_resource($record) ? stream_get_contents($record) : (string) $record;
            }
        }
        return null;
    }

    protected function store(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): void
    {
        $this->run(
            'INSERT INTO {table} ({id}, {data}, {expires}) VALUES (:id, :record, {now} + :lifetime) {or update}',
            ['id' => $this->prefix . $id, 'record' => $record, 'lifetime' => $this->lifetime],
        );
    }

    protected function replace(
        #[\SensitiveParameter] string $id,
        #[\SensitiveParameter] string $record,
        ?string $token,
    ): bool {
        $update = 'UPDATE {table} SET {data} = :record, {expires} = {now} + :lifetime'
            . ' WHERE {id} = :id AND {expires} > {now}';
        $values = ['id' => $this->prefix . $id, 'record' => $record, 'lifetime' => $this->lifetime];
        $written = $token === null
            ? $this->run($update, $values)
            : $this->run("$update AND lock_token = :token", $values + ['token' => $token]);
        if ($written->rowCount() > 0) {
            return true;
        }
        // Gone, or somebody else's; or as it was, which MySQL does not count.
        if ($token === null) {
            return $this->load($id) !== null;
        }
        $lock = $this->run('SELECT lock_token FROM {table} WHERE {id} = :id AND {expires} > {now}', [
            'id' => $this->prefix . $id,
        ])->fetchColumn();
        return in_array($lock, [false, $token], true) ? $lock === $token : throw self::lockLost();
    }

    protected function renew(#[\SensitiveParameter] string $id): void
    {
        $this->run('UPDATE {table} SET {expires} = {now} + :lifetime WHERE {id} = :id AND {expires} > {now}', [
            'id' => $this->prefix . $id,
            'lifetime' => $this->lifetime,
        ]);
    }

    protected function remove(#[\SensitiveParameter] string $id): bool
    {
        $existed = $this->run('DELETE FROM {table} WHERE {id} = :id', ['id' => $this->prefix . $id])->rowCount() > 0;
        if ($this->dialect === SqlDialect::PostgreSql) {
            $this->run('SELECT pg_notify(:channel, :mark)', [
                'channel' => 'chat_ended',
                'mark' => substr(hash('sha256', $id), 0, 32),
            ]);
        }
        return $existed;
    }

    protected function acquire(#[\SensitiveParameter] string $id, string $token, int $lease): bool
    {
        $free = '(lock_until IS NULL OR lock_until <= {now})';
        // First without writing, so that those who wait do not stand in each other's way.
        $state = $this->run("SELECT CASE WHEN $free THEN 'free' ELSE 'locked' END FROM {table} WHERE {id} = :id", [
            'id' => $this->prefix . $id,
        ])->fetchColumn();
        return $state === false || ($state === 'free' && $this->run(
            "UPDATE {table} SET lock_token = :token, lock_until = {now} + :lease WHERE {id} = :id AND $free",
            ['id' => $this->prefix . $id, 'token' => $token, 'lease' => $lease],
        )->rowCount() === 1);
    }

    protected function holds(#[\SensitiveParameter] string $id, string $token): bool
    {
        $lock = $this->run('SELECT lock_token FROM {table} WHERE {id} = :id', ['id' => $this->prefix . $id]);
        return $lock->fetchColumn() === $token;
    }

    protected function release(#[\SensitiveParameter] string $id, string $token): void
    {
        $this->run(
            'UPDATE {table} SET lock_token = NULL, lock_until = NULL WHERE {id} = :id AND lock_token = :token',
            ['id' => $this->prefix . $id, 'token' => $token],
        );
    }

    protected function collect(): int
    {
        return $this->run('DELETE FROM {table} WHERE {expires} <= {now}', [])->rowCount();
    }

    /**
     * @param array<string, int|string> $values
     * @throws SessionDataError
     * @throws SessionUnavailable
     */
    private function run(string $sql, #[\SensitiveParameter] array $values): \PDOStatement
    {
        try {
            $pdo = $this->pdo ??= $this->connect();
            $statement = $pdo->prepare(strtr($sql, $this->words));
            foreach ($values as $name => $value) {
                $type = is_int($value) ? \PDO::PARAM_INT : \PDO::PARAM_STR;
                $statement->bindValue($name, $value, $name === 'record' ? \PDO::PARAM_LOB : $type);
            }
            $statement->execute();
            return $statement;
        } catch (\PDOException $error) {
            [$state, $number] = ($error->errorInfo ?? []) + [(string) $error->getCode(), 0];
            if (array_intersect([$state, $number], self::TOO_LONG) !== []) {
                throw new SessionDataError('The session is too long for its column, or for the database.');
            }
            if ($this->connection instanceof \Closure) {
                // Perhaps it was cut: one of a long-running process connects again.
                $this->pdo = null;
            }
            // Not its message, nor itself: a database quotes what it was asked, as "duplicate entry ID".
            throw new SessionUnavailable($this->dialect === null
                ? "PDO: SQLSTATE $state ($number)"
                : "{$this->dialect->value}: " . DatabaseFailure::meaning($this->dialect, $error));
        }
    }

    private function connect(): \PDO
    {
        $pdo = $this->connection instanceof \PDO ? $this->connection : ($this->connection)();
        if ($pdo->getAttribute(\PDO::ATTR_ERRMODE) !== \PDO::ERRMODE_EXCEPTION) {
            throw new InvalidSettings('a connection for sessions has PDO::ERRMODE_EXCEPTION');
        }
        $this->dialect = SqlDialect::of($pdo);
        $names = array_map($this->dialect->quoted(...), $this->names);
        $this->words = $names + [
            '{now}' => $this->dialect->now(),
            '{or update}' => $this->dialect->orUpdate($names['{id}'], $names['{data}'], $names['{expires}']),
        ];
        return $pdo;
    }
}
