<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\MemcachedHandler;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PHPUnit\Framework\TestCase;

/** A store that does not answer is never taken for a session that is not there. */
final class StoreFailureTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private MemcachedProcess $memcached;
    private MemcachedHandler $handler;

    protected function setUp(): void
    {
        $this->memcached = new MemcachedProcess();
        $this->handler = new MemcachedHandler('127.0.0.1', $this->memcached->port, 'sessions/');
        $this->handler->open('', 'PHPSESSID');
        $this->handler->write(self::ID, serialize(['user_id' => 1]));
    }

    protected function tearDown(): void
    {
        $this->memcached->end();
    }

    /** @dataProvider calls */
    public function testStoppedIsUnavailableAndSoon(\Closure $call): void
    {
        $this->memcached->pause();
        $start = microtime(true);
        try {
            $call($this->handler);
            self::fail('no error');
        } catch (SessionUnavailable $error) {
            self::assertLessThan(2.0, microtime(true) - $start);
            self::assertStringNotContainsString(self::ID, $error->getMessage());
        }
    }

    /** @dataProvider calls */
    public function testDownIsUnavailable(\Closure $call): void
    {
        $this->memcached->end();
        $this->expectException(SessionUnavailable::class);
        $call($this->handler);
    }

    public function calls(): iterable
    {
        yield 'validateId' => [static fn (MemcachedHandler $handler) => $handler->validateId(self::ID)];
        yield 'read' => [static fn (MemcachedHandler $handler) => $handler->read(self::ID)];
        yield 'write' => [static fn (MemcachedHandler $handler) => $handler->write(self::ID, 'a:0:{}')];
        yield 'updateTimestamp' => [static fn (MemcachedHandler $handler) => $handler->updateTimestamp(self::ID, '')];
        yield 'destroy' => [static fn (MemcachedHandler $handler) => $handler->destroy(self::ID)];
    }

    public function testWhatWasStoredIsThereAgainAfterwards(): void
    {
        $this->memcached->pause();
        try {
            $this->handler->read(self::ID);
            self::fail('no error');
        } catch (SessionUnavailable) {
            $this->memcached->resume();
        }
        // As the next request does: a new object and a new connection.
        $next = new MemcachedHandler('127.0.0.1', $this->memcached->port, 'sessions/');
        $next->open('', 'PHPSESSID');
        self::assertSame(serialize(['user_id' => 1]), $next->read(self::ID));
    }
}
