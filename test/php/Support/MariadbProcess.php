<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * A real MariaDB for the tests, on a free loopback port, with a database `site`. Its folder holds the unix socket
 * `socket` and the certificate `tls.pem`.
 */
final class MariadbProcess extends ServerProcess
{
    public const USER = 'site';
    /** Contains characters that must be escaped in a URL. */
    public const PASSWORD = 'se@same:/?#%12';

    private static ?self $shared = null;

    public readonly int $port;
    /** `mariadb://USER:PASSWORD@127.0.0.1:PORT/site`, for a user with all rights in the database. */
    public readonly string $url;

    /** Shared by all tests that do not stop it. Ends with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    public function __construct()
    {
        $this->port = self::ownPort();
        $folder = self::folder('mysql');
        // On start, MariaDB deletes all temporary tables in its tmpdir, even those of other servers.
        $common = ['--no-defaults', "--datadir=$folder/data", "--tmpdir=$folder", '--innodb-buffer-pool-size=16M'];
        $user = posix_getuid() === 0 ? ['--user=mysql'] : [];
        self::makeOnce("$folder/data", '/usr/sbin/mariadbd', static fn () => self::run(
            ['mariadb-install-db', ...$common, ...$user, '--auth-root-authentication-method=normal', '--skip-test-db'],
            'mariadb-server',
        ));
        self::certificate($folder);
        parent::__construct([
            '/usr/sbin/mariadbd', ...$common, "--socket=$folder/socket", "--pid-file=$folder/pid",
            "--port=$this->port", '--bind-address=127.0.0.1,127.0.0.2', '--skip-log-bin', '--innodb-flush-log-at-trx-commit=0',
            "--ssl-cert=$folder/tls.pem", "--ssl-key=$folder/tls.key",
            // Unusual values, so that a client fails if it does not set them.
            '--sql-mode=', '--character-set-server=latin1',
        ], $folder, 'ready for connections', 'mysql');
        $admin = new \PDO("mysql:unix_socket=$folder/socket", 'root', '');
        $admin->exec('CREATE DATABASE site CHARACTER SET utf8mb4');
        $admin->exec('CREATE USER ' . self::USER . "@'%' IDENTIFIED BY '" . self::PASSWORD . "'");
        $admin->exec('GRANT ALL ON site.* TO ' . self::USER . "@'%'");
        $login = self::USER . ':' . rawurlencode(self::PASSWORD);
        $this->url = "mariadb://$login@127.0.0.1:$this->port/site";
    }

    /** Connects as the administrator to the database `site`. */
    public function admin(): \PDO
    {
        return new \PDO("mysql:unix_socket=$this->folder/socket;dbname=site;charset=utf8mb4", 'root', '', [
            \PDO::ATTR_EMULATE_PREPARES => false,
        ]);
    }
}
