<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\DatabaseUrl;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PHPUnit\Framework\TestCase;

final class DatabaseUrlTest extends TestCase
{
    public function testAnSqliteFile(): void
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
        self::assertSame(0, (int) $other->query('SELECT COUNT(*) FROM one')->fetchColumn(), 'who reads does not wait');
        chmod($file, 0640);
        $first->connect();
        clearstatcache();
        self::assertSame(0640, fileperms($file) & 0777, 'a file that was there is left as it is');
    }

    public function testAFileThatOthersUseIsTakenAsItIs(): void
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

    public function testNoSqliteFile(): void
    {
        $file = Folder::temporary();
        file_put_contents("$file/text", str_repeat('no database', 100));
        foreach ([
            $file => 'cannot be opened',
            "$file/text" => 'no SQLite database',
            "$file/none/site.db" => 'cannot be opened',
        ] as $path => $meaning) {
            try {
                DatabaseUrl::parse("sqlite:$path")->connect();
                self::fail('opened');
            } catch (SessionUnavailable $error) {
                self::assertStringContainsString("the file $path: ", $error->getMessage());
                self::assertStringContainsString($meaning, $error->getMessage());
            }
        }
    }

    public function testWithoutTheExtension(): void
    {
        $load = 'require ' . var_export(dirname(__DIR__, 2) . '/php/autoload.php', true) . ';';
        $code = $load . 'try { PhpSessionChat\Session\DatabaseUrl::parse($argv[1]); }
            catch (PhpSessionChat\Session\InvalidSettings $error) { echo $error->getMessage(), "\n"; }';
        $said = '';
        foreach (['mysql://site@h/site', 'postgres://site@h/site', 'sqlite:/srv/site.db'] as $url) {
            // Without php.ini there is none but what is built in.
            $process = proc_open([PHP_BINARY, '-n', '-r', $code, '--', $url], [1 => ['pipe', 'w']], $pipes);
            $said .= stream_get_contents($pipes[1]);
            proc_close($process);
        }
        $missing = static fn (string $name): string => "PHP has no extension pdo_$name\n";
        self::assertSame(implode('', array_map($missing, ['mysql', 'pgsql', 'sqlite'])), $said);
    }

    /** @dataProvider refused */
    public function testRefusesWhatItCannotUse(string $url, string $message): void
    {
        try {
            DatabaseUrl::parse($url);
            self::fail('not refused');
        } catch (InvalidSettings $error) {
            self::assertStringContainsString($message, $error->getMessage());
            self::assertStringNotContainsString('geheim', $error->getMessage());
        }
    }

    /** @return iterable<array{string, string}> */
    public static function refused(): iterable
    {
        $at = 'mysql://site:geheim@h';
        yield ['', 'not a URL'];
        yield ['site:geheim@h', 'a database is'];
        yield ['redis://site:geheim@h', 'a database is'];
        yield ['mysql://h/site', 'a user'];
        yield ['mysql://:geheim@h/site', 'a user'];
        yield [$at, 'its name'];
        yield ["$at/", 'its name'];
        yield ["$at/a/b", 'its name'];
        foreach ([';host=evil', '%3Bhost=evil', "'", '%22', '%5C', '%20x', '%00'] as $end) {
            yield ["$at/site$end", 'its name'];
        }
        yield ["mysql://site:geheim@/site", 'either a host or a socket='];
        yield ["$at/site?socket=/run/s", 'either a host or a socket='];
        yield ['mysql://site:geheim@/site?socket=run/s', 'socket='];
        yield ['mysql://site:geheim@/site?socket=/run/s%3Bhost=evil', 'socket='];
        yield ['mysql://site:geheim@/site?socket=/run/s&tls=on', 'tls=on is not for a socket='];
        yield ['postgres://site:geheim@/site?socket=/run/postgresql', '/.s.PGSQL.5432'];
        yield ["$at:0/site", 'HOST:PORT'];
        yield ["$at:65536/site", 'HOST:PORT'];
        yield ["$at;port=1/site", 'name or an address'];
        yield ["$at%20/site", 'name or an address'];
        yield ['mysql://site:geheim@a,,b/site', 'HOST:PORT'];
        yield ['mysql://site:geheim@[::1;x]/site', 'HOST:PORT'];
        yield ["$at/site?timeout=0ms", 'timeout='];
        yield ["$at/site?charset=latin1", 'charset='];
        yield ["$at/site?tls=yes", 'tls='];
        yield ["$at/site?ca=/etc/ssl/certs/ca-certificates.crt", 'ca= is for tls=on'];
        yield ["$at/site?tls=on&ca=/nowhere.pem", '/nowhere.pem'];
        yield ["$at/site?tls=on&ca=/a%3Bhost=evil", 'ca='];
        yield ["$at/site?table=sessions", 'table='];
        yield ['sqlite:', 'path of the file'];
        yield ['sqlite://h/site.db', 'path of the file'];
        yield ['sqlite::memory:', 'path of the file'];
        yield ['sqlite:/srv/a%00b', 'path of the file'];
    }
}
