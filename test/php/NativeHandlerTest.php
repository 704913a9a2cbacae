<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\NativeSite;
use PhpSessionChat\Tests\Support\RedisProcess;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/**
 * Tests IDs from visitors and failing stores with PHP's native handlers.
 */
final class NativeHandlerTest extends TestCase
{
    use Thrown;

    private const STAY = '$_SESSION["user_id"] = 7; $session->close();';

    /**
     * A failing page of ext-memcache leaves its lock, and the next page waits for the lock's lifetime. A shorter lifetime
     * than the default saves time.
     */
    private const START = 'ini_set("memcache.lock_timeout", "1"); $session->start();';

    /** @var list<MemcachedProcess> */
    private array $servers = [];

    protected function tearDown(): void
    {
        foreach ($this->servers as $server) {
            $server->end();
        }
    }

    /**
     * @return iterable<string, array{string, string, int}> scheme and options of the URL, and the maximum length of an ID
     */
    public static function handlers(): iterable
    {
        yield 'memcached' => ['memcached', 'handler=memcached', 231];
        yield 'memcached, long prefix' => ['memcached', 'handler=memcached&prefix=' . str_repeat('p', 200), 45];
        yield 'memcache' => ['memcached', 'handler=memcache', 245];
        yield 'redis' => ['redis', '', 256];
        // File names have up to 255 bytes, including `sess_`.
        yield 'files' => ['file', '', 250];
    }

    /** @dataProvider handlers */
    public function testReplacesAnInventedIdOfAnyLength(string $scheme, string $options, int $longest): void
    {
        $url = self::url($scheme, $options);
        // The sample site also passes the name to start().
        $code = 'ini_set("session.name", "OTHER"); $session->start(["name" => "PHPSESSID"]);' . self::STAY;
        foreach ([1, $longest, $longest + 1, 3000] as $length) {
            $invented = str_repeat('a', $length);
            $answer = NativeSite::request($url, $invented, $code);
            self::assertSame('', $answer->error, "$length characters");
            self::assertMatchesRegularExpression('/^[a-z0-9]{26,32}\z/', $answer->id, "$length characters");
            self::assertStringStartsWith("PHPSESSID=$answer->id;", $answer->cookies[0] ?? '');
            self::assertSame(['user_id' => 7], NativeSite::request($url, $answer->id)->session);
        }
        // An ID of the maximum length is kept.
        $begun = NativeSite::request($url, null, "ini_set('session.sid_length', '$longest'); \$session->start();" . self::STAY);
        self::assertSame($longest, strlen($begun->id));
        $answer = NativeSite::request($url, $begun->id);
        self::assertSame(['', ['user_id' => 7], []], [$answer->error, $answer->session, $answer->cookies]);
    }

    public function testReplacesAnInvalidCookie(): void
    {
        $url = self::url('redis', '');
        foreach (['', '../etc/passwd', "a%00b", str_repeat('%20', 26), str_repeat('a', 26) . '%0A'] as $cookie) {
            $answer = NativeSite::request($url, $cookie);
            self::assertSame('', $answer->error);
            self::assertStringStartsWith("PHPSESSID=$answer->id;", $answer->cookies[0] ?? '');
        }
    }

    public function testReadAndCloseKeepsTheId(): void
    {
        foreach (self::handlers() as [$scheme, $options]) {
            $url = self::url($scheme, $options);
            $read = '$session->start(["read_and_close" => true]);';
            $answer = NativeSite::request($url, str_repeat('b', 26), $read);
            self::assertSame(['', []], [$answer->error, $answer->session], $options);
            $begun = NativeSite::request($url, null, '$session->start();' . self::STAY);
            $answer = NativeSite::request($url, $begun->id, $read);
            $seen = [$answer->error, $answer->session, $answer->id, $answer->cookies];
            self::assertSame(['', $begun->session, $begun->id, []], $seen, $options);
        }
    }

    public function testRedisUrlSelectsOneNumberedDatabase(): void
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
                $error = self::thrown(InvalidSettings::class, fn () => $class::fromUrl("redis://h$place"), "$class accepts $place");
                self::assertStringContainsString('database', $error->getMessage());
            }
        }
    }

    public function testExtMemcacheCannotEndASessionWhileAServerDoesNotRespond(): void
    {
        $end = 'destroy';
        [$url, $servers] = $this->twoMemcached();
        $login = NativeSite::request($url, null, self::START . self::STAY);
        $servers[1]->pause();
        $answer = NativeSite::request($url, $login->id, self::START . "\$session->$end();");
        self::assertStringStartsWith('PhpSessionChat\Session\SessionUnavailable: memcache: session_', $answer->error);
        self::assertStringEndsWith(': the session may still be in the store', $answer->error);
        self::assertSame([], $answer->cookies);

        $servers[1]->resume();
        $this->assertEnds($url, $login->id, $end);
        $login = NativeSite::request($url, null, self::START . self::STAY);
        $servers[1]->end();
        $this->assertEnds($url, $login->id, $end);
    }

    /** get() of ext-memcached returns "not found" even if the server responds with an error. */
    public function testExtMemcachedIsUnavailableIfTheServerRejectsEveryCommand(): void
    {
        $users = Folder::temporary() . '/users';
        file_put_contents($users, "site:secret\n");
        chmod(dirname($users), 0755);
        $server = $this->servers[] = new MemcachedProcess(['-Y', $users]);
        // get() hides errors of the text protocol. Without locks, because taking a lock would fail first.
        $settings = 'ini_set("memcached.sess_binary_protocol", "0"); ini_set("memcached.sess_locking", "0");';
        $url = "memcached://127.0.0.1:$server->port?handler=memcached";
        $answer = NativeSite::request($url, str_repeat('a', 26), $settings . '$session->start();');
        self::assertStringStartsWith('PhpSessionChat\Session\SessionUnavailable: memcached: ', $answer->error);
        self::assertSame([], $answer->cookies);
    }

    /** @return array{string, list<MemcachedProcess>} the URL, and the two servers that both store each session */
    private function twoMemcached(): array
    {
        [$first, $second] = $this->servers = [new MemcachedProcess(), new MemcachedProcess()];
        $url = "memcached://127.0.0.1:$first->port,127.0.0.1:$second->port?handler=memcache&timeout=300ms";
        return [$url, $this->servers];
    }

    private function assertEnds(string $url, string $id, string $end): void
    {
        self::assertSame('', NativeSite::request($url, $id, self::START . "\$session->$end();")->error);
        $after = NativeSite::request($url, $id, self::START);
        self::assertSame(['', []], [$after->error, $after->session]);
        self::assertNotSame($id, $after->id);
    }

    private static function url(string $scheme, string $options): string
    {
        return match ($scheme) {
            'memcached' => 'memcached://127.0.0.1:' . MemcachedProcess::shared()->port,
            'redis' => 'redis://127.0.0.1:' . RedisProcess::shared()->port,
            'file' => 'file://' . Folder::temporary(),
        } . "?$options";
    }
}
