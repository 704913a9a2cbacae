<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\SessionServerHandler;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Parallel;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PHPUnit\Framework\TestCase;

/** Requests that wait for each other at the session server. What all handlers do: LockTest. */
final class SessionServerWaitersTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private SessionServerProcess $server;
    private SessionServerClient $admin;

    protected function setUp(): void
    {
        $this->server = new SessionServerProcess();
        $this->admin = new SessionServerClient('127.0.0.1', $this->server->port, timeout: 5000);
        $this->admin->lockTimeout(0);
    }

    protected function tearDown(): void
    {
        $this->server->end();
    }

    public function testRequestsWaitForEachOtherUnlessToldOtherwise(): void
    {
        $this->store(serialize(['n' => 0]));
        $url = $this->url();
        self::assertSame(array_fill(0, 50, ''), Parallel::requests(array_fill(0, 50, [$url, self::ID, '$_SESSION["n"]++;'])));
        self::assertSame(['' => serialize(['n' => 50])], $this->admin->peek(self::ID));
        $first = new SessionServerHandler(new SessionServerClient('127.0.0.1', $this->server->port));
        $first->open('', 'PHPSESSID');
        self::assertTrue($first->validateId(self::ID));
        self::assertFalse($this->admin->open(self::ID), 'it has it for itself');
        $first->close();
    }

    public function testNoneIsMadeByWhoWaitedForOneThatHasEnded(): void
    {
        $this->store('a:0:{}');
        $url = $this->url() . '&lock=30';
        $logout = [$url, self::ID, 'session_destroy();'];
        self::assertSame(array_fill(0, 5, ''), Parallel::requests(array_fill(0, 5, $logout)));
        self::assertNull($this->admin->peek(self::ID));
    }

    public function testAServerWithNoRoomForWhoWaits(): void
    {
        $server = new SessionServerProcess(['WAITERS_SESSION' => '0']);
        $holder = new SessionServerClient('127.0.0.1', $server->port);
        $holder->open(self::ID);
        $handler = new SessionServerHandler(new SessionServerClient('127.0.0.1', $server->port));
        $handler->open('', '');
        $this->expectExceptionObject(new SessionUnavailable('The session server cannot open the session, or too many wait for it.'));
        try {
            $handler->write(self::ID, 'something');
        } finally {
            $server->end();
        }
    }

    private function url(): string
    {
        return "session-server://127.0.0.1:{$this->server->port}?format=php_serialize&timeout=5";
    }

    private function store(string $record): void
    {
        $this->admin->open(self::ID);
        $this->admin->closeWith('', $record, 100);
    }
}
