<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\Parallel;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Soak;
use PhpSessionChat\Tests\Support\Store;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/**
 * Tests concurrent requests of one session. The tables differ only in their SQL, so `npm test` covers one.
 *
 * @group soak
 */
final class LockTest extends TestCase
{
    use Thrown;

    private const FORMAT = '&format=php_serialize';

    private const WITH_LEASE = ['memcached', 'redis', 'mariadb', 'postgres', 'sqlite'];

    /** Long enough for a waiting request to poll the lock. */
    private const MILLISECONDS_TO_WAIT = 300;

    /** @return iterable<string, array{string}> */
    public static function stores(): iterable
    {
        return self::named(...self::withLease(), ...['files', 'session-server']);
    }

    /** @return iterable<string, array{string}> */
    public static function leased(): iterable
    {
        return self::named(...self::withLease());
    }

    /**
     * A store with a separate lock, and a table with the lock in the row.
     *
     * @return iterable<string, array{string}>
     */
    public static function someLeased(): iterable
    {
        return self::named(...Soak::size(self::WITH_LEASE, ['redis', 'mariadb']));
    }

    /** @return iterable<string, array{string}> stores whose locks a test can end */
    public static function endable(): iterable
    {
        return self::named(...self::withLease(), ...['session-server with short locks']);
    }

    /** @dataProvider stores */
    public function testLockKeepsTheChangesOfConcurrentRequests(string $name): void
    {
        $count = Soak::size(100, 4);
        $store = Store::named($name);
        $id = $this->begin($store);
        $url = $store->url() . self::FORMAT . '&lock=30';
        $errors = Parallel::requests(array_fill(0, $count, [$url, $id, '$_SESSION["n"]++;']));
        self::assertSame(['' => $count], array_count_values($errors));
        self::assertSame(['n' => $count], $this->stored($store, $id));
    }

