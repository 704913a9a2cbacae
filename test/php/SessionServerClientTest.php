<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/**
 * Tests how the client sends the arguments of each command, and returns its result or error.
 * packages/session-server/test covers the rules of the server.
 */
final class SessionServerClientTest extends TestCase
{
    use Thrown;

    public function testPutsReadsListsAndRemovesValues(): void
    {
        $client = $this->client();
        $id = $client->create();
        self::assertMatchesRegularExpression('/^[0-9a-f]{32}\z/', $id);
        self::assertSame([[], [], null], [$client->keys(), $client->getAll(), $client->get('a')]);
        $client->put('', 'of PHP');
        self::assertSame([''], $client->keys());
        $client->put('a', '');
        $client->put('5', 'five');
        $client->put('a', ' A ');
        self::assertSame(['', 'a', '5'], $client->keys());
        self::assertSame(['of PHP', ' A ', null], [$client->get(''), $client->get('a'), $client->get('b')]);
        self::assertSame([true, false], [$client->exists('a'), $client->exists('b')]);
        self::assertSame([true, false], [$client->remove('a'), $client->remove('a')]);
        $client->close();
        self::assertNull($client->id());
        $client->open($id, 'r');
        self::assertSame(['' => 'of PHP', 5 => 'five'], $client->getAll());
        $client->ping();
        self::assertContains('peek', $client->hello());
    }

    public function testPutAllReplacesAllValues(): void
    {
        $client = $this->client();
        $client->create();
        $client->put('old', '1');
        $values = ['list' => [1, 2.5, true, null, ['deep' => "a\0b\r\n"]], 7 => 'seven', '' => 'of PHP', '05' => "\xff"];
        $client->putAll($values);
        self::assertSame($values, $client->getAll());
        $this->assertThrows(SessionDataError::class, fn () => $client->get('list'));
        $this->assertThrows(SessionDataError::class, fn () => $client->putAll(['f' => fn () => 'mushroom']));
        self::assertSame($values, $client->getAll());
        // Objects of other programs are not instantiated here, but keep their data.
        $client->putAll(['date' => new \DateTimeImmutable('2026-01-02')]);
        self::assertInstanceOf(\__PHP_Incomplete_Class::class, $client->getAll()['date']);
        $client->putAll($client->getAll());
        self::assertStringContainsString('DateTimeImmutable', serialize($client->getAll()));
        // One value is a reference to another.
        $linked = ['a' => 'x'];
        $linked['b'] = &$linked['a'];
        $client->putAll($linked);
        $this->assertThrows(SessionDataError::class, fn () => $client->put('a', 'y'));
        $this->assertThrows(SessionDataError::class, fn () => $client->remove('a'));
        self::assertSame(['x', 'x'], [$client->get('a'), $client->get('b')]);
    }

    public function testClientWithoutItsLockCannotChangeTheSession(): void
    {
        $server = new SessionServerProcess(['LOCK_HOLD' => '100ms']);
        $late = new SessionServerClient('127.0.0.1', $server->port, timeout: 5000);
        $id = $late->create();
        $late->put('n', '1');
        $late->close();
        $late->open($id);
        self::assertTrue($late->hasLock());
        $next = new SessionServerClient('127.0.0.1', $server->port, timeout: 5000);
        self::assertTrue($next->open($id), 'after 100 ms');
        self::assertFalse($late->hasLock());
        foreach (['put' => ['n', '2'], 'putAll' => [[]], 'commit' => [], 'destroy' => [], 'touch' => [], 'close' => []] as $name => $with) {
            $this->assertThrows(SessionUnavailable::class, fn () => $late->$name(...$with));
        }
        $next->put('n', '3');
        $next->close();
        foreach (['2', null] as $value) {
            $late->open($id);
            $next->open($id);
            self::assertFalse($late->closeWith('n', $value, 100));
            self::assertNull($late->id());
            $next->close();
        }
        self::assertTrue($late->open($id, 'r'));
        self::assertSame([['n' => '3'], 1440], [$late->getAll(), $late->lifetime()]);
        $server->end();
    }

