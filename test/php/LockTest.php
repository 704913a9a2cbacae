<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\LockTestCase;
use PhpSessionChat\Tests\Support\Parallel;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Store;

/** Requests of one session at the same time. */
final class LockTest extends LockTestCase
{
    /** @dataProvider stores */
    public function testAHundredRequestsCountToAHundred(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        $url = $store->url() . self::FORMAT . '&lock=30';
        $errors = Parallel::requests(array_fill(0, 100, [$url, $id, '$_SESSION["n"]++;']));
        self::assertSame(['' => 100], array_count_values($errors));
        self::assertSame(['n' => 100], $this->stored($store, $id));
    }

    /** @dataProvider stores */
    public function testWithoutALockTheLastToWriteWins(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        [$first, $firstData] = $this->open($store, $id, '&lock=none');
        [$second, $secondData] = $this->open($store, $id, '&lock=none');
        $this->countUp($first, $id, $firstData);
        $this->countUp($second, $id, $secondData);
        self::assertSame(['n' => 1], $this->stored($store, $id));
    }

    public function testWhoWaitsForTooLongFailsLoudly(): void
    {
        $requests = $holders = [];
        foreach (self::stores() as [$name]) {
            $store = Store::named($name);
            $id = $this->begin($store);
            $requests[] = [$store->url() . self::FORMAT . '&lock=1', $id, '$_SESSION["n"]++;'];
            [$holders[]] = $this->open($store, $id, '&lock=1');
        }
        $start = microtime(true);
        $errors = Parallel::requests($requests);
        self::assertGreaterThan(1, microtime(true) - $start);
        self::assertLessThan(5, microtime(true) - $start);
        $error = SessionUnavailable::class . ': Other requests of this session have kept it locked for 1 s.';
        self::assertSame(array_fill(0, count($requests), $error), $errors);
        foreach ($holders as $n => $holder) {
            $this->countUp($holder, $requests[$n][1], serialize(['n' => 7]));
        }
        self::assertSame(array_fill(0, count($requests), ''), Parallel::requests($requests), 'afterwards');
        self::assertSame(['n' => 9], $this->stored(Store::named('redis'), $requests[1][1]));
    }

    /** @dataProvider leased */
    public function testALeaseEndsByItself(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        foreach (['' => 60, '&lease=5m' => 300] as $lease => $seconds) {
            [$handler] = $this->open($store, $id, "&lock=1$lease");
            self::assertEqualsWithDelta($seconds, $store->lockRemaining($id), 1);
            $handler->close();
            self::assertNull($store->lockRemaining($id));
        }
    }

    public function testAWriteThatFailsKeepsNobodyOut(): void
    {
        $store = Store::named('memcached');
        $id = $this->begin($store);
        $tooMuch = '$_SESSION["text"] = str_repeat("a", 2_000_000);';
        $request = Site::request($store, $id, $tooMuch, self::FORMAT . '&lock=1');
        self::assertStringContainsString('over memcached\'s item limit', $request->error);
        self::assertNull($store->lockRemaining($id));
    }

    /** @dataProvider stores */
    public function testWhoWaitedForASessionThatHasEndedHasNone(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        $logout = [$store->url() . self::FORMAT . '&lock=30', $id, 'session_destroy();'];
        self::assertSame(array_fill(0, 5, ''), Parallel::requests(array_fill(0, 5, $logout)));
        self::assertNull($store->get($id));
    }

    /**
     * Of a new ID the cookie could replace that of the page that was waited for.
     *
     * @dataProvider leased
     */
    public function testWhoWaitedForASessionThatGotAnotherIdKeepsItsIdAndStoresNothing(string $name): void
    {
        $store = Store::named($name);
        foreach (['', ...($name === 'redis' ? ['&layers=decrypt:' . Keys::file()] : [])] as $layers) {
            [$old, $new] = [session_create_id(), session_create_id()];
            $handler = $this->handler($store, $layers);
            $handler->write($old, serialize(['n' => 1]));
            $handler->close();
            [$page, $data] = $this->open($store, $old, "&lock=30$layers");
            pcntl_async_signals(true);
            pcntl_signal(SIGALRM, static function () use ($page, $data, $old, $new): void {
                $page->write($new, $data);
                $page->destroy($old);
                $page->close();
            });
            pcntl_alarm(1);
            [$waiting, $found] = $this->open($store, $old, "&lock=30$layers");
            self::assertSame('', $found);
            $waiting->write($old, serialize(['csrf' => 'abc']));
            $waiting->updateTimestamp($old, '');
            $waiting->close();
            self::assertNull($store->get($old));
            self::assertNotNull($store->get($new));
        }
    }

    /** @dataProvider endable */
    public function testAnInventedIdIsNotLocked(string $name): void
    {
        $store = Store::named($name);
        $id = bin2hex(random_bytes(16));
        $handler = $this->handler($store, '&lock=1');
        self::assertFalse($handler->validateId($id));
        self::assertNull($store->lockRemaining($id));
    }
}