    public function testRequestFailsWithSessionUnavailableAfterWaitingTooLong(): void
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
        $error = SessionUnavailable::class . ': Other requests locked this session for more than 1 s.';
        self::assertSame(array_fill(0, count($requests), $error), $errors);
        foreach ($holders as $n => $holder) {
            $this->countUp($holder, $requests[$n][1], serialize(['n' => 7]));
        }
        self::assertSame(array_fill(0, count($requests), ''), Parallel::requests($requests), 'afterwards');
        self::assertSame(['n' => 9], $this->stored(Store::named('redis'), $requests[1][1]));
    }

    /** @dataProvider leased */
    public function testLeaseIsAMinuteUnlessTheUrlSetsIt(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        foreach (['' => 60, '&lease=5m' => 300] as $lease => $seconds) {
            [$handler] = $this->open($store, $id, "&lock=1$lease");
            self::assertEqualsWithDelta($seconds, $store->lockRemaining($id), 20);
            $handler->close();
            self::assertNull($store->lockRemaining($id));
        }
    }

    public function testFailedWriteReleasesTheLock(): void
    {
        $store = Store::named('memcached');
        $id = $this->begin($store);
        $tooMuch = '$_SESSION["text"] = str_repeat("a", 2_000_000);';
        $request = Site::request($store, $id, $tooMuch, self::FORMAT . '&lock=1');
        self::assertStringContainsString('over memcached\'s item limit', $request->error);
        self::assertNull($store->lockRemaining($id));
    }

    /** @dataProvider stores */
    public function testWaitingRequestStoresNothingAfterTheSessionEnds(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        $logout = [$store->url() . self::FORMAT . '&lock=30', $id, 'session_destroy();'];
        self::assertSame(['', ''], Parallel::requests([$logout, $logout]));
        self::assertNull($store->get($id));
    }

    /**
     * A new ID would set a cookie, which could replace the cookie of the page that this request waited for.
     *
     * @dataProvider someLeased
     */
    public function testWaitingRequestStoresNothingAfterTheIdChanges(string $name): void
    {
        $store = Store::named($name);
        foreach (['', ...($name === 'redis' ? ['&layers=decrypt:' . Keys::file()] : [])] as $layers) {
            [$old, $new] = [session_create_id(), session_create_id()];
            $handler = $this->handler($store, $layers);
            $handler->write($old, serialize(['n' => 1]));
            $handler->close();
            [$page, $data] = $this->open($store, $old, "&lock=30$layers");
            $this->interruptWaiting(static function () use ($page, $data, $old, $new): void {
                $page->write($new, $data);
                $page->destroy($old);
                $page->close();
            });
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
    public function testDoesNotLockAnInventedId(string $name): void
    {
        $store = Store::named($name);
        $id = bin2hex(random_bytes(16));
        $handler = $this->handler($store, '&lock=1');
        self::assertFalse($handler->validateId($id));
        self::assertNull($store->lockRemaining($id));
    }

    /** @dataProvider endable */
    public function testRequestWithAnExpiredLockDoesNotAffectTheNext(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        [$late, $lateData] = $this->open($store, $id, '&lock=1');
        $store->endLock($id);
        [$next, $nextData] = $this->open($store, $id, '&lock=1');
        $this->assertLockLost(fn () => $this->countUp($late, $id, serialize(['n' => 99])));
        self::assertNotNull($store->lockRemaining($id), 'still locked by the next request');
        $this->countUp($next, $id, $nextData);
        self::assertSame(['n' => 1], $this->stored($store, $id));
        [$late, $lateData] = $this->open($store, $id, '&lock=1');
        $store->endLock($id);
        [$next, $nextData] = $this->open($store, $id, '&lock=1');
        $this->countUp($next, $id, $nextData);
        $this->assertLockLost(fn () => $this->countUp($late, $id, $lateData));
        self::assertSame(['n' => 2], $this->stored($store, $id));
        self::assertNull($store->lockRemaining($id));
    }

    /** @dataProvider endable */
    public function testRequestWithAnExpiredLockCanLogOutButNotRegenerate(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        $page = "\$store->endLock(session_id()); \$other = PhpSessionChat\Session\HandlerFactory::fromUrl(\$store->url() . \$options);
            \$other->open('', ''); \$other->validateId(session_id()); \$other->read(session_id());
            \$other->write(session_id(), serialize(['n' => 5]));";
        $request = Site::request($store, $id, "$page session_regenerate_id(true);", self::FORMAT . '&lock=5');
        self::assertStringContainsString('took longer than the lease of its lock', $request->error);
        self::assertNull($store->get($request->id === $id ? 'none' : $request->id));
        self::assertSame([], $request->cookies);
        self::assertSame(['n' => 5], $this->stored($store, $id), 'the data of the next request stays');
        $id = $this->begin($store);
        self::assertSame('', Site::request($store, $id, "$page session_destroy();", self::FORMAT . '&lock=5')->error);
        self::assertNull($store->get($id));
    }

    /** @return list<string> */
    private static function withLease(): array
    {
        return Soak::size(self::WITH_LEASE, ['memcached', 'redis', 'mariadb']);
    }

    /** @return iterable<string, array{string}> */
    private static function named(string ...$stores): iterable
    {
        foreach ($stores as $store) {
            yield $store => [$store];
        }
    }

    private function begin(Store $store): string
    {
        $handler = $this->handler($store);
        $id = $handler->create_sid();
        $handler->read($id);
        $this->countUp($handler, $id, serialize(['n' => -1]));
        return $id;
    }

    /** @return array{\SessionHandlerInterface, string} the handler after reading the session, and the data */
    private function open(Store $store, string $id, string $options = ''): array
    {
        $handler = $this->handler($store, $options);
        self::assertTrue($handler->validateId($id));
        return [$handler, $handler->read($id)];
    }

    private function handler(Store $store, string $options = ''): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl($store->url() . self::FORMAT . $options);
        $handler->open('', 'PHPSESSID');
        return $handler;
    }

    /** Increments the counter and ends the request. */
    private function countUp(\SessionHandlerInterface $handler, string $id, string $data): void
    {
        $handler->write($id, serialize(['n' => unserialize($data)['n'] + 1]));
        $handler->close();
    }

    private function stored(Store $store, string $id): array
    {
        return unserialize($store->get($id));
    }

    /** Runs a function while this process waits for a lock. PHP's own alarm supports only whole seconds. */
    private function interruptWaiting(\Closure $work): void
    {
        pcntl_async_signals(true);
        pcntl_signal(SIGALRM, $work);
        $seconds = self::MILLISECONDS_TO_WAIT / 1000;
        proc_close(proc_open("(sleep $seconds; kill -ALRM " . getmypid() . ') &', [], $pipes));
    }

    private function assertLockLost(\Closure $write): void
    {
        $error = self::thrown(SessionUnavailable::class, $write);
        self::assertStringContainsString('longer than the lease of its lock', $error->getMessage());
    }
}
