<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * A real PostgreSQL for the tests, on a free loopback port, with a database `site`. Its folder holds its unix socket
 * and the certificate `tls.pem`.
 */
final class PostgresProcess extends ServerProcess
{
    public const USER = 'site';
    /** Contains characters that must be escaped in a URL. */
    public const PASSWORD = 'se@same:/?#%12';

    private static ?self $shared = null;

    public readonly int $port;
    /** `postgres://USER:PASSWORD@127.0.0.1:PORT/site`, for a user with all rights in the database. */
    public readonly string $url;

    /** Shared by all tests that do not stop it. Ends with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /** Returns a program of the newest version that Debian has installed. */
    private static function installed(string $name): string
    {
        return max(glob("/usr/lib/postgresql/*/bin/$name") ?: ["/usr/lib/postgresql/bin/$name"]);
    }

    public function __construct()
    {
        $this->port = self::ownPort();
        $folder = self::folder('postgres');
        // initdb does not run as root.
        $as = posix_getuid() === 0
            ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups']
            : [];
        self::makeOnce("$folder/data", self::installed('initdb'), static fn () => self::run([
            ...$as, self::installed('initdb'), '-D', "$folder/data", '-U', 'postgres', '-E', 'UTF8',
            '--locale=C', '--no-sync', '--auth-local=trust', '--auth-host=scram-sha-256',
        ], 'postgresql', $folder));
        self::certificate($folder);
        $settings = [
            'listen_addresses=127.0.0.1,127.0.0.2', "port=$this->port", "unix_socket_directories=$folder",
            'fsync=off', 'shared_buffers=8MB', 'max_connections=150', 'ssl=on', "ssl_cert_file=$folder/tls.pem",
            "ssl_key_file=$folder/tls.key",
        ];
        parent::__construct([
            self::installed('postgres'), '-D', "$folder/data",
            ...array_merge(...array_map(static fn (string $setting) => ['-c', $setting], $settings)),
        ], $folder, 'ready to accept connections', 'postgres');
        $admin = new \PDO("pgsql:host=$folder;port=$this->port;dbname=postgres", 'postgres');
        $admin->exec('CREATE ROLE ' . self::USER . " LOGIN PASSWORD '" . self::PASSWORD . "'");
        // An unusual value, so that a client fails if it does not set it.
        $admin->exec('ALTER ROLE ' . self::USER . ' SET default_transaction_isolation = serializable');
        $admin->exec('CREATE DATABASE site OWNER ' . self::USER);
        $login = self::USER . ':' . rawurlencode(self::PASSWORD);
        $this->url = "postgres://$login@127.0.0.1:$this->port/site";
    }

    /** Connects as the administrator to the database `site`. */
    public function admin(): \PDO
    {
        return new \PDO("pgsql:host=$this->folder;port=$this->port;dbname=site", 'postgres');
    }
}
