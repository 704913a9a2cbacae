<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\SiteAnswer;
use PhpSessionChat\Tests\Support\Soak;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/**
 * The contract of every handler under PHP's own session functions. Each request goes to a web server.
 *
 * @group soak
 */
final class HandlerContractTest extends TestCase
{
    private const STORES = [
        'memcached', 'redis', 'mariadb', 'postgres', 'sqlite', 'files', 'session-server with short locks',
    ];

    /**
     * The wrapping handlers and the callbacks depend neither on the store nor on each other, and the tables differ in their
     * SQL alone: `npm test` has each once.
     */
    private const REDUCED = [
        ['memcached', 'as PHP writes it', 'object'],
        ['redis', 'as JSON', 'callbacks'],
        ['mariadb', 'as PHP writes it', 'object'],
        ['postgres', 'encrypted', 'object'],
        ['sqlite', 'as PHP writes it', 'callbacks'],
        ['files', 'as PHP writes it', 'object'],
        ['session-server with short locks', 'as PHP writes it', 'object'],
    ];

    private const LOGIN = '$_SESSION = ["user_id" => 1, "firstname" => "张", "list" => [1.5, null]];';

    private const DATA = ['user_id' => 1, 'firstname' => '张', 'list' => [1.5, null]];

    private Store $store;
    private string $options;
    private string $registration;

    /** @return iterable<string, array{string, string, string}> store, options, registration */
    public static function handlers(): iterable
    {
        $formats = [
            'as PHP writes it' => '&format=php_serialize',
            'as JSON' => '&format=json',
            'encrypted' => '&format=php_serialize&layers=decrypt:' . Keys::file(),
        ];
        $all = [];
        foreach (self::STORES as $store) {
            foreach (array_keys($formats) as $format) {
                array_push($all, [$store, $format, 'object'], [$store, $format, 'callbacks']);
            }
        }
        foreach (Soak::size($all, self::REDUCED) as [$store, $format, $registration]) {
            yield "$store, $format, $registration" => [$store, $formats[$format], $registration];
        }
    }

    /** @dataProvider handlers */
    public function testDataLastsFromRequestToRequest(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $second = $this->request($id, '$_SESSION["n"] = 2');
        self::assertSame($id, $second->id);
        self::assertSame(self::DATA + ['n' => 2], $this->request($id)->session);
        self::assertSame(2, $this->request($id, '$_SESSION["n"] = 3; session_reset()')->session['n']);
        self::assertSame([], $this->request(null)->session, 'of another visitor');
    }

    /** @dataProvider handlers */
    public function testAnInventedIdIsReplaced(string ...$handler): void
    {
        $this->use(...$handler);
        $malformed = ['../../../../../etc/passwd', str_repeat('a', 257), str_repeat('a', 26) . "\n", 'a|b', ''];
        foreach ([str_repeat('a', 26), strtoupper($this->begin()), ...$malformed] as $invented) {
            $request = $this->request($invented, self::LOGIN);
            self::assertSame('', $request->error);
            self::assertMatchesRegularExpression('/^[a-z0-9,-]{26}\z/', $request->id);
            self::assertNotSame($invented, $request->id);
        }
        self::assertNull($this->store->get(str_repeat('a', 26)));
    }

