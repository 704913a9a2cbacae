<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\Soak;
use PhpSessionChat\Tests\Support\TableSite;
use PHPUnit\Framework\TestCase;

/**
 * Tests the values of a TableSession between pages and in the row. Changes to JSON are tested on each database, everything
 * else on one in `npm test`.
 *
 * @group soak
 */
final class TableSessionTest extends TestCase
{
    private const OPEN = '$other = PhpSessionChat\Session\TableSession::open(...$open);';

    private TableSite $site;

    /** @return iterable<string, array{string}> */
    public static function databases(): iterable
    {
        foreach (['mariadb', 'postgres', 'sqlite'] as $database) {
            yield $database => [$database];
        }
    }

    /** @return iterable<string, array{string}> */
    public static function oneDatabase(): iterable
    {
        $all = [...self::databases()];
        yield from Soak::size($all, ['mariadb' => $all['mariadb']]);
    }

    /** @dataProvider databases */
    public function testRestoresEveryValueUnchanged(string $database): void
    {
        $this->site = TableSite::on($database);
        $deep = 1.0;
        for ($level = 0; $level < 30; $level++) {
            $deep = [$deep];
        }
        $values = [
            null, true, false, 0, -1, PHP_INT_MAX, PHP_INT_MIN, 1.0, -0.0, 0.1 + 0.2, 1e18, 1e25, 5e-324, PHP_FLOAT_MAX, '',
            '0', "x\"y\\z/\n\0\u{7f}é张😀\u{2028}", '\u0000', '\uFDd0', "\u{fdd0}", [], [1, null, 2.0],
            ['b' => 1, 'a' => null, 'c' => ['z' => 1.0, "\0*\0p" => "\0", '' => []]], [3 => 'x', 1 => 'y'], $deep,
        ];
        $cookie = $this->site->visitor(['first' => 1]);
        $this->value($cookie, TableSite::storing($values) . '$session->save();');
        // A change of another key must not affect them.
        $this->value($cookie, '$session->storeValue("other", 1); $session->save();');
        $this->value($cookie, '$session->remove("other"); $session->save();');
        $read = $this->value($cookie, 'return array_map(fn ($key) => $session->getValue("$key"), range(0, 24));');
        self::assertSame(serialize($values), serialize($read));
        $first = 'return [$session->getValue("first"), $session->getValue("none"), $session->getValue("none", "other")];';
        self::assertSame([1, null, 'other'], $this->value($cookie, $first));
        self::assertSame([null, null, 'other'], $this->value(null, $first));
    }

    /** @dataProvider databases */
    public function testAcceptsAnyTextAsKey(string $database): void
    {
        $this->site = TableSite::on($database);
        $keys = [
            'a', 'A', 'a ', ' a', '', '0', '12', '01', '-1', '-', '.', 'a.b', '$', '$.a', '$[0]', '*', '**', '[0]', 'last',
            '"', '\\', '\\"', 'a"b', 'a\\b', 'a\\\\b', "a'b", "';--", '"}', '{', '}', ':', ',', '":1,"x', '`', '?', ':id', '%s',
            '{data}', "a\nb", "\u{1}", "\u{7f}", '/', 'é', "e\u{301}", '张', '😀', "\u{2028}", "\u{fdd0}", '\\u0041', '\\u0000',
            '\\uFDd0', '__proto__', 'NULL', str_repeat('k', 500),
        ];
        $cookie = $this->site->visitor(['first' => 1]);
        foreach ([1, ['n' => null]] as $value) {
            $this->value($cookie, TableSite::storing(array_fill_keys($keys, $value)) . '$session->save();');
            self::assertEquals(['first' => 1] + array_fill_keys($keys, $value), $this->site->values($cookie));
        }
        [$removed, $kept] = array_chunk($keys, intdiv(count($keys), 2));
        $this->value($cookie, 'foreach (' . TableSite::literal($removed) . ' as $key) { $session->remove($key); } $session->save();');
        self::assertEquals(['first' => 1] + array_fill_keys($kept, ['n' => null]), $this->site->values($cookie));
    }

    /** @dataProvider oneDatabase */
    public function testPageReadsItsOwnChanges(string $database): void
    {
        $this->site = TableSite::on($database);
        $cookie = $this->site->visitor(['a' => 1]);
        $code = '$list = [1]; $list[1] = &$list[0];
            $session->storeValue("b", 2); $session->remove("b"); $session->remove("a"); $session->storeValue("a", 9);
            $session->storeValue("c", 1); $session->storeValue("c", $list); $list[0] = 5;
            $session->save();
            return [$session->getValue("a"), $session->getValue("b"), $session->getValue("c")];';
        self::assertSame([9, null, [1, 1]], $this->value($cookie, $code));
        self::assertEquals(['a' => 9, 'c' => [1, 1]], $this->site->values($cookie));
    }

