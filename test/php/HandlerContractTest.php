<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\SiteAnswer;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/**
 * The contract of every handler under PHP's session functions, with requests to a web server. The wrapping handlers and
 * the callbacks do not depend on the store or each other, so not every combination is tested.
 */
final class HandlerContractTest extends TestCase
{
    private const LOGIN = '$_SESSION = ["user_id" => 1, "firstname" => "张", "list" => [1.5, null]];';

    private const DATA = ['user_id' => 1, 'firstname' => '张', 'list' => [1.5, null]];

    private Store $store;
    private string $options;
    private string $registration;

    /** @return iterable<string, array{string, string, string}> store, options, registration */
    public static function handlers(): iterable
    {
        $php = '&format=php_serialize';
        yield 'memcached' => ['memcached', $php, 'object'];
        yield 'redis, as JSON, callbacks' => ['redis', '&format=json', 'callbacks'];
        yield 'mariadb' => ['mariadb', $php, 'object'];
        yield 'postgres, encrypted' => ['postgres', "$php&layers=decrypt:" . Keys::file(), 'object'];
        yield 'sqlite, callbacks' => ['sqlite', $php, 'callbacks'];
        yield 'files' => ['files', $php, 'object'];
        yield 'session-server' => ['session-server with short locks', $php, 'object'];
    }

    /** @dataProvider handlers */
    public function testKeepsDataAcrossRequests(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        self::assertSame($id, $this->request($id, '$_SESSION["n"] = 2')->id);
        self::assertSame(2, $this->request($id, '$_SESSION["n"] = 3; session_reset()')->session['n']);
        self::assertSame([], $this->request(null)->session, 'of another visitor');
        $bytes = '$_SESSION["bytes"] = implode(array_map(chr(...), range(0, 255)))';
        $error = $this->request($id, $bytes)->error;
        $large = '$_SESSION["large"] = str_repeat("0123456789", 100_000)';
        if (str_contains($this->options, 'json')) {
            self::assertStringContainsString('SessionDataError: The session cannot be stored as JSON', $error);
            $expected = self::DATA + ['n' => 2];
        } else {
            self::assertSame('', $error);
            $expected = self::DATA + ['n' => 2, 'bytes' => implode(array_map(chr(...), range(0, 255)))];
        }
        self::assertSame('', $this->request($id, $large)->error);
        self::assertTrue($expected + ['large' => str_repeat('0123456789', 100_000)] === $this->request($id)->session);
    }

    /** @dataProvider handlers */
    public function testReplacesAnInventedId(string ...$handler): void
    {
        $this->use(...$handler);
        foreach ([str_repeat('a', 26), strtoupper($this->begin()), '../../../../../etc/passwd', str_repeat('a', 26) . "\n", ''] as $invented) {
            $request = $this->request($invented, self::LOGIN);
            self::assertSame('', $request->error);
            self::assertMatchesRegularExpression('/^[a-z0-9,-]{26,32}\z/', $request->id);
            self::assertNotSame($invented, $request->id);
        }
        self::assertNull($this->store->get(str_repeat('a', 26)));
    }

