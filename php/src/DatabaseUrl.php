<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Database\DatabaseConnector;
use PhpSessionChat\Session\Database\SqlDialect;

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
     */
    private function __construct(private readonly array $sources, private readonly DatabaseConnector $connector)
    {
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
        if (!extension_loaded("pdo_$driver->value")) {
            throw new InvalidSettings("PHP has no extension pdo_$driver->value");
        }
        $timeout = (int) ceil($parts->milliseconds('timeout', 3000) / 1000);
        if ($driver === SqlDialect::Sqlite) {
            // A name that begins with a colon is none of a file: the sessions would be in memory, and soon gone.
            if ($parts->hosts !== [] || $parts->user !== '' || preg_match('~^[^:\0][^\0]*\z~', $parts->path) !== 1) {
                throw new InvalidSettings('sqlite: is followed by the path of the file, as in sqlite:/srv/site/site.db');
            }
            $connector = new DatabaseConnector($driver, '', '', $timeout);
            return new self(["the file $parts->path" => "sqlite:$parts->path"], $connector);
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
        $several = count($sources) > 1;
        return new self(
            $sources,
            new DatabaseConnector($driver, $parts->user, $parts->password, $timeout, $authorities, $several),
        );
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
                return $this->connector->connect($source);
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
}
