<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\Database\DatabaseFailure;
use PhpSessionChat\Session\Database\SqlDialect;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * Stores sessions in a table of MySQL, MariaDB, PostgreSQL or SQLite. For locks and errors see StoreHandler.
 *
 *     $database = DatabaseUrl::parse('sqlite:/srv/site/sessions.db');
 *     session_set_save_handler(new PdoHandler($database->connect(...)), false);
 *     session_start(['use_strict_mode' => true, 'gc_probability' => 1]);
 *
 * The handler does not create the table. docs/php.md contains the SQL, and SqlDialect::createTable() returns it.
 *
 * Use a separate connection. On the site's connection, a rollback of the site would undo the writes of sessions. On
 * MySQL, the connection needs autocommit and a strict sql_mode, which are the defaults. Connections of DatabaseUrl
 * always have them. DatabaseUrl also creates a new SQLite file that only its owner can read; `new PDO` would make it
 * readable for all accounts.
 *
 * Expired sessions are not read, and are deleted when PHP collects garbage: at random (`session.gc_probability`), or by
 * session_gc() in a cron job. On PostgreSQL, the end of a session sends a NOTIFY on the channel `chat_ended` with the
 * first 32 hexadecimal digits of the ID's SHA-256.
 */
final class PdoHandler extends StoreHandler
{
    private ?\PDO $pdo = null;
    private ?SqlDialect $dialect = null;

    /** @var array<string, string> the names of the table and its columns, by placeholder in the statements below */
    private readonly array $names;

    /** @var array<string, string> the SQL for all placeholders */
    private array $sql;

    /**
     * @param \PDO|\Closure(): \PDO $connection a closure is called on first use, and again after an error
     * @param string $table may be `schema.table`
     * @param string $id the primary key
     * @param string $data a binary column, such as BLOB or BYTEA
     * @param string $expires an integer column: when the session expires, in Unix seconds
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

    /** Keeps secrets out of dumps. */
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
            // Compared again, because `A` equals `a` in many collations.
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
        // No row was updated: the row was deleted or has expired, another request has the lock, or the row did not
        // change, which MySQL does not count.
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
        // Reads first, so that waiting requests do not block each other with writes.
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
            $statement = $pdo->prepare(strtr($sql, $this->sql));
            foreach ($values as $name => $value) {
                $type = is_int($value) ? \PDO::PARAM_INT : \PDO::PARAM_STR;
                $statement->bindValue($name, $value, $name === 'record' ? \PDO::PARAM_LOB : $type);
            }
            $statement->execute();
            return $statement;
        } catch (\PDOException $error) {
            if (DatabaseFailure::isTooLong($error)) {
                throw new SessionDataError('The session is too long for its column or for the database.');
            }
            if ($this->connection instanceof \Closure) {
                // The connection may be lost. The next call opens a new connection.
                $this->pdo = null;
            }
            // Omits the exception and its message, because databases quote values, as in "Duplicate entry 'ID'".
            $place = $this->dialect === null ? 'PDO' : $this->dialect->value;
            throw new SessionUnavailable("$place: " . DatabaseFailure::meaning($this->dialect, $error));
        }
    }

    private function connect(): \PDO
    {
        $pdo = $this->connection instanceof \PDO ? $this->connection : ($this->connection)();
        if ($pdo->getAttribute(\PDO::ATTR_ERRMODE) !== \PDO::ERRMODE_EXCEPTION) {
            throw new InvalidSettings('a connection for sessions must have PDO::ERRMODE_EXCEPTION');
        }
        $this->dialect = SqlDialect::of($pdo);
        $names = array_map($this->dialect->quoted(...), $this->names);
        $this->sql = $names + [
            '{now}' => $this->dialect->now(),
            '{or update}' => $this->dialect->orUpdate($names['{id}'], $names['{data}'], $names['{expires}']),
        ];
        return $pdo;
    }
}
