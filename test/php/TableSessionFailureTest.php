<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\MariadbProcess;
use PhpSessionChat\Tests\Support\Patience;
use PhpSessionChat\Tests\Support\TableAnswer;
use PhpSessionChat\Tests\Support\TableSite;
use PHPUnit\Framework\TestCase;

/**
 * Tests that failures of a TableSession are exceptions without secrets, and not empty sessions.
 */
final class TableSessionFailureTest extends TestCase
{
    private const STORE = '$session->storeValue("some key", "some content"); return $session->save();';

    private TableSite $site;

    public function testIsUnavailableWhileTheDatabaseIsDown(): void
    {
        $this->site = TableSite::on('mariadb');
        $cookie = $this->site->visitor(['user_id' => 7]);
        $dead = preg_replace('/:\d+\/site$/', ':1/site', $this->site->url);
        foreach ([[$cookie, ''], [null, self::STORE]] as [$visitor, $code]) {
            $this->assertUnavailable($this->site->page($visitor, $code, ['database' => $dead]), $cookie);
        }
        $this->assertUnavailable($this->site->page($cookie, '', ['table' => 'none']), $cookie);
        self::assertSame(1, $this->site->count());
    }

    public function testWritesNothingAfterADatabaseFailureDuringThePage(): void
    {
        $this->site = TableSite::on('mariadb');
        $cookie = $this->site->visitor(['user_id' => 7]);
        $table = $this->site->table;
        $fail = "\$open['database']->exec('ALTER TABLE $table RENAME TO away_$table');";
        foreach ([
            [$cookie, '$session->storeValue("some key", "some content"); return $session->save();'],
            [$cookie, '$session->storeValue("some key", "some content"); return $session->regenerate();'],
            [$cookie, '$session->storeValue("some key", "some content"); $session->destroy();'],
            [$cookie, 'return $session->gc();'],
            [null, '$session->storeValue("some key", "some content"); return $session->save();'],
        ] as [$visitor, $code]) {
            // The database recovers before the page ends, but the page already reported the failure.
            $again = "finally { \$open['database']->exec('ALTER TABLE away_$table RENAME TO $table'); }";
            $this->assertUnavailable($this->site->page($visitor, "$fail try { $code } $again", as: 'PDO'), $cookie);
            self::assertSame(['user_id' => 7], $this->site->values($cookie));
            self::assertSame(1, $this->site->count());
        }
    }

    public function testRejectsARowThatIsNotAJsonObject(): void
    {
        $this->site = TableSite::on('mariadb');
        $cookie = $this->site->visitor(['user_id' => 7]);
        foreach (['[]', '[{"some key":1}]', '"some content"', 'null', '7'] as $data) {
            $this->site->query("UPDATE {$this->site->table} SET data = ?", $data);
            $answer = $this->site->page($cookie, self::STORE);
            self::assertStringStartsWith(SessionDataError::class . ': The stored session is not a JSON object.', $answer->error);
            self::assertStringNotContainsString('some content', $answer->error . $answer->trace);
            self::assertSame($data, $this->site->query("SELECT data FROM {$this->site->table}")->fetchColumn());
        }
        $this->site->query("UPDATE {$this->site->table} SET data = ?", " {\"user_id\" :\n8, \"\u{e9}\\\\\": \"\\/\u{e9}\"}");
        self::assertSame('', $this->site->page($cookie, self::STORE)->error);
        $values = ['user_id' => 8, "\u{e9}\\" => "/\u{e9}", 'some key' => 'some content'];
        $stored = $this->site->query("SELECT data FROM {$this->site->table}")->fetchColumn();
        self::assertEquals($values, json_decode($stored, true));
    }

    public function testWaitsForALockedRowUntilTheTimeout(): void
    {
        $this->site = TableSite::on('mariadb');
        $cookie = $this->site->visitor(['user_id' => 7]);
        $holder = $this->site->admin();
        $holder->exec('BEGIN');
        $holder->exec("UPDATE {$this->site->table} SET expires = expires + 1");
        $start = microtime(true);
        $answer = $this->site->page($cookie, self::STORE, ['database' => "{$this->site->url}?timeout=200ms"]);
        self::assertLessThan(Patience::SECONDS, microtime(true) - $start);
        $this->assertUnavailable($answer, $cookie);
        $holder->exec('ROLLBACK');
        self::assertSame('', $this->site->page($cookie, self::STORE)->error);
    }

