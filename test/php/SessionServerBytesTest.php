<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PHPUnit\Framework\TestCase;

/** Any bytes get through to the session server and back, and are never more than bytes. */
final class SessionServerBytesTest extends TestCase
{
    private static SessionServerProcess $server;

    public static function setUpBeforeClass(): void
    {
        self::$server = new SessionServerProcess();
    }

    public static function tearDownAfterClass(): void
    {
        self::$server->end();
    }

    public function testAnyBytesInKeysAndValues(): void
    {
        $client = $this->client();
        $id = $client->create();
        $bytes = implode(array_map('chr', range(0, 255)));
        $values = ['all' => $bytes, $bytes => 'all', strrev($bytes) => strrev($bytes)];
        foreach (range(0, 255) as $byte) {
            $key = chr($byte);
            // And where they would be cut off, or end the key.
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

    public function testNothingThatIsStoredIsTakenForACommand(): void
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
            $this->assertRefused(fn () => $client->open($malformed));
        }
        self::assertSame(['' => 'user_id|i:1;'], $client->peek($victim));
    }

    public function testAMegabyteAndTooMuch(): void
    {
        $client = $this->client();
        $id = $client->create();
        $megabyte = random_bytes(1_000_000);
        $client->put('much', $megabyte);
        self::assertTrue($megabyte === $client->get('much'));
        $this->assertRefused(fn () => $client->put('more', str_repeat('a', 100_000)));
        $client->close();
        self::assertTrue(['much' => $megabyte] === $client->peek($id));
        foreach (['put' => ['more', str_repeat('a', 9_000_000)], 'putAll' => [[str_repeat("\0", 3_000_000)]]] as $name => $with) {
            // Of a line that is too long the server does not even read the end.
            $client->open($id);
            $this->assertRefused(fn () => $client->$name(...$with));
            self::assertTrue(['much' => $megabyte] === $client->peek($id));
        }
    }

    private function client(): SessionServerClient
    {
        return new SessionServerClient('127.0.0.1', self::$server->port, timeout: 5000);
    }

    private function assertRefused(\Closure $call): void
    {
        try {
            $call();
            self::fail('not refused');
        } catch (SessionDataError $error) {
            self::assertMatchesRegularExpression('/^The session server (refuses to put|takes IDs)/', $error->getMessage());
        }
    }
}
