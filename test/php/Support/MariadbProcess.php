<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real MariaDB of the tests' own, on a free port of the loopback, with a database `site` in it. */
final class MariadbProcess
{
    public const USER = 'site';
    /** With all that a URL must not hold as it is. */
    public const PASSWORD = 'se@same:/?#%12';

    private static ?self $shared = null;

    public readonly int $port;
    /** Holds its data, the unix socket `socket`, and the certificate `tls.pem`. */
    public readonly string $folder;
    /** `mariadb://USER:PASSWORD@127.0.0.1:PORT/site`, of one who may do everything in that database. */
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
        $this->folder = ServerProcess::folder('mariadb', 'mysql');
        $common = ['--no-defaults', "--datadir=$this->folder/data", '--innodb-buffer-pool-size=16M'];
        $user = posix_getuid() === 0 ? ['--user=mysql'] : [];
        ServerProcess::run(
            ['mariadb-install-db', ...$common, ...$user, '--auth-root-authentication-method=normal', '--skip-test-db'],
            'mariadb-server',
        );
        ServerProcess::certificate($this->folder);
        $this->server = new ServerProcess([
            '/usr/sbin/mariadbd', ...$common, "--socket=$this->folder/socket", "--pid-file=$this->folder/pid",
            "--port=$this->port", '--bind-address=127.0.0.1,127.0.0.2', '--skip-log-bin', '--innodb-flush-log-at-trx-commit=0',
            "--ssl-cert=$this->folder/tls.pem", "--ssl-key=$this->folder/tls.key",
            // So that a client which takes them for granted goes wrong.
            '--sql-mode=', '--character-set-server=latin1',
        ], $this->folder, 'ready for connections', 'mysql');
        $admin = new \PDO("mysql:unix_socket=$this->folder/socket", 'root', '');
        $admin->exec('CREATE DATABASE site CHARACTER SET utf8mb4');
        $admin->exec('CREATE USER ' . self::USER . "@'%' IDENTIFIED BY '" . self::PASSWORD . "'");
        $admin->exec('GRANT ALL ON site.* TO ' . self::USER . "@'%'");
        $login = self::USER . ':' . rawurlencode(self::PASSWORD);
        $this->url = "mariadb://$login@127.0.0.1:$this->port/site";
    }

    /** A new connection of its administrator, in the database `site`. */
    public function admin(): \PDO
    {
        return new \PDO("mysql:unix_socket=$this->folder/socket;dbname=site;charset=utf8mb4", 'root', '', [
            \PDO::ATTR_EMULATE_PREPARES => false,
        ]);
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