    /** @dataProvider unstorable */
    public function testRejectsAValueThatCannotBeRestored(string $key, string $value, string $reason): void
    {
        $this->site = TableSite::on('sqlite');
        $cookie = $this->site->visitor(['a' => 1]);
        $code = '$session->storeValue("b", 2); $session->storeValue(' . TableSite::literal($key) . ", $value);";
        foreach ([null, $cookie] as $visitor) {
            $answer = $this->site->page($visitor, $code);
            self::assertStringStartsWith(SessionDataError::class . ": $reason", $answer->error);
            self::assertStringNotContainsString('secret', $answer->error . $answer->trace);
        }
    }

    /** @return iterable<string, array{string, string, string}> */
    public static function unstorable(): iterable
    {
        $deep = str_repeat('[', 31) . str_repeat(']', 31);
        foreach ([
            'bytes' => '"secret \xff"',
            'bytes in a key' => '["secret\xff" => 1]',
            'half a surrogate' => '"secret \xed\xa0\x80"',
            'an object' => '(object) ["secret" => 1]',
            'an object that can convert itself to JSON' => 'new class implements JsonSerializable { public function jsonSerialize(): mixed { return 1; } }',
            'INF' => 'INF',
            'NAN' => '[NAN]',
            'a stream' => 'STDERR_OR_ANY()',
            '31 levels' => $deep,
            'an array inside itself' => '(function () { $a = [1]; $a[] = &$a; return $a; })()',
        ] as $name => $value) {
            yield $name => ['the key', strtr($value, ['STDERR_OR_ANY()' => 'fopen("php://memory", "r")']), 'The session cannot store "the key"'];
        }
        yield 'a key of bytes' => ["odd\xff", '1', 'A key of a session must be UTF-8 without NUL.'];
        yield 'a key with NUL' => ["odd\0", '1', 'A key of a session must be UTF-8 without NUL.'];
    }

    /** @dataProvider settings */
    public function testRejectsInvalidSettings(array $open, string $message): void
    {
        $this->site = TableSite::on('sqlite');
        $answer = $this->site->page(null, '', $open);
        self::assertStringStartsWith(InvalidSettings::class, $answer->error);
        self::assertStringContainsString($message, $answer->error);
        self::assertStringNotContainsString('secret', $answer->error . $answer->trace);
    }

    /** @return iterable<string, array{array<string, mixed>, string}> */
    public static function settings(): iterable
    {
        $url = 'mysql://site:secret@127.0.0.1:1/site';
        yield 'no key file' => [['keyFile' => '/nowhere/keys'], '/nowhere/keys'];
        yield 'a short key' => [['keyFile' => Keys::fileOf('secret')], 'is not a key of 32 bytes in base64'];
        yield 'name' => [['name' => 'a.b'], 'name of the cookie'];
        yield 'empty name' => [['name' => ''], 'name of the cookie'];
        yield 'domain' => [['domain' => 'example.org; secure'], 'domain'];
        yield 'lifetime' => [['lifetime' => 0], 'lifetime'];
        yield 'long lifetime' => [['lifetime' => 367 * 86400], 'lifetime'];
        yield 'table' => [['table' => 'sessions; DROP TABLE x'], 'table'];
        yield 'table in the URL' => [['database' => "$url?table=a`b"], 'table='];
        yield 'column in the URL' => [['database' => "$url?id=a%20b"], 'id='];
        yield 'another format' => [['database' => "$url?format=php"], 'format='];
        yield 'another unit' => [['database' => "$url?expires_unit=datetime"], 'expires_unit='];
        yield 'an option of other stores' => [['database' => "$url?prefix=x"], 'prefix='];
        yield 'no database' => [['database' => 'redis://user:secret@h'], 'a database URL must begin with'];
    }

    private function assertUnavailable(TableAnswer $answer, string $cookie): void
    {
        self::assertStringStartsWith(SessionUnavailable::class, $answer->error);
        self::assertSame([], $answer->cookies);
        $key = base64_decode(file_get_contents($this->site->keyFile));
        foreach ([
            TableSite::id($cookie), 'some content', $key, MariadbProcess::PASSWORD, rawurlencode(MariadbProcess::PASSWORD),
        ] as $secret) {
            self::assertStringNotContainsString($secret, $answer->error . $answer->trace);
        }
    }
}
