<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\ConfigurationError;
use PhpSessionChat\Session\MemcachedHandler;
use PhpSessionChat\Session\StoreUrl;
use PHPUnit\Framework\TestCase;

final class StoreUrlTest extends TestCase
{
    /** @dataProvider accepted */
    public function testMakesAHandler(string $url): void
    {
        self::assertInstanceOf(MemcachedHandler::class, StoreUrl::handler($url));
    }

    public function accepted(): iterable
    {
        yield ['memcached://127.0.0.1:11211?prefix=sessions/&format=json'];
        yield ['memcached://cache.example.org?format=json'];
        yield ['memcached://a:11211/?format=json&prefix=x%2Fy:&timeout=250ms'];
        yield ['memcached://[::1]:11211?format=json'];
    }

    /** @dataProvider refused */
    public function testRefusesWhatItCannotDo(string $url, string $message): void
    {
        try {
            StoreUrl::handler($url);
            self::fail('not refused');
        } catch (ConfigurationError $error) {
            self::assertStringContainsString($message, $error->getMessage());
            self::assertStringNotContainsString('secret', $error->getMessage());
        }
    }

    public function refused(): iterable
    {
        yield ['', 'not a URL'];
        yield ['127.0.0.1:11211', 'not a URL'];
        yield ["memcached://h:1?format=json\n", 'format must be json'];
        yield ['redis://user:secret@h:6379?prefix=x', 'redis sessions are not supported'];
        yield ['file:///var/lib/php/secret', 'file sessions are not supported'];
        yield ['memcached://h:1?handler=memcached', 'option handler is not'];
        yield ['memcached://h:1?format=json&prefix[]=x', 'option prefix'];
        yield ['memcached://h:1', 'format must be json'];
        yield ['memcached://h:1?format=php', 'format must be json'];
        yield ['memcached://h:1/0?format=json', 'has no path'];
        yield ['memcached://h:0?format=json', 'HOST:PORT'];
        yield ['memcached://a:1,b:2?format=json', 'takes one'];
        yield ['memcached://h:1?format=json&timeout=2s', 'timeout must be'];
        yield ['memcached://h:65536?format=json', 'HOST:PORT'];
        yield ['memcached://user:secret@h:1?format=json', 'HOST:PORT'];
        yield ['memcached://?format=json', 'HOST:PORT'];
        yield ['memcached://h:1?format=json&prefix=a%20b', 'prefix must be'];
        yield ['memcached://h:1?format=json&prefix=a%0d%0aflush_all', 'prefix must be'];
    }
}
