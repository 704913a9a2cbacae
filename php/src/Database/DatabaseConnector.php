<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Database;

use PhpSessionChat\Session\SessionUnavailable;

/** Makes the connections of a DatabaseUrl, to one place at a time. */
final class DatabaseConnector
{
    /**
     * @param int $timeout seconds, for connecting and for each answer
     * @param string $ca file with the certificates of authorities; '' for no TLS
     * @param bool $several whether the place is one of several, and so of use only if it takes writes
     */
    public function __construct(
        private readonly SqlDialect $driver,
        private readonly string $user,
        #[\SensitiveParameter] private readonly string $password,
        private readonly int $timeout,
        private readonly string $ca = '',
        private readonly bool $several = false,
    ) {
    }

    /**
     * @param string $source PDO's data source name
     * @throws SessionUnavailable saying why, but not where
     */
    public function connect(string $source): \PDO
    {
        try {
            return match ($this->driver) {
                SqlDialect::MySql => $this->mysql($source),
                SqlDialect::PostgreSql => $this->postgres($source),
                SqlDialect::Sqlite => $this->sqlite($source),
            };
        } catch (\PDOException $error) {
            // Not the exception itself: an old PHP puts the password in its trace.
            throw new SessionUnavailable(DatabaseFailure::meaning($this->driver, $error));
        }
    }

    /** What a dump of it shows. */
    public function __debugInfo(): array
    {
        return ['driver' => $this->driver->value];
    }

    private function mysql(string $source): \PDO
    {
        $options = $this->ca === '' ? [] : [
            \PDO::MYSQL_ATTR_SSL_CA => $this->ca,
            \PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true,
        ];
        // PDO has no option for it; the connection keeps what is set while it is made.
        $before = ini_set('mysqlnd.net_read_timeout', (string) $this->timeout);
        try {
            $pdo = $this->pdo($source, $options);
        } finally {
            ini_set('mysqlnd.net_read_timeout', (string) $before);
        }
        // A server may be set up without autocommit, and what is too long must not be cut off in silence.
        $pdo->exec("SET autocommit = 1, sql_mode = 'STRICT_ALL_TABLES'");
        if ($this->several) {
            $read = static fn (string $sql): array => $pdo->query($sql)->fetchAll(\PDO::FETCH_KEY_PAIR);
            $state = $read("SHOW VARIABLES WHERE Variable_name IN ('read_only', 'wsrep_on')");
            if (($state['read_only'] ?? '') !== 'OFF') {
                throw new SessionUnavailable('it takes no writes (read_only)');
            }
            if (($state['wsrep_on'] ?? '') === 'ON' && $read("SHOW STATUS LIKE 'wsrep_ready'") !== ['wsrep_ready' => 'ON']) {
                throw new SessionUnavailable('it is cut off from its cluster (wsrep_ready)');
            }
        }
        return $pdo;
    }

    private function postgres(string $source): \PDO
    {
        // One round trip for a statement in place of three.
        $pdo = $this->pdo($source, [\PDO::PGSQL_ATTR_DISABLE_PREPARES => true]);
        $pdo->exec("SET statement_timeout = '{$this->timeout}s'; SET default_transaction_isolation = 'read committed'");
        return $pdo;
    }

    private function sqlite(string $source): \PDO
    {
        // The sessions in a new file are for nobody else.
        $file = substr($source, strlen('sqlite:'));
        if (($new = @fopen($file, 'x')) !== false) {
            chmod($file, 0600);
            fclose($new);
        }
        $pdo = $this->pdo($source, []);
        try {
            // So that those who read and those who write do not wait for each other. The file remembers it.
            $pdo->exec('PRAGMA journal_mode = WAL');
        } catch (\PDOException $error) {
            // While others use the file this cannot be done: then a later connection will do it.
            if (($error->errorInfo[1] ?? 0) !== 5) {
                throw $error;
            }
        }
        return $pdo;
    }

    /** @param array<int, mixed> $options */
    private function pdo(string $source, array $options): \PDO
    {
        return new \PDO($source, $this->user, $this->password, $options + [
            \PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION,
            \PDO::ATTR_EMULATE_PREPARES => false,
            \PDO::ATTR_TIMEOUT => $this->timeout,
        ]);
    }
}
