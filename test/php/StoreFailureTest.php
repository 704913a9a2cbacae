<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\RedisProcess;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PHPUnit\Framework\TestCase;

/** A store that does not answer is never taken for a session that is not there. For tables: PdoHandlerTest. */
final class StoreFailureTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private const OPTIONS = 'format=php_serialize&timeout=50ms';

    /** @return iterable<string, array{string, string}> */
    public static function failures(): iterable
    {
        foreach (['memcached', 'redis', 'session-server'] as $store) {
            yield "$store stopped" => [$store, 'pause'];
            yield "$store down" => [$store, 'end'];
        }
    }

    /** @dataProvider failures */
    public function testAServerThatFailsIsUnavailableAndSoon(string $store, string $failure): void
    {
        $server = match ($store) {
            'memcached' => new MemcachedProcess(),
            'redis' => new RedisProcess(),
            'session-server' => new SessionServerProcess(),
        };
        $prefix = $store === 'session-server' ? '' : 'prefix=sessions/&';
        $url = "$store://127.0.0.1:$server->port?$prefix" . self::OPTIONS;
        $connected = $this->handler($url);
        $connected->write(self::ID, 'a:0:{}');
        $connected->write(strrev(self::ID), 'something');
        $server->$failure();
        try {
            // A connection from before, and a new one for each of the others.
            foreach ([$connected, null] as $handler) {
                foreach (self::calls() as $name => $call) {
                    $this->assertUnavailable($name, fn () => $call($handler ?? $this->handler($url)));
                }
            }
            if ($failure === 'pause') {
                $server->resume();
                self::assertSame('something', $this->handler($url)->read(strrev(self::ID)));
            }
        } finally {
            $server->end();
        }
    }

    public function testAFolderThatIsGoneIsUnavailable(): void
    {
        $folder = Folder::temporary();
        $handler = $this->handler("file://$folder?format=php_serialize");
        $handler->write(self::ID, serialize(['user_id' => 1]));
        rename($folder, "$folder.unmounted");
        try {
            foreach (self::calls() as $name => $call) {
                $this->assertUnavailable($name, fn () => $call($handler));
            }
        } finally {
            rename("$folder.unmounted", $folder);
        }
        self::assertSame(serialize(['user_id' => 1]), $handler->read(self::ID));
    }

    /** @return array<string, \Closure> */
    private static function calls(): array
    {
        return [
            'validateId' => static fn ($handler) => $handler->validateId(self::ID) && $handler->read(self::ID),
            'read' => static fn ($handler) => $handler->read(self::ID),
            'write' => static fn ($handler) => $handler->write(self::ID, 'a:0:{}'),
            'updateTimestamp' => static fn ($handler) => $handler->updateTimestamp(self::ID, ''),
            'destroy' => static fn ($handler) => $handler->destroy(self::ID),
        ];
    }

    private function assertUnavailable(string $name, \Closure $call): void
    {
        $start = microtime(true);
        try {
            $call();
            self::fail("$name: no error");
        } catch (SessionUnavailable $error) {
            self::assertLessThan(1.0, microtime(true) - $start, $name);
            self::assertStringNotContainsString(self::ID, $error->getMessage());
        }
    }

    private function handler(string $url): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl($url);
        $handler->open('', 'PHPSESSID');
        return $handler;
    }
}