    public function testCloseWithStoresAValueAndALifetimeInOneCommand(): void
    {
        $client = $this->client();
        $id = $client->create();
        self::assertTrue($client->closeWith("a\n", "%\xff\r\n", 100));
        self::assertNull($client->id());
        $client->open($id);
        self::assertTrue($client->closeWith('', null, 200), 'changes only the lifetime');
        self::assertTrue($client->open($id, 'r'));
        self::assertSame([["a\n" => "%\xff\r\n"], 200], [$client->getAll(), $client->lifetime()]);
        $this->assertThrows(\LogicException::class, fn () => $client->closeWith('a', 'mushroom', 100));
        $client->close();
        $this->assertThrows(\LogicException::class, fn () => $client->closeWith('a', 'mushroom', 100));
        // First more than a session can hold, then more than a line.
        foreach ([1_100_000, 4_000_000] as $bytes) {
            $client->open($id);
            $this->assertThrows(SessionDataError::class, fn () => $client->closeWith("a\n", str_repeat('mushroom', $bytes / 8), 300));
            self::assertNull($client->id());
            self::assertSame(["a\n" => "%\xff\r\n"], $client->peek($id));
        }
    }

    public function testSupportsRegenerateIdLifetimeTtlTouchAndDestroy(): void
    {
        $client = $this->client();
        $id = $client->create();
        $client->put('n', '1');
        self::assertSame([1440, 100], [$client->lifetime(), $client->lifetime(100)]);
        self::assertTrue($client->touch());
        $client->close();
        $client->open($id);
        $new = $client->regenerateId();
        self::assertNotSame($id, $new);
        self::assertSame($new, $client->id());
        self::assertNull($client->peek($id));
        $client->close();
        $client->open($new, 'r');
        self::assertSame([100, ['n' => '1']], [$client->lifetime(), $client->peek($new)]);
        self::assertEqualsWithDelta(100, $client->ttl(), 20);
        $this->assertThrows(\LogicException::class, fn () => $client->lifetime(5));
        $other = $this->client();
        $other->open($new);
        $other->destroy();
        $this->assertThrows(SessionUnavailable::class, fn () => $other->get('n'));
        self::assertFalse($client->touch());
        self::assertNull($client->peek($new));
    }

    public function testAcceptsAnyBytesAsKeysAndValues(): void
    {
        $client = $this->client();
        $victim = $client->create();
        $client->put('', 'user_id|i:1;');
        $client->close();
        $id = $client->create();
        $bytes = implode(array_map('chr', range(0, 255)));
        $values = ['all' => $bytes, $bytes => 'all', strrev($bytes) => strrev($bytes)];
        // These bytes could be trimmed or end the key.
        foreach (["\0", "\t", "\n", "\r", ' ', '%', '+', '|', "\x7f", "\x80", "\xff", 'é', '%0d%0a', "\u{85}", "\u{2028}"] as $end) {
            $evil = "x{$end}open $victim rw{$end}put  evil{$end}close{$end}open $id rw{$end}";
            $values += ["k$end" => $end, "{$end}k" => "{$end}v$end", "k{$end}k|$end" => "%$end%41 $end ", $evil => $evil];
            self::assertFalse($client->exists("{$evil}x"));
            self::assertFalse($client->remove("{$evil}x"));
            self::assertNull($client->peek($evil));
        }
        foreach ($values as $key => $value) {
            $client->put((string) $key, $value);
            self::assertSame($value, $client->get((string) $key));
        }
        self::assertSame($id, $client->id());
        $client->close();
        $client->open($id);
        self::assertSame(array_map('strval', array_keys($values)), $client->keys());
        self::assertSame($values, $client->getAll());
        self::assertSame($values, $client->peek($id));
        $client->putAll(array_reverse($values, true));
        self::assertSame(array_reverse($values, true), $client->getAll());
        foreach (["a\r\nping", "a\n", 'a b', '', str_repeat('a', 129), '../a', "a\0"] as $malformed) {
            $this->assertThrows(SessionDataError::class, fn () => $client->open($malformed));
        }
        self::assertSame(['' => 'user_id|i:1;'], $client->peek($victim));
    }

    private function client(): SessionServerClient
    {
        return new SessionServerClient('127.0.0.1', SessionServerProcess::shared()->port, timeout: 5000);
    }

    private function assertThrows(string $class, \Closure $call): void
    {
        self::assertStringNotContainsString('mushroom', self::thrown($class, $call)->getMessage());
    }
}
