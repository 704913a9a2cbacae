<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\DatabaseUrl;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MariadbProcess;
use PhpSessionChat\Tests\Support\Patience;
use PhpSessionChat\Tests\Support\PostgresProcess;
use PhpSessionChat\Tests\Support\ServerProcess;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

final class DatabaseUrlTest extends TestCase
{
    use Thrown;

    private string $before;

    protected function setUp(): void
    {
        // Includes function arguments in stack traces, like a badly configured site.
        $this->before = ini_set('zend.exception_ignore_args', '0');
    }

    protected function tearDown(): void
    {
        ini_set('zend.exception_ignore_args', $this->before);
    }

    public function testCreatesAPrivateSqliteFileWhoseReadersDoNotWait(): void
    {
        $file = Folder::temporary() . '/a;b c.db';
        $first = DatabaseUrl::parse('sqlite:' . str_replace(' ', '%20', $file) . '?timeout=50ms');
        $pdo = $first->connect();
        $pdo->exec('CREATE TABLE one (n)');
        self::assertSame(0600, fileperms($file) & 0777);
        self::assertSame('wal', $pdo->query('PRAGMA journal_mode')->fetchColumn());
        $pdo->exec('BEGIN IMMEDIATE');
        $pdo->exec('INSERT INTO one VALUES (1)');
        $other = $first->connect();
        self::assertSame(0, (int) $other->query('SELECT COUNT(*) FROM one')->fetchColumn(), 'a reader does not wait');
        chmod($file, 0640);
        $first->connect();
        clearstatcache();
        self::assertSame(0640, fileperms($file) & 0777, 'an existing file keeps its mode');
    }

    public function testKeepsTheJournalModeOfAFileInUse(): void
    {
        $file = Folder::temporary() . '/site.db';
        $other = new \PDO("sqlite:$file");
        $other->exec('CREATE TABLE one (n)');
        $other->exec('BEGIN IMMEDIATE');
        $journal = static fn (): string => DatabaseUrl::parse("sqlite:$file?timeout=10ms")->connect()
            ->query('PRAGMA journal_mode')->fetchColumn();
        self::assertSame('delete', $journal());
        $other->exec('COMMIT');
        self::assertSame('wal', $journal());
    }

    public function testIsUnavailableIfThePathIsNotASqliteFile(): void
    {
        $file = Folder::temporary();
        file_put_contents("$file/text", str_repeat('no database', 100));
        foreach ([
            $file => 'cannot be opened',
            "$file/text" => 'not an SQLite database',
            "$file/none/site.db" => 'cannot be opened',
        ] as $path => $meaning) {
            $error = self::thrown(SessionUnavailable::class, fn () => DatabaseUrl::parse("sqlite:$path")->connect());
            self::assertStringContainsString("the file $path: ", $error->getMessage());
            self::assertStringContainsString($meaning, $error->getMessage());
        }
    }

    public function testNamesAMissingExtension(): void
    {
        $code = 'require $argv[1]; foreach (array_slice($argv, 2) as $url)
            try { PhpSessionChat\Session\DatabaseUrl::parse($url); }
            catch (PhpSessionChat\Session\InvalidSettings $error) { echo $error->getMessage(), "\n"; }';
        $urls = ['mysql://site@h/site', 'postgres://site@h/site', 'sqlite:/srv/site.db'];
        // -n ignores php.ini, so only the built-in extensions are loaded.
        $command = [PHP_BINARY, '-n', '-r', $code, '--', dirname(__DIR__, 2) . '/php/autoload.php', ...$urls];
        $process = proc_open($command, [1 => ['pipe', 'w']], $pipes);
        $said = stream_get_contents($pipes[1]);
        proc_close($process);
        $missing = static fn (string $name): string => "PHP has no extension pdo_$name\n";
        self::assertSame(implode('', array_map($missing, ['mysql', 'pgsql', 'sqlite'])), $said);
    }

