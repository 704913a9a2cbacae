<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real PostgreSQL of the tests' own, on a free port of the loopback, with a database `site` in it. */
final class PostgresProcess
{
    public const USER = 'site';
    /** With all that a URL must not hold as it is. */
    public const PASSWORD = 'se@same:/?#%12';

    private const PROGRAMS = '/usr/lib/postgresql/15/bin';

    private static ?self $shared = null;

    public readonly int $port;
    /** Holds its data, its unix socket, and the certificate `tls.pem`. */
    public readonly string $folder;
    /** `postgres://USER:PASSWORD@127.0.0.1:PORT/site`, of one who may do everything in that database. */
    public readonly string $url;

    private readonly ServerProcess $server;

    /** The one that all tests use that do not stop it; ended with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    public function __construct()
    {
        $this->port = ServerProcess::freePort();
        $this->folder = ServerProcess::folder('postgres', 'postgres');
        // It refuses to be run by root.
        $as = posix_getuid() === 0
            ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups']
            : [];
        ServerProcess::run([
            ...$as, self::PROGRAMS . '/initdb', '-D', "$this->folder/data", '-U', 'postgres', '-E', 'UTF8',
            '--locale=C', '--no-sync', '--auth-local=trust', '--auth-host=scram-sha-256',
        ], 'postgresql', $this->folder);
        ServerProcess::certificate($this->folder);
        $settings = [
            'listen_addresses=127.0.0.1,127.0.0.2', "port=$this->port", "unix_socket_directories=$this->folder",
            'fsync=off', 'shared_buffers=8MB', 'max_connections=150', 'ssl=on', "ssl_cert_file=$this->folder/tls.pem",
            "ssl_key_file=$this->folder/tls.key",
        ];
        $this->server = new ServerProcess([
            self::PROGRAMS . '/postgres', '-D', "$this->folder/data",
            ...array_merge(...array_map(static fn (string $setting) => ['-c', $setting], $settings)),
        ], $this->folder, 'ready to accept connections', 'postgres');
        $admin = new \PDO("pgsql:host=$this->folder;port=$this->port;dbname=postgres", 'postgres');
        $admin->exec('CREATE ROLE ' . self::USER . " LOGIN PASSWORD '" . self::PASSWORD . "'");
        // So that a client which takes it for granted goes wrong.
        $admin->exec('ALTER ROLE ' . self::USER . ' SET default_transaction_isolation = serializable');
        $admin->exec('CREATE DATABASE site OWNER ' . self::USER);
        $login = self::USER . ':' . rawurlencode(self::PASSWORD);
        $this->url = "postgres://$login@127.0.0.1:$this->port/site";
    }

    /** A new connection of its administrator, in the database `site`. */
    public function admin(): \PDO
    {
        return new \PDO("pgsql:host=$this->folder;port=$this->port;dbname=site", 'postgres');
    }

    /** Stops it without ending it: connections are accepted by the kernel, and nothing answers. */
    public function pause(): void
    {
        $this->server->pause();
    }

    public function resume(): void
    {
        $this->server->resume();
    }

    public function end(): void
    {
        $this->server->end();
    }
}
