<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * Where a database is, and how to log in to it, in one line as the chat server takes it:
 *
 * - `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (or `mariadb:`)
 * - `postgres://USER:PASSWORD@HOST:PORT/DATABASE` (or `postgresql:`)
 * - `sqlite:PATH`
 *
 * Several hosts (`HOST,HOST:PORT`) are nodes of one database. They are tried in their order; one that cannot be
 * reached, takes no writes or is cut off from its cluster is passed over. Options:
 *
 * - `socket=PATH` of a unix socket, in place of the hosts
 * - `tls=on`, with `ca=FILE` for a certificate authority of one's own; the host has to be in its certificate
 * - `timeout=`, `10ms` to `9999ms` (default `3000ms`), for connecting to each host and for each answer. PHP counts
 *   whole seconds here, so it is rounded up; PostgreSQL's library needs two to give up connecting
 * - `charset=utf8mb4`, as it always is
 */
final class DatabaseUrl
{
    private const DRIVERS = [
        'mysql' => SqlDialect::MySql,
        'mariadb' => SqlDialect::MySql,
        'postgres' => SqlDialect::PostgreSql,
        'postgresql' => SqlDialect::PostgreSql,
        'sqlite' => SqlDialect::Sqlite,
    ];
    /** Where most systems have those that everybody trusts. */
    private const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

    /**
     * @param array<string, string> $sources PDO's data source names, each under what the place is called in messages
     * @param int $timeout seconds
     * @param string $ca file with the certificates of authorities; '' for no TLS
     */
    private function __construct(
        private readonly SqlDialect $driver,
        private readonly array $sources,
        private readonly string $user,
        #[\SensitiveParameter] private readonly string $password,
        private readonly int $timeout,
        private readonly string $ca,
    ) {
    }