    /** @dataProvider servers */
    public function testConnectsWithUtf8PreparedStatementsAndExceptions(string $name): void
    {
        $server = self::server($name);
        $pdo = DatabaseUrl::parse($server->url)->connect();
        self::assertSame('86400', ini_get('mysqlnd.net_read_timeout'), 'the setting of other connections stays');
        self::assertSame(['張😀', '2'], array_map(strval(...), $pdo->query("SELECT '張😀', CHAR_LENGTH('張😀')")->fetch(\PDO::FETCH_NUM)));
        $both = $pdo->prepare('SELECT ?');
        $both->execute(["\\' OR 1"]);
        self::assertSame("\\' OR 1", $both->fetchColumn());
        $this->expectException(\PDOException::class);
        $wrong = $pdo->prepare('SELECT nothing');
        // PostgreSQL prepares a statement only when it is executed.
        self::assertSame('postgres', $name, 'other databases reject the statement when it is prepared');
        $wrong->execute();
    }

    /** @dataProvider servers */
    public function testCommitsEachStatementAndDoesNotTruncateValues(string $name): void
    {
        $admin = self::server($name)->admin();
        $admin->exec($name === 'mariadb' ? 'SET GLOBAL autocommit = 0' : 'SELECT 1');
        try {
            [$user, $socket] = $name === 'mariadb' ? ['root', '/socket'] : ['postgres', '/.s.PGSQL.' . self::server($name)->port];
            $pdo = DatabaseUrl::parse("$name://$user@/site?socket=" . self::server($name)->folder . $socket)->connect();
        } finally {
            $admin->exec($name === 'mariadb' ? 'SET GLOBAL autocommit = 1' : 'SELECT 1');
        }
        $pdo->exec('CREATE TABLE one (n VARCHAR(3))');
        $pdo->exec("INSERT INTO one VALUES ('abc')");
        $read = static fn (): mixed => self::server($name)->admin()->query('SELECT n FROM one')->fetchColumn();
        self::assertSame('abc', $read());
        try {
            $pdo->exec("UPDATE one SET n = 'abcd'");
            self::fail('the value was truncated');
        } catch (\PDOException) {
            self::assertSame('abc', $read());
        } finally {
            $pdo->exec('DROP TABLE one');
        }
    }

    /** @dataProvider servers */
    public function testSkipsHostsThatAreDownOrDoNotRespond(string $name): void
    {
        $server = self::server($name);
        $closed = ServerProcess::ownPort();
        $silent = stream_socket_server('tcp://127.0.0.1:0');
        $hosts = "@127.0.0.1:$closed,[::1]:$closed," . stream_socket_get_name($silent, false) . ",localhost:$server->port/";
        $start = microtime(true);
        $url = preg_replace('~@.*?/~', $hosts, $server->url) . '?timeout=100ms';
        self::assertSame('1', (string) DatabaseUrl::parse($url)->connect()->query('SELECT 1')->fetchColumn());
        // PHP and libpq round timeouts up to seconds.
        self::assertLessThan(Patience::SECONDS, microtime(true) - $start);
    }

    /** @dataProvider servers */
    public function testIsUnavailableWhileAllHostsAreReadOnly(string $name): void
    {
        $server = self::server($name);
        $both = DatabaseUrl::parse(preg_replace('~@.*?/~', "@127.0.0.1:$server->port,localhost:$server->port/", $server->url));
        [$stop, $go] = $name === 'mariadb'
            ? ['SET GLOBAL read_only = 1', 'SET GLOBAL read_only = 0']
            : ['ALTER ROLE site SET default_transaction_read_only = on', 'ALTER ROLE site RESET default_transaction_read_only'];
        $server->admin()->exec($stop);
        try {
            $both->connect();
            self::fail('connected');
        } catch (SessionUnavailable $error) {
            $said = '/^the database cannot be used: 127\.0\.0\.1:\d+: it is read-only.*; localhost:\d+: it is read-only/';
            self::assertMatchesRegularExpression($said, $error->getMessage());
        } finally {
            $server->admin()->exec($go);
        }
        self::assertSame('1', (string) $both->connect()->query('SELECT 1')->fetchColumn());
    }

