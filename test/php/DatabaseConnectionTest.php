<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\DatabaseUrl;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MariadbProcess;
use PhpSessionChat\Tests\Support\PostgresProcess;
use PhpSessionChat\Tests\Support\ServerProcess;
use PHPUnit\Framework\TestCase;

/** The connections that a DatabaseUrl makes to servers. */
final class DatabaseConnectionTest extends TestCase
{
    private string $before;

    protected function setUp(): void
    {
        // As it should not be: with what functions were called with in all that is logged.
        $this->before = ini_set('zend.exception_ignore_args', '0');
    }

    protected function tearDown(): void
    {
        ini_set('zend.exception_ignore_args', $this->before);
    }

    /** @dataProvider servers */
    public function testOneServer(string $name): void
    {
        $server = self::server($name);
        $pdo = DatabaseUrl::parse($server->url)->connect();
        self::assertSame('86400', ini_get('mysqlnd.net_read_timeout'), 'for others it is as it was');
        self::assertSame(['張😀', '2'], array_map(strval(...), $pdo->query("SELECT '張😀', CHAR_LENGTH('張😀')")->fetch(\PDO::FETCH_NUM)));
        $both = $pdo->prepare('SELECT ?');
        $both->execute(["\\' OR 1"]);
        self::assertSame("\\' OR 1", $both->fetchColumn());
        $this->expectException(\PDOException::class);
        $wrong = $pdo->prepare('SELECT nothing');
        // PostgreSQL is asked for both in one round trip.
        self::assertSame('postgres', $name, 'prepared by the database');
        $wrong->execute();
    }

    /** @dataProvider servers */
    public function testAStatementIsOneByItself(string $name): void
    {
        $admin = self::server($name)->admin();
        $admin->exec($name === 'mariadb' ? 'SET GLOBAL autocommit = 0' : 'SELECT 1');
        try {
            $pdo = DatabaseUrl::parse(self::server($name)->url)->connect();
        } finally {
            $admin->exec($name === 'mariadb' ? 'SET GLOBAL autocommit = 1' : 'SELECT 1');
        }
        $table = 'one_' . bin2hex(random_bytes(4));
        $pdo->exec("CREATE TABLE $table (n VARCHAR(3))");
        $pdo->exec("INSERT INTO $table VALUES ('abc')");
        $read = static fn (string $sql): mixed => self::server($name)->admin()->query($sql)->fetchColumn();
        self::assertSame('abc', $read("SELECT n FROM $table"));
        try {
            $pdo->exec("UPDATE $table SET n = 'abcd'");
            self::fail('cut off in silence');
        } catch (\PDOException) {
            self::assertSame('abc', $read("SELECT n FROM $table"));
        }
    }

    /** @dataProvider servers */
    public function testHostsThatAreDownArePassedOver(string $name): void
    {
        $server = self::server($name);
        $closed = ServerProcess::freePort();
        $silent = stream_socket_server('tcp://127.0.0.1:0');
        $hosts = "@127.0.0.1:$closed,[::1]:$closed," . stream_socket_get_name($silent, false) . ",localhost:$server->port/";
        $start = microtime(true);
        $url = preg_replace('~@.*?/~', $hosts, $server->url) . '?timeout=100ms';
        self::assertSame('1', (string) DatabaseUrl::parse($url)->connect()->query('SELECT 1')->fetchColumn());
        // PHP and PostgreSQL's library count whole seconds.
        self::assertLessThan(3, microtime(true) - $start);
    }

    /** @dataProvider servers */
    public function testHostsThatTakeNoWritesArePassedOver(string $name): void
    {
        $server = self::server($name);
        $both = DatabaseUrl::parse(preg_replace('~@.*?/~', "@127.0.0.1:$server->port,localhost:$server->port/", $server->url));
        [$stop, $go] = $name === 'mariadb'
            ? ['SET GLOBAL read_only = 1', 'SET GLOBAL read_only = 0']
            : ['ALTER ROLE site SET default_transaction_read_only = on', 'ALTER ROLE site RESET default_transaction_read_only'];
        $server->admin()->exec($stop);
        try {
            $both->connect();
            self::fail('taken');
        } catch (SessionUnavailable $error) {
            $said = '/^the database cannot be used: 127\.0\.0\.1:\d+: it takes no writes.*; localhost:\d+: it takes no writes/';
            self::assertMatchesRegularExpression($said, $error->getMessage());
        } finally {
            $server->admin()->exec($go);
        }
        self::assertSame('1', (string) $both->connect()->query('SELECT 1')->fetchColumn());
    }

