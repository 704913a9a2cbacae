<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionServerWatcher;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PHPUnit\Framework\TestCase;

final class SessionServerWatcherTest extends TestCase
{
    private const PATIENCE = 20_000;

    private SessionServerProcess $server;
    private SessionServerClient $client;
    private SessionServerWatcher $watcher;

    protected function setUp(): void
    {
        $this->server = new SessionServerProcess();
        $this->client = new SessionServerClient('127.0.0.1', $this->server->port, timeout: 5000);
        $this->watcher = new SessionServerWatcher('127.0.0.1', $this->server->port, timeout: 5000);
    }

    protected function tearDown(): void
    {
        $this->server->end();
    }

    public function testWhatHappensToASession(): void
    {
        $id = $this->client->create();
        $this->client->put('n', '1');
        self::assertFalse($this->watcher->watch($id), 'not yet');
        self::assertNull($this->watcher->next(1));
        $this->client->close();
        [$kind, $of, $first] = $this->watcher->next(self::PATIENCE);
        self::assertSame(['changed', $id], [$kind, $of]);
        $this->client->open($id);
        $this->client->closeWith('n', '2', 100);
        [, , $second] = $this->watcher->next(self::PATIENCE);
        self::assertGreaterThan($first, $second);
        self::assertTrue($this->watcher->watch($id));
        $this->client->open($id);
        $new = $this->client->regenerateId();
        self::assertSame(['regenerated', $id, null], $this->watcher->next(self::PATIENCE));
        $this->watcher->unwatch($id);
        $this->watcher->watch($new);
        $this->client->destroy();
        self::assertSame(['destroyed', $new, null], $this->watcher->next(self::PATIENCE));
        $this->client->open('short');
        $this->client->closeWith('n', '1', 1);
        $this->watcher->watch('short');
        self::assertSame(['expired', 'short', null], $this->watcher->next(self::PATIENCE));
    }

    /** They come when they like, also before the answer to something else. */
    public function testEventsAndAnswersAreToldApart(): void
    {
        $ids = array_map(static fn (int $n): string => "session$n", range(0, 49));
        foreach ($ids as $id) {
            self::assertFalse($this->watcher->watch($id));
        }
        foreach ($ids as $id) {
            $this->client->open($id);
            $this->client->closeWith('', 'x', 100);
            $this->watcher->ping();
        }
        foreach ($ids as $id) {
            [$kind, $of] = $this->watcher->next(self::PATIENCE);
            self::assertSame(['changed', $id], [$kind, $of]);
        }
        self::assertNull($this->watcher->next(1));
        self::assertSame([100, null], [$this->client->ttlOf('session1'), $this->client->ttlOf('nobody')]);
    }

    public function testAServerThatEndsIsNotMistakenForQuiet(): void
    {
        $this->watcher->watch('any');
        $this->server->end();
        $again = new SessionServerProcess([], $this->server->port);
        foreach ([fn () => $this->watcher->next(self::PATIENCE), fn () => $this->watcher->next(1)] as $call) {
            $this->assertUnavailable($call);
        }
        self::assertFalse($this->watcher->watch('any'), 'which begins anew');
        $again->end();
        $this->assertUnavailable(fn () => $this->watcher->watch('other'));
        $this->assertUnavailable(fn () => $this->watcher->ping());
    }

    public function testWhatCannotBeWatched(): void
    {
        $this->expectException(SessionDataError::class);
        $this->watcher->watch("a\nopen victim");
    }

    private function assertUnavailable(\Closure $call): void
    {
        try {
            $call();
            self::fail('no failure');
        } catch (SessionUnavailable $error) {
            self::assertStringNotContainsString('any', $error->getMessage());
        }
    }
}