    /** @dataProvider handlers */
    public function testRenewsTheLifetimeAndEndsTheSessionAtItsExpiry(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 60);
        $this->store->setRemaining($id, 100);
        $this->request($id, '$_SESSION["n"] = 1');
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 60);
        // A page without changes only renews the lifetime. A write would overwrite this record.
        $this->store->setRemaining($id, 100);
        self::assertSame('', $this->request($id, '$store->put(session_id(), "as it was")')->error);
        self::assertSame('as it was', $this->store->get($id));
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 60);

        [$expired, $collected, $live] = [$this->begin(), $this->begin(), $this->begin()];
        $this->store->setRemaining($expired, 0);
        $request = $this->request($expired);
        self::assertSame(['', []], [$request->error, $request->session]);
        self::assertNotSame($expired, $request->id);
        $this->store->setRemaining($collected, 0);
        $byItself = $this->store->get($collected) === null;
        $request = $this->request($live, '$_SESSION["collected"] = session_gc()');
        self::assertSame($byItself, $request->session['collected'] === 0);
        self::assertNull($this->store->get($collected));
        self::assertNotNull($this->store->get($live));
    }

    /** @dataProvider handlers */
    public function testKeepsTheCookieWhileTheStoreIsDown(string ...$handler): void
    {
        $this->use(...$handler);
        foreach ([null, str_repeat('a', 26)] as $id) {
            $request = Site::request($this->store->deadUrl() . $this->options, $id, registration: $this->registration);
            self::assertStringStartsWith('PhpSessionChat\Session\SessionUnavailable: ', $request->error);
            self::assertDoesNotMatchRegularExpression('/secret|a{26}/', $request->error);
            // A new cookie would log the visitor out.
            self::assertCount($id === null ? 1 : 0, $request->cookies);
        }
    }

    /** @dataProvider handlers */
    public function testSequentialRequestsWorkWithALock(string ...$handler): void
    {
        $this->use(...$handler);
        $this->options .= '&lock=1';
        $id = $this->begin();
        self::assertSame(1, $this->request($id, '$_SESSION["n"] = 1')->session['n']);
        // A failed request, and one that starts its session twice, release the lock.
        $failing = str_contains($this->options, 'json') ? '$_SESSION["o"] = new stdClass' : 'throw new Exception("n")';
        self::assertNotSame('', $this->request($id, $failing)->error);
        $twice = $this->request($id, '$_SESSION["n"]++; session_write_close(); session_start(); $_SESSION["n"]++');
        self::assertSame(['', 3], [$twice->error, $twice->session['n']]);
        $new = $this->request($id, 'session_regenerate_id(true); $_SESSION["n"]++');
        self::assertSame(['', 4], [$new->error, $this->request($new->id)->session['n']]);
        self::assertSame('', $this->request($new->id, 'session_destroy()')->error);
        self::assertNull($this->store->get($new->id));
    }

    /** @dataProvider handlers */
    public function testRegenerateCopiesOrMovesTheSessionAndDestroyRemovesIt(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $copy = $this->request($id, 'session_regenerate_id(false); $_SESSION["user_id"] = 2');
        self::assertNotSame($id, $copy->id);
        self::assertSame(self::DATA, $this->request($id)->session, 'the old session stays');
        self::assertSame(2, $this->request($copy->id)->session['user_id']);
        $moved = $this->request($id, 'session_regenerate_id(true)');
        self::assertNull($this->store->get($id));
        self::assertSame(self::DATA, $this->request($moved->id)->session);
        self::assertSame('', $this->request($moved->id, 'session_destroy()')->error);
        self::assertNull($this->store->get($moved->id));
        self::assertNotSame($moved->id, $this->request($moved->id)->id);
    }

    /** @dataProvider handlers */
    public function testDoesNotWriteASessionThatEndedDuringThePage(string ...$handler): void
    {
        $this->use(...$handler);
        foreach (['', '$_SESSION["cart"] = 3'] as $rest) {
            $id = $this->begin();
            self::assertSame('', $this->request($id, "\$store->remove(session_id()); $rest")->error);
            self::assertNull($this->store->get($id));
        }
    }

    /** @dataProvider handlers */
    public function testDoesNotRegenerateASessionThatEndedDuringThePage(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $ended = '$store->remove(session_id());';
        $request = $this->request($id, "$ended session_regenerate_id(true); \$_SESSION['cart'] = 3");
        self::assertStringStartsWith(SessionUnavailable::class . ': The session ended or', $request->error);
        // Another page may have changed the ID, and the browser must keep the cookie of that page.
        self::assertSame([], $request->cookies);
        self::assertNull($this->store->get($id));
        self::assertNull($this->store->get($request->id));
        // The same applies to a page that ignores the exception.
        $try = 'try { session_regenerate_id(true); } catch (Throwable) {} $ids[] = session_id();';
        $request = $this->request($this->begin(), "$ended $try $try \$_SESSION['cart'] = \$ids");
        self::assertSame([], $request->cookies);
        foreach ($request->session['cart'] as $tried) {
            self::assertNull($this->store->get($tried));
        }
        // A session that the page starts afterwards is stored.
        $new = $this->request($this->begin(), "$ended session_destroy(); session_start(); \$_SESSION = ['n' => 1]");
        self::assertSame(['n' => 1], $this->request($new->id)->session);
    }

    private function use(string $store, string $options, string $registration): void
    {
        $this->store = Store::named($store);
        [$this->options, $this->registration] = [$options, $registration];
    }

    /** Logs a user in. @return string the session ID */
    private function begin(): string
    {
        $first = $this->request(null, self::LOGIN);
        self::assertSame(['', self::DATA], [$first->error, $first->session]);
        return $first->id;
    }

    private function request(?string $id, string $code = ''): SiteAnswer
    {
        return Site::request($this->store, $id, "$code;", $this->options, $this->registration, ['gc_maxlifetime' => '1440']);
    }
}