    /** @dataProvider servers */
    public function testAUnixSocket(string $name): void
    {
        $server = self::server($name);
        [$user, $socket] = $name === 'mariadb'
            ? ['root', "$server->folder/socket"]
            : ['postgres', "$server->folder/.s.PGSQL.$server->port"];
        $pdo = DatabaseUrl::parse("$name://$user@/site?socket=$socket")->connect();
        self::assertSame('1', (string) $pdo->query('SELECT 1')->fetchColumn());
    }

    /** @dataProvider servers */
    public function testTls(string $name): void
    {
        $server = self::server($name);
        $pdo = DatabaseUrl::parse("$server->url?tls=on&ca=$server->folder/tls.pem")->connect();
        $encrypted = $name === 'mariadb'
            ? "SELECT VARIABLE_VALUE LIKE 'TLS%' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_version'"
            : 'SELECT CASE WHEN ssl THEN 1 END FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
        self::assertSame('1', (string) $pdo->query($encrypted)->fetchColumn());
        $folder = Folder::temporary();
        ServerProcess::certificate($folder);
        foreach (["$server->url?tls=on&ca=$folder/tls.pem", str_replace('127.0.0.1', '127.0.0.2', $server->url) . "?tls=on&ca=$server->folder/tls.pem"] as $url) {
            try {
                DatabaseUrl::parse($url)->connect();
                self::fail('trusted');
            } catch (SessionUnavailable $error) {
                self::assertStringContainsString('its certificate is not trusted', $error->getMessage());
            }
        }
    }

    /** @dataProvider servers */
    public function testARefusalTellsNoSecret(string $name): void
    {
        $server = self::server($name);
        $closed = ServerProcess::freePort();
        foreach ([
            "$name://site:geheim@127.0.0.1:$server->port/site" => 'it refuses the user or the password',
            "$name://niemand:geheim@127.0.0.1:$server->port/site" => 'it refuses the user or the password',
            preg_replace('~/site$~', '/geheim', $server->url) => 'there is no such database, or this user may not use it',
            "$name://site:geheim@127.0.0.1:$closed/site" => 'it cannot be reached',
            "$name://site:geheim@nowhere.invalid/site" => 'it cannot be reached',
        ] as $url => $meaning) {
            try {
                DatabaseUrl::parse($url)->connect();
                self::fail('connected');
            } catch (SessionUnavailable $error) {
                $said = "/^the database cannot be used: [\\w.]+:\\d+: $meaning, SQLSTATE \\w{5} \\(\\d+\\)$/";
                self::assertMatchesRegularExpression($said, $error->getMessage());
                self::assertNull($error->getPrevious());
                $all = self::shown($error) . print_r(DatabaseUrl::parse($url), true);
                foreach (['geheim', 'niemand', MariadbProcess::PASSWORD] as $secret) {
                    self::assertStringNotContainsString($secret, $all);
                }
            }
        }
    }

    /** @return iterable<string, array{string}> */
    public static function servers(): iterable
    {
        yield 'mariadb' => ['mariadb'];
        yield 'postgres' => ['postgres'];
    }

    /** What a log could show of it, as far as it is the library's. */
    private static function shown(\Throwable $error): string
    {
        $ours = static fn (array $frame): bool => str_starts_with($frame['class'] ?? '', 'PhpSessionChat\Session\\');
        return $error->getMessage() . print_r(array_filter($error->getTrace(), $ours), true);
    }

    private static function server(string $name): MariadbProcess|PostgresProcess
    {
        return $name === 'mariadb' ? MariadbProcess::shared() : PostgresProcess::shared();
    }
}
