<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\TableAnswer;
use PhpSessionChat\Tests\Support\TableSite;
use PHPUnit\Framework\TestCase;

/**
 * Tests the start, renewal, new ID and end of a TableSession. TableSessionTest covers differences between databases.
 */
final class TableSessionLifeTest extends TestCase
{
    private const OPEN = '$other = PhpSessionChat\Session\TableSession::open(...$open);';

    private TableSite $site;

    public function testCreatesNoRowOrCookieForAnEmptySession(): void
    {
        $this->site = TableSite::on('sqlite');
        foreach ([
            '$session->save();',
            '$session->getValue("user_id"); $session->remove("user_id"); $session->regenerate(); $session->save();',
            '$session->storeValue("a", 1); $session->remove("a"); $session->save();',
        ] as $code) {
            self::assertSame([], $this->page(null, $code)->cookies);
        }
        self::assertSame(0, $this->site->count());
    }

    public function testRegenerateMovesTheSessionToANewId(): void
    {
        $this->site = TableSite::on('sqlite');
        $old = $this->site->visitor(['csrf' => 'x', 'cart' => 1]);
        $login = '$session->storeValue("user_id", 7); $session->remove("csrf"); $moved = $session->regenerate(); return $moved;';
        $answer = $this->page($old, $login);
        self::assertTrue($answer->value);
        $new = $answer->cookie();
        self::assertNotSame(TableSite::id($old), TableSite::id($new));
        self::assertSame(1, $this->site->count());
        self::assertEquals(['cart' => 1, 'user_id' => 7], $this->site->values($new));
        self::assertSame([null, null], $this->page($old, 'return [$session->getValue("user_id"), $session->getValue("cart")];')->value);
        self::assertSame(7, $this->page($new, 'return $session->getValue("user_id");')->value);
    }

    public function testDestroyRemovesTheSessionAndTheNextValueStartsAnother(): void
    {
        $this->site = TableSite::on('sqlite');
        $cookie = $this->site->visitor(['user_id' => 7]);
        $answer = $this->page($cookie, '$session->storeValue("b", 1); $session->destroy(); return $session->getValue("user_id", "gone");');
        self::assertSame(['gone', ''], [$answer->value, $answer->cookie()]);
        self::assertStringContainsString('Max-Age=0', $answer->cookies[0]);
        self::assertSame(0, $this->site->count());
        self::assertNull($this->page($cookie, 'return $session->getValue("user_id");')->value);
        // The new session has another ID than the visitor's cookie, on the same page and later.
        $other = $this->site->visitor(['user_id' => 7]);
        foreach ([[$cookie, ''], [$other, '$session->destroy();']] as [$visitor, $before]) {
            $new = $this->page($visitor, "$before \$session->storeValue('notice', 'Goodbye'); \$session->save();")->cookie();
            self::assertMatchesRegularExpression('/^[0-9a-f]{32}\.[0-9a-f]{64}$/', $new);
            self::assertNotSame(TableSite::id($visitor), TableSite::id($new));
            self::assertSame(['notice' => 'Goodbye'], $this->site->values($new));
        }
    }

    public function testDestroyReturnsFalseIfAnotherRequestEndedOrMovedTheSession(): void
    {
        $this->site = TableSite::on('sqlite');
        foreach (['regenerate' => 1, 'destroy' => 0] as $meanwhile => $left) {
            $cookie = $this->site->visitor(['user_id' => 7]);
            $code = self::OPEN . "\$other->$meanwhile(); return [\$session->destroy(), \$session->destroy()];";
            self::assertSame([false, true], $this->page($cookie, $code)->value);
            self::assertSame($left, $this->site->count());
            $this->site->query("DELETE FROM {$this->site->table}");
        }
        self::assertTrue($this->page($this->site->visitor(['user_id' => 7]), 'return $session->destroy();')->value);
    }

