<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Database\SqlDialect;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\MariadbProcess;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\RedisProcess;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/** Tests the examples in docs/php.md and php/README.md. */
final class DocumentationTest extends TestCase
{
    private const ROOT = __DIR__ . '/../..';

    /** @dataProvider examples */
    public function testExampleRunsWithoutOutput(string $example): void
    {
        // Creates the table of the examples.
        Store::named('mariadb');
        $folder = Folder::temporary();
        $script = "$folder/example.php";
        file_put_contents($script, "<?php\nrequire '" . realpath(self::ROOT) . "/php/autoload.php';\n" . strtr($example, [
            '127.0.0.1:6379' => '127.0.0.1:' . RedisProcess::shared()->port,
            "'127.0.0.1', 6379" => "'127.0.0.1', " . RedisProcess::shared()->port,
            '127.0.0.1:11211' => '127.0.0.1:' . MemcachedProcess::shared()->port,
            "'127.0.0.1', 11211" => "'127.0.0.1', " . MemcachedProcess::shared()->port,
            'localhost:9090' => 'localhost:' . SessionServerProcess::shared()->port,
            "'localhost', 9090" => "'localhost', " . SessionServerProcess::shared()->port,
            'mariadb://site:PASSWORD@127.0.0.1/site' => MariadbProcess::shared()->url,
            '/mnt/shared/sessions' => $folder,
            '/etc/site/session-keys' => Keys::file(),
            '/etc/site/cookie-keys' => Keys::file(),
            '30_000' => '1',
        ]));
        $command = [
            PHP_BINARY, '-d', 'error_reporting=-1', '-d', 'display_errors=1', '-d', 'session.save_path=',
            '-d', 'session.upload_progress.enabled=0', $script,
        ];
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
        self::assertSame('', stream_get_contents($pipes[1]));
        self::assertSame(0, proc_close($process));
    }

    /** @return iterable<string, array{string}> */
    public static function examples(): iterable
    {
        foreach (['docs/php.md' => 2, 'php/README.md' => 7] as $file => $count) {
            preg_match_all('/^```php\n(.*?)^```$/ms', self::read($file), $found);
            self::assertGreaterThanOrEqual($count, count($found[1]));
            foreach ($found[1] as $n => $example) {
                yield "$file, example " . ($n + 1) => [$example];
            }
        }
    }

    public function testSqlOfTheTableMatchesPdoHandler(): void
    {
        $page = self::read('docs/php.md');
        self::assertSame(1, preg_match('/^```sql\n-- MariaDB, MySQL\n(.*?)^```$/ms', $page, $sql));
        self::assertSame(1, preg_match('/in PostgreSQL `(.*?)`, in SQLite `(.*?)`\./', $page, $columns));
        $found = ['MariaDB' => $sql[1]];
        foreach (['PostgreSQL', 'SQLite'] as $n => $database) {
            $found[$database] = preg_replace('/\bid .*? MEDIUMBLOB NOT NULL/s', $columns[$n + 1], $sql[1], 1, $count);
            self::assertSame(1, $count);
        }
        $bare = static fn (string $sql): string => preg_replace('/[\s"`;]/', '', $sql);
        $expected = array_map(
            static fn (SqlDialect $dialect): string => $bare(implode('', $dialect->createTable())),
            ['MariaDB' => SqlDialect::MySql, 'PostgreSQL' => SqlDialect::PostgreSql, 'SQLite' => SqlDialect::Sqlite],
        );
        self::assertSame($expected, array_map($bare, $found));
    }

    private static function read(string $file): string
    {
        return file_get_contents(self::ROOT . "/$file");
    }
}
