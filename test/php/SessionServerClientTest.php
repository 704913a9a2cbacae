<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PHPUnit\Framework\TestCase;

/** Each command of the protocol, with any bytes. SessionServerConnectionTest covers failures. */
final class SessionServerClientTest extends TestCase
{
    public function testValuesArePutReadListedAndRemoved(): void
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
        self::assertSame(['' => 'of PHP', 'a' => ' A ', 5 => 'five'], $client->getAll());
        self::assertSame([true, false], [$client->remove('a'), $client->remove('a')]);
        $client->close();
        self::assertNull($client->id());
        $client->open($id, 'r');
        self::assertSame(['' => 'of PHP', 5 => 'five'], $client->getAll());
    }

    public function testPutAllReplacesAllValuesAndMakesNoObjects(): void
    {
        $client = $this->client();
        $client->create();
        $client->put('old', '1');
        $values = ['list' => [1, 2.5, true, null, ['deep' => "a\0b\r\n"]], 7 => 'seven', '' => 'of PHP', '05' => "\xff"];
        $client->putAll($values);
        self::assertSame($values, $client->getAll());
        self::assertSame(['list', '7', '', '05'], $client->keys());
        $this->assertThrows(SessionDataError::class, fn () => $client->get('list'));
        $this->assertThrows(SessionDataError::class, fn () => $client->putAll(['f' => fn () => 'mushroom']));
        self::assertSame($values, $client->getAll());
        // Objects from other programs become no objects here, and lose nothing.
        $client->putAll(['date' => new \DateTimeImmutable('2026-01-02')]);
        self::assertInstanceOf(\__PHP_Incomplete_Class::class, $client->getAll()['date']);
        $client->putAll($client->getAll());
        self::assertStringContainsString('DateTimeImmutable', serialize($client->getAll()));
    }

    public function testAValueToWhichAnotherOneIsAReferenceIsNeitherReplacedNorRemoved(): void
    {
        $client = $this->client();
        $client->create();
        $values = ['a' => 'x'];
        $values['b'] = &$values['a'];
        $client->putAll($values);
        $this->assertThrows(SessionDataError::class, fn () => $client->put('a', 'y'));
        $this->assertThrows(SessionDataError::class, fn () => $client->remove('a'));
        self::assertSame(['x', 'x'], [$client->get('a'), $client->get('b')]);
    }

    public function testOnlyCommitAndCloseSave(): void
    {
        $client = $this->client();
        $id = $client->create();
        $client->put('n', '1');
        $client->commit();
        self::assertSame(['n' => '1'], $this->client()->peek($id));
        // The session can only be read from here on, and others can write it.
        $this->assertThrows(\LogicException::class, fn () => $client->put('n', '2'));
        $this->assertThrows(\LogicException::class, fn () => $client->destroy());
        self::assertTrue($this->impatient()->open($id));
        self::assertSame('1', $client->get('n'));
        $client->open($id);
        $client->put('n', '3');
        $client->disconnect();
        self::assertSame(['n' => '1'], $client->peek($id));
        $client->open($id);
        $client->put('n', '4');
        $client->open('other');
        $client->close();
        self::assertSame(['n' => '1'], $client->peek($id), 'another one was opened');
    }

    public function testOneClientWritesAndTheOthersReadOrWait(): void
    {
        $client = $this->client();
        $id = $client->create();
        $client->put('n', '1');
        $client->close();
        $client->open($id);
        $client->put('n', '2');
        $other = $this->impatient();
        self::assertFalse($other->open($id, 'w'));
        self::assertTrue($other->open($id, 'r'));
        self::assertSame('1', $other->get('n'));
        $client->close();
        $other->lockTimeout(5000);
        self::assertTrue($other->open($id, 'w'));
        self::assertSame('2', $other->get('n'));
        self::assertFalse($other->open('0123456789abcdef', 'r'), 'there is none');
        self::assertNull($other->id());
    }

    public function testAClientThatHasLostItsLockChangesNothing(): void
    {
        $server = new SessionServerProcess(['LOCK_HOLD' => '200ms']);
        $late = new SessionServerClient('127.0.0.1', $server->port, timeout: 5000);
        $id = $late->create();
        $late->put('n', '1');
        $late->close();
        $late->open($id);
        self::assertTrue($late->hasLock());
        $next = new SessionServerClient('127.0.0.1', $server->port, timeout: 5000);
        self::assertTrue($next->open($id), 'after 200 ms');
        self::assertFalse($late->hasLock());
        foreach (['put' => ['n', '2'], 'putAll' => [[]], 'commit' => [], 'destroy' => [], 'touch' => []] as $name => $with) {
            $this->assertThrows(SessionUnavailable::class, fn () => $late->$name(...$with));
        }
        $this->assertThrows(SessionUnavailable::class, fn () => $late->close());
        $next->put('n', '3');
        $next->close();
        self::assertSame(['n' => '3'], $late->peek($id));
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

    public function testCloseWithPutsAValueAndALifetimeInOneGo(): void
    {
        $client = $this->client();
        $id = $client->create();
        self::assertTrue($client->closeWith("a\n", "%\xff\r\n", 100));
        self::assertNull($client->id());
        self::assertSame(["a\n" => "%\xff\r\n"], $client->peek($id));
        $client->open($id);
        self::assertTrue($client->closeWith('', null, 200), 'with another lifetime alone');
        self::assertTrue($client->open($id, 'r'));
        self::assertSame([["a\n" => "%\xff\r\n"], 200], [$client->getAll(), $client->lifetime()]);
        $this->assertThrows(\LogicException::class, fn () => $client->closeWith('a', 'mushroom', 100));
        $client->close();
        $this->assertThrows(\LogicException::class, fn () => $client->closeWith('a', 'mushroom', 100));
        // More than a session can hold, and more than a line can.
        foreach ([1_100_000, 4_000_000] as $bytes) {
            $client->open($id);
            $this->assertThrows(SessionDataError::class, fn () => $client->closeWith("a\n", str_repeat('mushroom', $bytes / 8), 300));
            self::assertNull($client->id());
            self::assertSame(["a\n" => "%\xff\r\n"], $client->peek($id));
        }
    }

    public function testRegenerateIdMovesTheSessionAndDestroyEndsIt(): void
    {
        $client = $this->client();
        $id = $client->create();
        $client->put('n', '1');
        $client->close();
        $client->open($id);
        $client->put('m', '2');
        $new = $client->regenerateId();
        self::assertNotSame($id, $new);
        self::assertSame($new, $client->id());
        self::assertNull($client->peek($id));
        $client->close();
        self::assertSame(['n' => '1', 'm' => '2'], $client->peek($new));
        $client->open($new);
        $client->destroy();
        self::assertNull($client->peek($new));
        $this->assertThrows(SessionUnavailable::class, fn () => $client->get('n'));
    }

    public function testLifetimeTtlAndTouch(): void
    {
        $client = $this->client();
        $id = $client->create();
        self::assertSame(1440, $client->lifetime());
        self::assertSame(100, $client->lifetime(100));
        self::assertTrue($client->touch());
        $client->close();
        $client->open($id, 'r');
        self::assertSame(100, $client->lifetime());
        self::assertEqualsWithDelta(100, $client->ttl(), 20);
        $this->assertThrows(\LogicException::class, fn () => $client->lifetime(5));
        $other = $this->client();
        $other->open($id);
        $other->destroy();
        self::assertFalse($client->touch());
        self::assertNull($client->peek($id));
    }

    public function testHelloNamesTheExtensionsAndPingIsAnswered(): void
    {
        $client = $this->client();
        $client->ping();
        self::assertContains('peek', $client->hello());
    }

    public function testKeysAndValuesAreAnyBytes(): void
    {
        $client = $this->client();
        $id = $client->create();
        $bytes = implode(array_map('chr', range(0, 255)));
        $values = ['all' => $bytes, $bytes => 'all', strrev($bytes) => strrev($bytes)];
        foreach (range(0, 255) as $byte) {
            $key = chr($byte);
            // Also where a byte could be cut off, or could end the key.
            $values += ["k$key" => $key, "{$key}k" => "{$key}v$key", "k{$key}k|$key" => "%$key%41 $key "];
        }
        foreach ($values as $key => $value) {
            $client->put((string) $key, $value);
        }
        $client->close();
        $client->open($id);
        self::assertSame(array_map('strval', array_keys($values)), $client->keys());
        foreach ($values as $key => $value) {
            self::assertSame($value, $client->get((string) $key));
        }
        self::assertSame($values, $client->getAll());
        self::assertSame($values, $client->peek($id));
        $client->putAll(array_reverse($values, true));
        self::assertSame(array_reverse($values, true), $client->getAll());
        self::assertTrue($client->remove($bytes));
        self::assertFalse($client->exists($bytes));
    }

    public function testNoKeyValueOrIdIsTakenForACommand(): void
    {
        $client = $this->client();
        $victim = $client->create();
        $client->put('', 'user_id|i:1;');
        $client->close();
        $id = $client->create();
        foreach (["\r\n", "\n", "\r", "\0", '%0d%0a', "\u{85}", "\u{2028}"] as $end) {
            $evil = "x{$end}open $victim rw{$end}put  evil{$end}close{$end}open $id rw{$end}";
            $client->put('value', $evil);
            $client->put($evil, 'key');
            self::assertSame($evil, $client->get('value'));
            self::assertSame('key', $client->get($evil));
            self::assertFalse($client->exists("{$evil}x"));
            self::assertFalse($client->remove("{$evil}x"));
            $client->putAll([$evil => $evil]);
            self::assertSame([$evil => $evil], $client->getAll());
            self::assertNull($client->peek($evil));
            self::assertSame($id, $client->id());
        }
        $client->close();
        foreach (["a\r\nping", "a\n", 'a b', '', str_repeat('a', 129), '../a', "a\0"] as $malformed) {
            $this->assertThrows(SessionDataError::class, fn () => $client->open($malformed));
        }
        self::assertSame(['' => 'user_id|i:1;'], $client->peek($victim));
    }

    public function testAMegabyteIsStoredAndTooMuchIsRefusedWithoutLoss(): void
    {
        $client = $this->client();
        $id = $client->create();
        $megabyte = random_bytes(1_000_000);
        $client->put('much', $megabyte);
        self::assertTrue($megabyte === $client->get('much'));
        $this->assertThrows(SessionDataError::class, fn () => $client->put('more', str_repeat('a', 100_000)));
        $client->close();
        self::assertTrue(['much' => $megabyte] === $client->peek($id));
        foreach (['put' => ['more', str_repeat('a', 9_000_000)], 'putAll' => [[str_repeat("\0", 3_000_000)]]] as $name => $with) {
            // The server does not read a line that is too long to its end.
            $client->open($id);
            $this->assertThrows(SessionDataError::class, fn () => $client->$name(...$with));
            self::assertTrue(['much' => $megabyte] === $client->peek($id));
        }
    }

    private function client(): SessionServerClient
    {
        return new SessionServerClient('127.0.0.1', SessionServerProcess::shared()->port, timeout: 5000);
    }

    private function impatient(): SessionServerClient
    {
        $client = $this->client();
        $client->lockTimeout(0);
        return $client;
    }

    private function assertThrows(string $class, \Closure $call): void
    {
        try {
            $call();
            self::fail("no $class");
        } catch (SessionDataError | SessionUnavailable | \LogicException $error) {
            self::assertInstanceOf($class, $error, $error->getMessage());
            self::assertStringNotContainsString('mushroom', $error->getMessage());
        }
    }
}
