<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionServerWatcher;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\ServerProcess;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

final class SessionServerWatcherTest extends TestCase
{
    use Thrown;

    private const PATIENCE = 20_000;

    private SessionServerClient $client;
    private SessionServerWatcher $watcher;

    protected function setUp(): void
    {
        $this->connect(SessionServerProcess::shared());
    }

    public function testReturnsEventsForChangesAndTheEndOfASession(): void
    {
        $id = $this->client->create();
        self::assertFalse($this->watcher->watch($id), 'it does not exist yet');
        self::assertNull($this->watcher->next(1));
        $this->client->close();
        [$kind, $of, $first] = $this->watcher->next(self::PATIENCE);
        self::assertSame(['changed', $id], [$kind, $of]);
        $this->client->open($id);
        $this->client->closeWith('n', '2', 100);
        self::assertGreaterThan($first, $this->watcher->next(self::PATIENCE)[2]);
        self::assertTrue($this->watcher->watch($id));
        $this->client->open($id);
        $new = $this->client->regenerateId();
        self::assertSame(['regenerated', $id, null], $this->watcher->next(self::PATIENCE));
        $this->watcher->unwatch($id);
        $this->watcher->watch($new);
        $this->client->destroy();
        self::assertSame(['destroyed', $new, null], $this->watcher->next(self::PATIENCE));
    }

    /** An event can arrive before the response to another command. */
    public function testSeparatesEventsFromResponses(): void
    {
        $ids = array_map(static fn (int $n): string => "session$n", range(0, 4));
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
        self::assertEqualsWithDelta(100, $this->client->ttlOf('session1'), 60);
        self::assertNull($this->client->ttlOf('nobody'));
    }

    public function testReplacesMoreThanTenThousandPendingEventsWithOneLoss(): void
    {
        $port = ServerProcess::ownPort();
        $flood = sprintf('$s = stream_socket_server("tcp://127.0.0.1:%d"); echo "ready"; $c = stream_socket_accept($s, 60);
            while (($line = fgets($c)) !== false) {
                if (str_starts_with($line, "ping")) fwrite($c, str_repeat("event changed a 1\r\n", 6000));
                $answers = ["hello" => "ok 1 encoding", "watch" => "err Too many watches."];
                fwrite($c, ($answers[strtok($line, " \r")] ?? "ok") . "\r\n");
            }', $port);
        $server = new ServerProcess([PHP_BINARY, '-n', '-r', $flood], ServerProcess::folder(), 'ready');
        $watcher = new SessionServerWatcher('127.0.0.1', $port, timeout: 5000);
        $watcher->ping();
        self::assertSame(['changed', 'a', 1], $watcher->next(0));
        $watcher->ping();
        self::assertSame(['lost', null, null], $watcher->next(0));
        for ($fetched = 0; $watcher->next(0) !== null; $fetched++);
        self::assertSame(11_999 - 10_001, $fetched);
        $error = self::thrown(SessionDataError::class, fn () => $watcher->watch('any'));
        self::assertSame('The session server accepts no more subscriptions.', $error->getMessage());
        $server->end();
    }

    public function testReportsALostConnectionAsUnavailable(): void
    {
        $server = new SessionServerProcess();
        $this->connect($server);
        $this->watcher->watch('any');
        $server->end();
        $again = new SessionServerProcess([], $server->port);
        foreach ([fn () => $this->watcher->next(self::PATIENCE), fn () => $this->watcher->next(1)] as $call) {
            $this->assertUnavailable($call);
        }
        self::assertFalse($this->watcher->watch('any'), 'over a new connection');
        $again->end();
        $this->assertUnavailable(fn () => $this->watcher->watch('other'));
        $this->assertUnavailable(fn () => $this->watcher->ping());
    }

    public function testRejectsAMalformedId(): void
    {
        $this->expectException(SessionDataError::class);
        $this->watcher->watch("a\nopen victim");
    }

    private function connect(SessionServerProcess $server): void
    {
        $this->client = new SessionServerClient('127.0.0.1', $server->port, timeout: 5000);
        $this->watcher = new SessionServerWatcher('127.0.0.1', $server->port, timeout: 5000);
    }

    private function assertUnavailable(\Closure $call): void
    {
        $error = self::thrown(SessionUnavailable::class, $call);
        self::assertStringNotContainsString('any', $error->getMessage());
    }
}
