<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\NativeSite;
use PhpSessionChat\Tests\Support\RedisProcess;
use PHPUnit\Framework\TestCase;

/** What visitors bring and what URLs say, with each of PHP's own handlers. */
final class NativeHandlerTest extends TestCase
{
    private const STAY = '$_SESSION["user_id"] = 7; $session->close();';

    /** @return iterable<string, array{string, string, int}> of the URL; and the longest ID that the store takes */
    public static function handlers(): iterable
    {
        yield 'memcached' => ['memcached', 'handler=memcached', 231];
        yield 'memcached, long prefix' => ['memcached', 'handler=memcached&prefix=' . str_repeat('p', 200), 45];
        yield 'memcache' => ['memcached', 'handler=memcache', 245];
        yield 'redis' => ['redis', '', 256];
        // A file has a name of up to 255 bytes, `sess_` among them.
        yield 'files' => ['file', '', 250];
    }

    /** @dataProvider handlers */
    public function testAnInventedIdOfAnyLengthIsReplaced(string $scheme, string $options, int $longest): void
    {
        $url = self::url($scheme, $options);
        // The name as the sample site gives it.
        $code = 'ini_set("session.name", "OTHER"); $session->start(["name" => "PHPSESSID"]);' . self::STAY;
        foreach ([1, 21, 22, $longest, $longest + 1, 245, 246, 249, 250, 251, 252, 256, 257, 400, 3000] as $length) {
            $invented = str_repeat('a', $length);
            $answer = NativeSite::request($url, $invented, $code);
            self::assertSame('', $answer->error, "$length characters");
            self::assertMatchesRegularExpression('/^[a-z0-9]{26}\z/', $answer->id, "$length characters");
            self::assertStringStartsWith("Set-Cookie: PHPSESSID=$answer->id;", $answer->cookies[0] ?? '');
            self::assertSame(['user_id' => 7], NativeSite::request($url, $answer->id)->session);
        }
    }

    /** @dataProvider handlers */
    public function testTheLongestIdThatTheStoreTakesIsKept(string $scheme, string $options, int $longest): void
    {
        $url = self::url($scheme, $options);
        $code = "ini_set('session.sid_length', '$longest'); \$session->start();" . self::STAY;
        $begun = NativeSite::request($url, null, $code);
        self::assertSame($longest, strlen($begun->id));
        $answer = NativeSite::request($url, $begun->id);
        self::assertSame(['', ['user_id' => 7], []], [$answer->error, $answer->session, $answer->cookies]);
    }

    public function testWhatIsNoIdAtAllIsReplaced(): void
    {
        $url = self::url('redis', '');
        foreach (['', '../etc/passwd', "a%00b", str_repeat('%20', 26), str_repeat('a', 26) . '%0A'] as $cookie) {
            $answer = NativeSite::request($url, $cookie);
            self::assertSame('', $answer->error);
            self::assertStringStartsWith("Set-Cookie: PHPSESSID=$answer->id;", $answer->cookies[0] ?? '');
        }
    }

    public function testReadingAloneNeedsNoNewId(): void
    {
        foreach (self::handlers() as [$scheme, $options]) {
            $url = self::url($scheme, $options);
            $read = '$session->start(["read_and_close" => true]);';
            $answer = NativeSite::request($url, str_repeat('b', 26), $read);
            self::assertSame(['', []], [$answer->error, $answer->session], $options);
            foreach (['', '$_SESSION["user_id"] = 7;'] as $change) {
                $begun = NativeSite::request($url, null, "\$session->start(); $change \$session->close();");
                $answer = NativeSite::request($url, $begun->id, $read);
                $seen = [$answer->error, $answer->session, $answer->id, $answer->cookies];
                self::assertSame(['', $begun->session, $begun->id, []], $seen, $options);
            }
        }
    }

    public function testTheDatabaseOfARedisIsOneNumber(): void
    {
        $redis = RedisProcess::shared();
        foreach (['/3', '/3?database=3', '?database=3', '/3?database=3&lock=10'] as $n => $place) {
            $url = "redis://127.0.0.1:$redis->port$place";
            if (str_contains($place, 'lock=')) {
                $id = "an-id-of-the-test-$n";
                $handler = HandlerFactory::fromUrl("$url&format=php_serialize");
                $handler->open('', '');
                $handler->write($id, 'something');
            } else {
                $id = NativeSite::request($url, null)->id;
            }
            $client = new \Redis();
            $client->connect('127.0.0.1', $redis->port);
            $client->select(3);
            self::assertSame(1, $client->exists("PHPREDIS_SESSION:$id"), $place);
        }
        foreach (['/3?database=4', '/3?database=03', '/0?database=3', '/3?database=', '/site', '//3'] as $place) {
            foreach ([NativeHandler::class, HandlerFactory::class] as $class) {
                try {
                    $class::fromUrl("redis://h$place");
                    self::fail("$class takes $place");
                } catch (InvalidSettings $error) {
                    self::assertStringContainsString('database', $error->getMessage());
                }
            }
        }
    }

    private static function url(string $scheme, string $options): string
    {
        return match ($scheme) {
            'memcached' => 'memcached://127.0.0.1:' . getenv('MEMCACHED_PORT'),
            'redis' => 'redis://127.0.0.1:' . RedisProcess::shared()->port,
            'file' => 'file://' . Folder::temporary(),
        } . "?$options";
    }
}