    public function testPageSlowerThanALogoutWritesNothing(): void
    {
        // MySQL does not count unchanged rows, so the library queries whether the session exists.
        $this->site = TableSite::on('mariadb');
        foreach (['save', 'regenerate'] as $write) {
            $cookie = $this->site->visitor(['user_id' => 7]);
            $answer = $this->page($cookie, self::OPEN . "\$other->destroy(); header_remove('Set-Cookie');
                \$session->storeValue('page', 1); return [\$session->$write(), \$session->getValue('user_id')];");
            self::assertSame([false, null], $answer->value);
            self::assertSame([], $answer->cookies);
            self::assertSame(0, $this->site->count());
        }
    }

    public function testPageSlowerThanItsSessionDoesNotRenewIt(): void
    {
        $this->site = TableSite::on('sqlite');
        foreach (['save', 'regenerate'] as $write) {
            $cookie = $this->site->visitor(['user_id' => 7]);
            $answer = $this->page($cookie, "\$session->getValue('user_id');
                \$open['database']->exec('UPDATE {$this->site->table} SET expires = 1');
                \$session->storeValue('page', 1); return [\$session->$write(), \$session->getValue('user_id')];", 'PDO');
            self::assertSame([false, null], $answer->value);
            self::assertSame([], $answer->cookies);
            self::assertLessThan(0, $this->remaining($cookie));
        }
    }

    public function testRejectedSaveDoesNotReplaceANewerLogin(): void
    {
        $this->site = TableSite::on('sqlite');
        foreach (['save', 'regenerate'] as $write) {
            $cookie = $this->site->visitor(['user_id' => 7]);
            $answer = $this->page($cookie, self::OPEN . "\$other->destroy(); \$other->storeValue('user_id', 8); \$other->save();
                header_remove('Set-Cookie'); \$session->storeValue('page', 1); \$refused = \$session->$write();
                \$session->storeValue('page', 2); return [\$refused, \$session->save(), \$session->regenerate()];");
            self::assertSame([false, false, false], $answer->value);
            self::assertSame([], $answer->cookies);
            $data = $this->site->query("SELECT data FROM {$this->site->table}")->fetchAll(\PDO::FETCH_COLUMN);
            self::assertSame(['{"user_id":8}'], $data);
            $this->site->query("DELETE FROM {$this->site->table}");
        }
    }

    public function testDoesNotReadAnExpiredSession(): void
    {
        $this->site = TableSite::on('sqlite');
        $cookie = $this->site->visitor(['user_id' => 7]);
        $this->setRemaining($cookie, 0);
        $answer = $this->page($cookie, '$found = $session->getValue("user_id"); $session->storeValue("n", 1); $session->save(); return $found;');
        self::assertNull($answer->value);
        self::assertSame(['n' => 1], $this->site->values($answer->cookie()));
        self::assertNotSame(TableSite::id($cookie), TableSite::id($answer->cookie()));
    }

    public function testRenewsTheLifetimeOnChangesAndOnceAMinute(): void
    {
        $this->site = TableSite::on('sqlite');
        $cookie = $this->site->visitor(['user_id' => 7]);
        self::assertEqualsWithDelta(1440, $this->remaining($cookie), 10);
        $this->setRemaining($cookie, 1440 - 50);
        $this->page($cookie);
        self::assertEqualsWithDelta(1440 - 50, $this->remaining($cookie), 10);
        $this->page($cookie, '$session->storeValue("n", 1); $session->save();');
        self::assertEqualsWithDelta(1440, $this->remaining($cookie), 10);
        $this->setRemaining($cookie, 1440 - 70);
        $this->page($cookie);
        self::assertEqualsWithDelta(1440, $this->remaining($cookie), 10);
        $this->page($cookie, '$session->save();', lifetime: 7 * 86400);
        self::assertEqualsWithDelta(7 * 86400, $this->remaining($cookie), 10);
        $this->setRemaining($cookie, 85);
        $this->page($cookie, '$session->save();', lifetime: 100);
        self::assertEqualsWithDelta(100, $this->remaining($cookie), 10);
    }

    public function testExpiryFollowsTheClockOfTheDatabase(): void
    {
        $this->site = TableSite::on('mariadb');
        $cookie = $this->site->visitor(['user_id' => 7]);
        foreach ([1450 => null, 1430 => 7] as $later => $user) {
            $clock = '$open["database"]->exec("SET timestamp = " . (time() + ' . $later . '));';
            self::assertSame($user, $this->page($cookie, 'return $session->getValue("user_id");', 'PDO', $clock)->value);
        }
    }

    public function testGarbageCollectionDeletesExpiredSessions(): void
    {
        $this->site = TableSite::on('sqlite');
        $over = [$this->site->visitor(['a' => 1]), $this->site->visitor(['a' => 2])];
        $live = $this->site->visitor(['a' => 3]);
        foreach ($over as $cookie) {
            $this->setRemaining($cookie, -1);
        }
        self::assertSame(2, $this->page(null, 'return $session->gc();')->value);
        self::assertSame(['a' => 3], $this->site->values($live));
        $this->setRemaining($this->site->visitor(['a' => 4]), -1);
        foreach ([0 => 2, 1 => 1] as $collect => $left) {
            self::assertSame('', $this->site->page($live, '', compact('collect'))->error);
            self::assertSame($left, $this->site->count());
        }
    }

    public function testSavesUnsavedChangesAtTheEndOfThePage(): void
    {
        $this->site = TableSite::on('sqlite');
        $cookie = $this->page(null, '$session->storeValue("a", 1);')->cookie();
        self::assertSame(['a' => 1], $this->site->values($cookie));
        $this->page($cookie, '$session->save(); $session->storeValue("b", 2); $session->save(); $session->storeValue("b", 3);');
        self::assertEquals(['a' => 1, 'b' => 3], $this->site->values($cookie));
        $this->page($cookie, '$session->destroy();');
        self::assertSame(0, $this->site->count());
    }

    private function page(?string $cookie, string $code = '', string $as = 'URL', string $before = '', int $lifetime = 1440): TableAnswer
    {
        $answer = $this->site->page($cookie, $code, compact('lifetime'), $as, $before);
        self::assertSame('', $answer->error);
        return $answer;
    }

    private function remaining(string $cookie): int
    {
        $sql = "SELECT expires FROM {$this->site->table} WHERE id = ?";
        return (int) $this->site->query($sql, TableSite::id($cookie))->fetchColumn() - time();
    }

    private function setRemaining(string $cookie, int $seconds): void
    {
        $end = time() + $seconds;
        $this->site->query("UPDATE {$this->site->table} SET expires = $end WHERE id = ?", TableSite::id($cookie));
    }
}
