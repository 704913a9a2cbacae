<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Database\DatabaseFailure;
use PhpSessionChat\Session\Database\SqlDialect;

/**
 * Connects to the database in a URL. The chat server accepts the same form of URL:
 *
 * - `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (or `mariadb:`)
 * - `postgres://USER:PASSWORD@HOST:PORT/DATABASE` (or `postgresql:`)
 * - `sqlite:PATH`
 *
 * Several hosts (`HOST,HOST:PORT`) are the nodes of one database. They are tried in order. A node that cannot be
 * reached, is read-only or is disconnected from its cluster is skipped. Options:
 *
 * - `socket=PATH` of a Unix socket, instead of hosts
 * - `tls=on`, and `ca=FILE` for your own certificate authority; the server's certificate must name the host
 * - `timeout=`, `10ms` to `9999ms` or seconds (default `3000ms`): to connect to each host, and for each response. It
 *   is rounded up, because PHP accepts only whole seconds. PostgreSQL's library waits at least two seconds to connect
 * - `charset=`: only `utf8mb4` and other names of UTF-8
 */
final class DatabaseUrl
{
    private const DIALECTS = [
        'mysql' => SqlDialect::MySql,
        'mariadb' => SqlDialect::MySql,
        'postgres' => SqlDialect::PostgreSql,
        'postgresql' => SqlDialect::PostgreSql,
        'sqlite' => SqlDialect::Sqlite,
    ];

    /** The certificates of the public authorities on most systems. */
    private const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

    /**
     * @param array<string, string> $sources PDO's data source names, by the name of each host in error messages
     * @param int $timeout to connect, and for each response, in seconds
     * @param string $ca a file with certificates of authorities; '' for no TLS
     */
    private function __construct(
        private readonly SqlDialect $dialect,
        private readonly array $sources,
        private readonly string $user,
        #[\SensitiveParameter] private readonly string $password,
        private readonly int $timeout,
        private readonly string $ca = '',
    ) {
    }