    /** @dataProvider handlers */
    public function testARequestThatChangesNothingOnlyRenewsTheLifetime(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $this->store->setRemaining($id, 100);
        // If the page wrote the session, it would overwrite this.
        $request = $this->request($id, '$store->put(session_id(), "as it was")', ['gc_maxlifetime' => '1440']);
        self::assertSame('', $request->error);
        self::assertSame('as it was', $this->store->get($id));
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 60);
    }

    /** @dataProvider handlers */
    public function testWritingRenewsTheLifetime(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 60);
        $this->store->setRemaining($id, 100);
        $this->request($id, '$_SESSION["n"] = 1');
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 60);
    }

    /** @dataProvider handlers */
    public function testAnExpiredSessionIsUnknown(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $this->store->setRemaining($id, 0);
        $request = $this->request($id);
        self::assertSame(['', []], [$request->error, $request->session]);
        self::assertNotSame($id, $request->id);
    }

    /** @dataProvider handlers */
    public function testGarbageCollectionDeletesExpiredSessionsOnly(string ...$handler): void
    {
        $this->use(...$handler);
        [$expired, $live] = [$this->begin(), $this->begin()];
        $this->store->setRemaining($expired, 0);
        $byItself = $this->store->get($expired) === null;
        $request = $this->request($live, '$_SESSION["collected"] = session_gc()');
        self::assertSame('', $request->error);
        self::assertSame($byItself, $request->session['collected'] === 0);
        self::assertNull($this->store->get($expired));
        self::assertNotNull($this->store->get($live));
    }

    /** @dataProvider handlers */
    public function testBytesThatAreNotUtf8AreStoredOrInJsonRefused(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $all = '$_SESSION["bytes"] = implode(array_map(chr(...), range(0, 255)))';
        $request = $this->request($id, $all);
        if (str_contains($this->options, 'json')) {
            self::assertStringContainsString('SessionDataError: The session cannot be stored as JSON', $request->error);
            self::assertSame(self::DATA, $this->request($id)->session);
        } else {
            self::assertSame(md5($request->session['bytes']), md5($this->request($id)->session['bytes']));
            self::assertSame(256, strlen($this->request($id)->session['bytes']));
        }
    }

    /** @dataProvider handlers */
    public function testAMegabyteOfDataIsStored(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $this->request($id, '$_SESSION["text"] = str_repeat("0123456789", 100_000)');
        self::assertSame(str_repeat('0123456789', 100_000), $this->request($id)->session['text']);
    }

    /** @dataProvider handlers */
    public function testAStoreThatIsDownIsSessionUnavailableAndTheCookieStays(string ...$handler): void
    {
        $this->use(...$handler);
        foreach ([null, str_repeat('a', 26)] as $id) {
            $dead = $this->store->deadUrl() . $this->options;
            $request = Site::request($dead, $id, registration: $this->registration);
            self::assertStringStartsWith('PhpSessionChat\Session\SessionUnavailable: ', $request->error);
            self::assertDoesNotMatchRegularExpression('/secret|a{26}/', $request->error);
            // A new cookie would log the visitor out.
            self::assertCount($id === null ? 1 : 0, $request->cookies);
        }
    }

    /** @dataProvider handlers */
    public function testWithALockOneRequestAtATimeWorksAsWithout(string ...$handler): void
    {
        $this->use(...$handler);
        $this->options .= '&lock=1';
        $id = $this->begin();
        self::assertSame(1, $this->request($id, '$_SESSION["n"] = 1')->session['n']);
        // Neither a request that fails nor one that starts its session twice keeps the lock.
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
    public function testDestroyEndsTheSession(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        self::assertSame('', $this->request($id, 'session_destroy()')->error);
        self::assertNull($this->store->get($id));
        self::assertNotSame($id, $this->request($id)->id);
    }

    /** @dataProvider handlers */
    public function testRegenerateAndDeleteMovesTheDataToANewId(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $second = $this->request($id, 'session_regenerate_id(true)');
        self::assertNotSame($id, $second->id);
        self::assertNull($this->store->get($id));
        self::assertSame(self::DATA, $this->request($second->id)->session);
    }

    /** @dataProvider handlers */
    public function testRegenerateWithoutDeleteLeavesTheOldRecord(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $second = $this->request($id, 'session_regenerate_id(false); $_SESSION["user_id"] = 2');
        self::assertNotSame($id, $second->id);
        self::assertSame(self::DATA, $this->request($id)->session);
        self::assertSame(2, $this->request($second->id)->session['user_id']);
    }

    /** @dataProvider handlers */
    public function testASessionThatEndsWhileAPageRunsIsNotWrittenAgain(string ...$handler): void
    {
        $this->use(...$handler);
        foreach (Soak::size(['', '&lock=1'], ['']) as $lock) {
            $this->options .= $lock;
            foreach (['', '$_SESSION["cart"] = 3'] as $rest) {
                $id = $this->begin();
                $request = $this->request($id, "\$store->remove(session_id()); $rest");
                self::assertSame('', $request->error);
                self::assertNull($this->store->get($id));
            }
        }
    }

    /** @dataProvider handlers */
    public function testASessionThatEndsWhileAPageRunsGetsNoNewIdFromThatPage(string ...$handler): void
    {
        $this->use(...$handler);
        foreach (Soak::size(['session_regenerate_id(true)', 'session_regenerate_id()'], ['session_regenerate_id(true)']) as $regenerate) {
            $id = $this->begin();
            $request = $this->request($id, "\$store->remove(session_id()); $regenerate; \$_SESSION['cart'] = 3");
            self::assertStringStartsWith(SessionUnavailable::class . ': The session has ended or', $request->error);
            // Another page may have given it a new ID, and the browser must keep the cookie of that page.
            self::assertSame([], $request->cookies);
            self::assertNull($this->store->get($id));
            self::assertNull($this->store->get($request->id));
            // The same for a page that ignores the exception.
            $id = $this->begin();
            $try = "try { $regenerate; } catch (Throwable) {} \$ids[] = session_id();";
            $request = $this->request($id, "\$store->remove(session_id()); $try $try \$_SESSION['cart'] = \$ids");
            self::assertSame([], $request->cookies);
            foreach ($request->session['cart'] as $tried) {
                self::assertNull($this->store->get($tried));
            }
            // A session that the same page begins afterwards is stored.
            $id = $this->begin();
            $new = "\$store->remove(session_id()); session_destroy(); %ssession_start(); \$_SESSION = ['n' => 1]";
            foreach (['', 'unset($_COOKIE["PHPSESSID"]); '] as $withoutCookie) {
                $request = $this->request($id, sprintf($new, $withoutCookie));
                self::assertSame(['n' => 1], $this->request($request->id)->session);
                $id = $request->id;
            }
        }
    }

    private function use(string $store, string $options, string $registration): void
    {
        $this->store = Store::named($store);
        [$this->options, $this->registration] = [$options, $registration];
    }

    /** Logs a user in. @return string the ID of the session */
    private function begin(): string
    {
        $first = $this->request(null, self::LOGIN);
        self::assertSame(['', self::DATA], [$first->error, $first->session]);
        return $first->id;
    }

    /** @param array<string, string> $settings */
    private function request(?string $id, string $code = '', array $settings = []): SiteAnswer
    {
        return Site::request($this->store, $id, "$code;", $this->options, $this->registration, $settings);
    }
}