    /** @dataProvider databases */
    public function testConcurrentRequestsKeepEachOthersChanges(string $database): void
    {
        $this->site = TableSite::on($database);
        $cookie = $this->site->visitor(['a' => 1, 'b' => 1, 'c' => ['x' => 1], 'd' => 1]);
        $code = self::OPEN . '
            $other->storeValue("a", 2); $other->remove("b"); $other->storeValue("new", 1); $other->storeValue("d", 2); $other->save();
            $session->storeValue("c", ["y" => 1]); $session->storeValue("more", 1); $session->storeValue("d", 1); $session->save();
            return $session->getValue("a");';
        self::assertSame(1, $this->value($cookie, $code), 'the values are loaded once');
        self::assertEquals(['a' => 2, 'c' => ['y' => 1], 'd' => 2, 'new' => 1, 'more' => 1], $this->site->values($cookie));
    }

    /** @dataProvider oneDatabase */
    public function testLoadsAndSavesWithOneStatementEach(string $database): void
    {
        $this->site = TableSite::on($database);
        $executed = 'return PhpSessionChat\Tests\Support\CountedStatement::$executed;';
        $change = '$session->storeValue("a", 3); $session->remove("b"); $session->storeValue("c", 4);';
        $cookie = $this->site->visitor(['a' => 1, 'b' => 2]);
        foreach ([
            'save()' => [$cookie, "$change \$session->save(); \$session->save(); $executed", ['SELECT', 'UPDATE']],
            'nothing changed' => [$cookie, "\$session->storeValue('a', 3); \$session->save(); $executed", ['SELECT']],
            'regenerate()' => [$cookie, "$change \$session->regenerate(); \$session->save(); $executed", ['SELECT', 'UPDATE']],
            'a new visitor' => [null, "$change \$session->save(); \$session->save(); $executed", ['INSERT']],
            'a visitor without values' => [null, "\$session->getValue('a'); \$session->save(); $executed", []],
        ] as $case => [$visitor, $code, $statements]) {
            // Without random deletions of expired sessions.
            $page = $this->site->page($visitor, $code, ['collect' => 0], 'PDO');
            self::assertSame($statements, $page->value, $case);
        }
    }

    /** @dataProvider oneDatabase */
    public function testUsesAConnectionOfTheApplication(string $database): void
    {
        $this->site = TableSite::on($database);
        $cookie = $this->site->visitor(['a' => 1]);
        $defaults = ['database' => $this->site->dsn];
        foreach (['DatabaseUrl' => [], 'PDO' => [], 'PDO by default' => $defaults] as $as => $open) {
            $change = TableSite::storing(["\\'$as\"" => ["\\'\"\0"]]) . 'return $session->save();';
            self::assertTrue($this->site->page($cookie, $change, $open, $as)->value);
            self::assertSame(["\\'\"\0"], $this->site->values($cookie)["\\'$as\""]);
            // MySQL does not count the second of two equal changes within a second.
            $same = self::OPEN . '$session->storeValue("n", "' . $as . '"); $other->storeValue("n", "' . $as . '");
                return [$session->save(), $other->save(), $other->getValue("a")];';
            self::assertSame([true, true, 1], $this->site->page($cookie, $same, $open, $as)->value);
        }
        $silent = $this->site->page($cookie, '', as: 'PDO', before: '$open["database"]->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_SILENT);');
        self::assertStringContainsString('ERRMODE_EXCEPTION', $silent->error);
    }

    /** @dataProvider oneDatabase */
    public function testReadsTheTableAndColumnsFromTheUrlLikeTheChatServer(string $database): void
    {
        $this->site = TableSite::on($database);
        $table = $this->site->table . 'b';
        $url = $this->site->url . "?table=$table&id=sid&data=payload&expires=until&expires_unit=unix&format=json";
        $create = 'PhpSessionChat\Session\TableSession::createTable($open["database"]);';
        $answer = $this->site->page(null, '$session->storeValue("a", 1); $session->save();', ['database' => $url], before: "$create$create");
        self::assertSame('', $answer->error);
        $row = $this->site->query("SELECT payload, until FROM $table WHERE sid = ?", TableSite::id($answer->cookie()))->fetch();
        self::assertSame(['{"a":1}', true], [$row[0], $row[1] > time() + 1400]);
    }

    private function value(?string $cookie, string $code): mixed
    {
        $answer = $this->site->page($cookie, $code);
        self::assertSame('', $answer->error);
        return $answer->value;
    }
}