    /** @throws InvalidSettings with the reason, but without the password */
    public static function parse(#[\SensitiveParameter] string $url): self
    {
        $parts = StoreUrl::parse($url);
        $database = self::fromParts($parts);
        $parts->finish();
        return $database;
    }

    /**
     * Takes the options above from a URL, and leaves the other options for the caller.
     *
     * @throws InvalidSettings
     */
    public static function fromParts(#[\SensitiveParameter] StoreUrl $parts): self
    {
        $dialect = self::DIALECTS[$parts->scheme]
            ?? throw new InvalidSettings('a database URL must begin with mysql:, mariadb:, postgres:, postgresql: or sqlite:');
        if (!extension_loaded("pdo_$dialect->value")) {
            throw new InvalidSettings("PHP has no extension pdo_$dialect->value");
        }
        $timeout = (int) ceil($parts->milliseconds('timeout', 3000) / 1000);
        if ($dialect === SqlDialect::Sqlite) {
            // SQLite reserves names that start with a colon: `:memory:` would keep the sessions in memory.
            if ($parts->hosts !== [] || $parts->user !== '' || preg_match('~^[^:\0][^\0]*\z~', $parts->path) !== 1) {
                throw new InvalidSettings('sqlite: needs the path of a file, as in sqlite:/srv/site/site.db');
            }
            return new self($dialect, ["the file $parts->path" => "sqlite:$parts->path"], '', '', $timeout);
        }
        if ($parts->user === '') {
            throw new InvalidSettings('the database URL needs a user: //USER:PASSWORD@HOST/DATABASE');
        }
        // Rejects characters that end a value in a data source name, so that the name cannot add another setting.
        if (preg_match('~^/([^\s;&=\'"\\\\/\0]+)\z~', $parts->path, $name) !== 1) {
            throw new InvalidSettings('the database URL needs the name of the database: //USER:PASSWORD@HOST/DATABASE');
        }
        $parts->take('charset', '(?i:utf-?8(mb[34])?)', 'utf8mb4, the encoding of the sessions');
        $tls = $parts->take('tls', 'on|off', 'on or off') === 'on';
        $ca = $parts->take('ca', '/[^\s;\'"\\\\\0]+', 'the absolute path of a file');
        if ($ca !== null && !$tls) {
            throw new InvalidSettings('ca= needs tls=on');
        }
        $settings = ";dbname=$name[1];" . match ($dialect) {
            SqlDialect::MySql => 'charset=utf8mb4',
            // Without these, PostgreSQL's library waits for hours if a host disappears.
            SqlDialect::PostgreSql => "client_encoding=UTF8;connect_timeout=$timeout;tcp_user_timeout={$timeout}000"
                . ";keepalives_idle=$timeout;keepalives_interval=1;keepalives_count=2",
        };
        $authorities = $tls ? $ca ?? self::AUTHORITIES : '';
        if ($tls && !is_readable($authorities)) {
            throw new InvalidSettings(
                "tls=on: the file $authorities cannot be read; set ca= to a file with the authority's certificate",
            );
        }
        if ($tls && $dialect === SqlDialect::PostgreSql) {
            $settings .= ";sslmode=verify-full;sslrootcert=$authorities";
        }
        $sources = [];
        foreach (self::places($dialect, $parts, $tls) as $place => $source) {
            $sources[$place] = $source . $settings;
        }
        return new self($dialect, $sources, $parts->user, $parts->password, $timeout, $authorities);
    }

    /**
     * Opens a new connection. It throws exceptions, sends values separately from the SQL, uses UTF-8, and commits each
     * statement outside a transaction. A statement that exceeds the timeout fails; in SQLite, only the wait for a lock
     * counts.
     *
     * @throws SessionUnavailable if no host can be used
     */
    public function connect(): \PDO
    {
        $problems = [];
        foreach ($this->sources as $place => $source) {
            try {
                return match ($this->dialect) {
                    SqlDialect::MySql => $this->mysql($source),
                    SqlDialect::PostgreSql => $this->postgres($source),
                    SqlDialect::Sqlite => $this->sqlite($source),
                };
            } catch (\PDOException $error) {
                // Discards the exception, because on PHP 8.1 its stack trace contains the password.
                $problems[] = "$place: " . DatabaseFailure::meaning($this->dialect, $error);
            } catch (SessionUnavailable $error) {
                $problems[] = "$place: {$error->getMessage()}";
            }
        }
        throw new SessionUnavailable('the database cannot be used: ' . implode('; ', $problems));
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['places' => array_keys($this->sources)];
    }

    /**
     * @return array<string, string> the start of PDO's data source name, by the name of the host in error messages
     * @throws InvalidSettings
     */
    private static function places(SqlDialect $dialect, #[\SensitiveParameter] StoreUrl $parts, bool $tls): array
    {
        $socket = $parts->take('socket', '/[^\s;\'"\\\\\0]+', 'an absolute path');
        if (($socket === null) === ($parts->hosts === [])) {
            throw new InvalidSettings('the database URL needs either a host or a socket=');
        }
        if ($socket !== null && $tls) {
            throw new InvalidSettings('tls=on cannot be used with socket=');
        }
        if ($socket !== null && $dialect === SqlDialect::MySql) {
            return [$socket => "mysql:unix_socket=$socket"];
        }
        if ($socket !== null) {
            if (preg_match('~^(/.*)/\.s\.PGSQL\.(\d+)\z~', $socket, $part) !== 1) {
                throw new InvalidSettings('socket= of PostgreSQL must end in /.s.PGSQL.5432, with the port');
            }
            return [$socket => "pgsql:host=$part[1];port=$part[2]"];
        }
        $places = [];
        foreach ($parts->hosts as [$host, $port]) {
            if (preg_match('/^[\w.-]+\z/', $host) !== 1 && filter_var($host, FILTER_VALIDATE_IP) === false) {
                throw new InvalidSettings('the host of a database must be a name or an address');
            }
            $port ??= $dialect === SqlDialect::MySql ? 3306 : 5432;
            $bracketed = str_contains($host, ':') ? "[$host]" : $host;
            if ($dialect === SqlDialect::PostgreSql) {
                $only = count($parts->hosts) > 1 ? ';target_session_attrs=read-write' : '';
                $places["$bracketed:$port"] = "pgsql:host=$host;port=$port$only";
            } else {
                // For the name localhost, PHP would use a Unix socket and ignore the port.
                $address = $host === 'localhost' ? '127.0.0.1' : $bracketed;
                $places["$bracketed:$port"] = "mysql:host=$address;port=$port";
            }
        }
        return $places;
    }

    private function mysql(string $source): \PDO
    {
        $options = $this->ca === '' ? [] : [
            self::option('Mysql', 'ATTR_SSL_CA') => $this->ca,
            self::option('Mysql', 'ATTR_SSL_VERIFY_SERVER_CERT') => true,
        ];
        // PDO has no option for the read timeout. The connection keeps the value that is set while it is opened.
        $before = ini_set('mysqlnd.net_read_timeout', (string) $this->timeout);
        try {
            $pdo = $this->pdo($source, $options);
        } finally {
            ini_set('mysqlnd.net_read_timeout', (string) $before);
        }
        // The server's defaults may disable autocommit, or truncate values that are too long.
        $pdo->exec("SET autocommit = 1, sql_mode = 'STRICT_ALL_TABLES'");
        if (count($this->sources) > 1) {
            $read = static fn (string $sql): array => $pdo->query($sql)->fetchAll(\PDO::FETCH_KEY_PAIR);
            $state = $read("SHOW VARIABLES WHERE Variable_name IN ('read_only', 'wsrep_on')");
            if (($state['read_only'] ?? '') !== 'OFF') {
                throw new SessionUnavailable('it is read-only (read_only)');
            }
            $ready = static fn (): bool => $read("SHOW STATUS LIKE 'wsrep_ready'") === ['wsrep_ready' => 'ON'];
            if (($state['wsrep_on'] ?? '') === 'ON' && !$ready()) {
                throw new SessionUnavailable('it is disconnected from its cluster (wsrep_ready)');
            }
        }
        return $pdo;
    }

    private function postgres(string $source): \PDO
    {
        // This option reduces the round trips of a statement from three to one.
        $pdo = $this->pdo($source, [self::option('Pgsql', 'ATTR_DISABLE_PREPARES') => true]);
        $pdo->exec("SET statement_timeout = '{$this->timeout}s'; SET default_transaction_isolation = 'read committed'");
        return $pdo;
    }

    private function sqlite(string $source): \PDO
    {
        // Creates a new file that only its owner can read. SQLite would make it readable for all users.
        $file = substr($source, strlen('sqlite:'));
        if (($new = @fopen($file, 'x')) !== false) {
            chmod($file, 0600);
            fclose($new);
        }
        $pdo = $this->pdo($source, []);
        try {
            // Readers and writers then do not wait for each other. The mode is stored in the file.
            $pdo->exec('PRAGMA journal_mode = WAL');
        } catch (\PDOException $error) {
            // The mode cannot change while other processes use the file. A later connection tries again.
            if (($error->errorInfo[1] ?? 0) !== 5) {
                throw $error;
            }
        }
        return $pdo;
    }

    /** @param array<int, mixed> $options */
    private function pdo(string $source, array $options): \PDO
    {
        $options += [
            \PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION,
            \PDO::ATTR_EMULATE_PREPARES => false,
            \PDO::ATTR_TIMEOUT => $this->timeout,
        ];
        // From PHP 8.4, connect() returns an object of the driver's class, whose methods are not deprecated.
        return method_exists(\PDO::class, 'connect')
            ? \PDO::connect($source, $this->user, $this->password, $options)
            : new \PDO($source, $this->user, $this->password, $options);
    }

    /** Returns a driver option. Since PHP 8.4 the driver's class has it; PHP 8.5 deprecates the constant of PDO. */
    private static function option(string $driver, string $name): int
    {
        $class = "Pdo\\$driver";
        return constant(class_exists($class, false) ? "$class::$name" : 'PDO::' . strtoupper($driver) . "_$name");
    }
}