    /** @throws InvalidSettings saying what is wrong with it, without a password */
    public static function parse(#[\SensitiveParameter] string $url): self
    {
        $parts = UrlParts::parse($url);
        $database = self::fromParts($parts);
        $parts->finish();
        return $database;
    }

    /**
     * The database of a URL that says more: the options above are taken from it, and the others left.
     *
     * @throws InvalidSettings
     */
    public static function fromParts(#[\SensitiveParameter] UrlParts $parts): self
    {
        $driver = self::DRIVERS[$parts->scheme]
            ?? throw new InvalidSettings('a database is mysql:, mariadb:, postgres:, postgresql: or sqlite:');
        $timeout = (int) ceil($parts->milliseconds('timeout', 3000) / 1000);
        if ($driver === SqlDialect::Sqlite) {
            // A name that begins with a colon is none of a file: the sessions would be in memory, and soon gone.
            if ($parts->hosts !== [] || $parts->user !== '' || preg_match('~^[^:\0][^\0]*\z~', $parts->path) !== 1) {
                throw new InvalidSettings('sqlite: is followed by the path of the file, as in sqlite:/srv/site/site.db');
            }
            return new self($driver, ["the file $parts->path" => "sqlite:$parts->path"], '', '', $timeout, '');
        }
        if ($parts->user === '') {
            throw new InvalidSettings('the URL of a database has a user: //USER:PASSWORD@HOST/DATABASE');
        }
        // What would end a value in a data source name, and let another setting follow, is in no name here.
        if (preg_match('~^/([^\s;\'"\\\\/\0]+)\z~', $parts->path, $name) !== 1) {
            throw new InvalidSettings('the URL of a database has its name: //USER:PASSWORD@HOST/DATABASE');
        }
        $parts->take('charset', '(?i:utf-?8(mb[34])?)', 'utf8mb4, as the sessions are written');
        $tls = $parts->take('tls', 'on|off', 'on or off') === 'on';
        $ca = $parts->take('ca', '/[^\s;\'"\\\\\0]+', 'the absolute path of a file');
        if ($ca !== null && !$tls) {
            throw new InvalidSettings('ca= is for tls=on');
        }
        $settings = ";dbname=$name[1];" . match ($driver) {
            SqlDialect::MySql => 'charset=utf8mb4',
            // Its library waits for answers as long as the system does, which is for hours if a host has vanished.
            SqlDialect::PostgreSql => "client_encoding=UTF8;connect_timeout=$timeout;tcp_user_timeout={$timeout}000"
                . ";keepalives_idle=$timeout;keepalives_interval=1;keepalives_count=2",
        };
        $authorities = $tls ? $ca ?? self::AUTHORITIES : '';
        if ($tls && !is_readable($authorities)) {
            throw new InvalidSettings("tls=on: there is no file $authorities; ca= names one with the authority's certificate");
        }
        if ($tls && $driver === SqlDialect::PostgreSql) {
            $settings .= ";sslmode=verify-full;sslrootcert=$authorities";
        }
        $sources = [];
        foreach (self::places($driver, $parts, $tls) as $place => $source) {
            $sources[$place] = $source . $settings;
        }
        return new self($driver, $sources, $parts->user, $parts->password, $timeout, $authorities);
    }

    /**
     * A new connection. Errors are exceptions, statements are prepared by the database, text is UTF-8, and a statement
     * outside a transaction is one by itself.
     *
     * A statement that takes longer than the time-out fails: waiting for somebody is to be done in steps.
     *
     * @throws SessionUnavailable when none of the hosts can be used
     */
    public function connect(): \PDO
    {
        $problems = [];
        foreach ($this->sources as $place => $source) {
            try {
                return match ($this->driver) {
                    SqlDialect::MySql => $this->mysql($source),
                    SqlDialect::PostgreSql => $this->postgres($source),
                    SqlDialect::Sqlite => $this->sqlite($source),
                };
            } catch (\PDOException $error) {
                // Not the exception itself: an old PHP puts the password in its trace.
                $problems[] = "$place: " . DatabaseFailure::meaning($this->driver, $error);
            } catch (SessionUnavailable $error) {
                $problems[] = "$place: {$error->getMessage()}";
            }
        }
        throw new SessionUnavailable('the database cannot be used: ' . implode('; ', $problems));
    }

    /** What a dump of it shows. */
    public function __debugInfo(): array
    {
        return ['places' => array_keys($this->sources)];
    }

    /**
     * @return array<string, string>
     * @throws InvalidSettings
     */
    private static function places(SqlDialect $driver, #[\SensitiveParameter] UrlParts $parts, bool $tls): array
    {
        $socket = $parts->take('socket', '/[^\s;\'"\\\\\0]+', 'an absolute path');
        if (($socket === null) === ($parts->hosts === [])) {
            throw new InvalidSettings('the URL of a database has either a host or a socket=');
        }
        if ($socket !== null && $tls) {
            throw new InvalidSettings('tls=on is not for a socket=');
        }
        if ($socket !== null && $driver === SqlDialect::MySql) {
            return [$socket => "mysql:unix_socket=$socket"];
        }
        if ($socket !== null) {
            if (preg_match('~^(/.*)/\.s\.PGSQL\.(\d+)\z~', $socket, $part) !== 1) {
                throw new InvalidSettings('socket= of PostgreSQL ends in /.s.PGSQL.5432, with the port');
            }
            return [$socket => "pgsql:host=$part[1];port=$part[2]"];
        }
        $places = [];
        foreach ($parts->hosts as [$host, $port]) {
            if (preg_match('/^[\w.-]+\z/', $host) !== 1 && filter_var($host, FILTER_VALIDATE_IP) === false) {
                throw new InvalidSettings('the host of a database is a name or an address');
            }
            $port ??= $driver === SqlDialect::MySql ? 3306 : 5432;
            $bracketed = str_contains($host, ':') ? "[$host]" : $host;
            if ($driver === SqlDialect::PostgreSql) {
                $only = count($parts->hosts) > 1 ? ';target_session_attrs=read-write' : '';
                $places["$bracketed:$port"] = "pgsql:host=$host;port=$port$only";
            } else {
                // By the name localhost PHP would take a unix socket, whatever the port is.
                $address = $host === 'localhost' ? '127.0.0.1' : $bracketed;
                $places["$bracketed:$port"] = "mysql:host=$address;port=$port";
            }
        }
        return $places;
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
        if (count($this->sources) > 1) {
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
            // While others use a new file this cannot be done, and one of them has done it.
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