    /** @dataProvider servers */
    public function testTlsVerifiesTheAuthorityAndTheHost(string $name): void
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
            $error = self::thrown(SessionUnavailable::class, fn () => DatabaseUrl::parse($url)->connect());
            self::assertStringContainsString('its certificate is not trusted', $error->getMessage());
        }
    }

    /** @dataProvider servers */
    public function testErrorsNameTheCauseWithoutSecrets(string $name): void
    {
        $server = self::server($name);
        $closed = ServerProcess::ownPort();
        foreach ([
            "$name://site:geheim@127.0.0.1:$server->port/site" => 'wrong user or password',
            "$name://niemand:geheim@127.0.0.1:$server->port/site" => 'wrong user or password',
            preg_replace('~/site$~', '/geheim', $server->url) => 'the database does not exist, or this user may not use it',
            "$name://site:geheim@127.0.0.1:$closed/site" => 'it cannot be reached',
        ] as $url => $meaning) {
            $error = self::thrown(SessionUnavailable::class, fn () => DatabaseUrl::parse($url)->connect());
            $said = "/^the database cannot be used: [\\w.]+:\\d+: $meaning, SQLSTATE \\w{5} \\(\\d+\\)$/";
            self::assertMatchesRegularExpression($said, $error->getMessage());
            self::assertNull($error->getPrevious());
            $all = self::shown($error) . print_r(DatabaseUrl::parse($url), true);
            foreach (['geheim', 'niemand', MariadbProcess::PASSWORD] as $secret) {
                self::assertStringNotContainsString($secret, $all);
            }
        }
    }

    /** @dataProvider refused */
    public function testRejectsAnInvalidUrl(string $url, string $message): void
    {
        $error = self::thrown(InvalidSettings::class, fn () => DatabaseUrl::parse($url));
        self::assertStringContainsString($message, $error->getMessage());
        self::assertStringNotContainsString('geheim', $error->getMessage());
    }

    /** @return iterable<array{string, string}> */
    public static function refused(): iterable
    {
        $at = 'mysql://site:geheim@h';
        yield ['', 'not a URL'];
        yield ['redis://site:geheim@h', 'a database URL must begin with'];
        yield ['mysql://h/site', 'a user'];
        yield [$at, 'the name of the database'];
        yield ["$at/a/b", 'the name of the database'];
        foreach ([';host=evil', '%3Bhost=evil', "'", '%22', '%5C', '%20x', '%00'] as $end) {
            yield ["$at/site$end", 'the name of the database'];
        }
        yield ["mysql://site:geheim@/site", 'either a host or a socket='];
        yield ["$at/site?socket=/run/s", 'either a host or a socket='];
        yield ['mysql://site:geheim@/site?socket=run/s', 'socket='];
        yield ['mysql://site:geheim@/site?socket=/run/s%3Bhost=evil', 'socket='];
        yield ['mysql://site:geheim@/site?socket=/run/s&tls=on', 'tls=on cannot be used with socket='];
        yield ['postgres://site:geheim@/site?socket=/run/postgresql', '/.s.PGSQL.5432'];
        yield ["$at:0/site", 'HOST:PORT'];
        yield ["$at;port=1/site", 'hosts must be HOST:PORT'];
        yield ['mysql://site:geheim@[1::2::3]/site', 'name or an address'];
        yield ['mysql://site:geheim@a,,b/site', 'HOST:PORT'];
        yield ["$at/site?timeout=0ms", 'timeout='];
        yield ["$at/site?charset=latin1", 'charset='];
        yield ["$at/site?tls=yes", 'tls='];
        yield ["$at/site?ca=/etc/ssl/certs/ca-certificates.crt", 'ca= needs tls=on'];
        yield ["$at/site?tls=on&ca=/nowhere.pem", '/nowhere.pem'];
        yield ["$at/site?tls=on&ca=/a%3Bhost=evil", 'ca='];
        yield ["$at/site?table=sessions", 'table='];
        yield ['sqlite:', 'path of a file'];
        yield ['sqlite://h/site.db', 'path of a file'];
        yield ['sqlite:/srv/a%00b', 'path of a file'];
    }

    /** @return iterable<string, array{string}> */
    public static function servers(): iterable
    {
        yield 'mariadb' => ['mariadb'];
        yield 'postgres' => ['postgres'];
    }

    /** The library's part of an exception as a log may show it. */
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
