<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\RedisProcess;
use PhpSessionChat\Tests\Support\ServerProcess;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/** Tests what is specific to Redis. HandlerContractTest and LockTest cover all handlers. */
final class RedisHandlerTest extends TestCase
{
    use Thrown;

    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    /** Contains characters that must be escaped in a URL. */
    private const PASSWORD = 'se@same:/?#%12';

    private static RedisProcess $server;
    private static int $tlsPort;
    private static string $authority;
    private \Redis $admin;

    public static function setUpBeforeClass(): void
    {
        $folder = Folder::temporary();
        ServerProcess::certificate($folder);
        self::$authority = "$folder/tls.pem";
        self::$tlsPort = ServerProcess::ownPort();
        self::$server = new RedisProcess([
            '--requirepass', self::PASSWORD, '--tls-port', (string) self::$tlsPort, '--tls-auth-clients', 'no',
            '--tls-cert-file', "$folder/tls.pem", '--tls-key-file', "$folder/tls.key",
            '--tls-ca-cert-file', "$folder/tls.pem",
        ]);
    }

    public static function tearDownAfterClass(): void
    {
        self::$server->end();
    }

    protected function setUp(): void
    {
        $this->admin = new \Redis();
        $this->admin->connect(self::$server->folder . '/redis.sock');
        $this->admin->auth(self::PASSWORD);
        $this->admin->flushAll();
        $rights = ['reset', 'on', '>' . self::PASSWORD, '~siam_*', '+get', '+set', '+setex', '+select'];
        $this->admin->acl('SETUSER', 'php', ...$rights);
    }

    public function testConnectsByTcpTlsAndUnixSocket(): void
    {
        $password = rawurlencode(self::PASSWORD);
        [$port, $tls, $ca] = [self::$server->port, self::$tlsPort, self::$authority];
        $ways = [
            "redis://:$password@127.0.0.1:$port/3?prefix=siam_",
            "redis://:$password@127.0.0.1:$port?prefix=siam_&database=3",
            "redis://php:$password@localhost:$port/3?prefix=siam_",
            "rediss://:$password@127.0.0.1:$tls/3?prefix=siam_&ca=$ca",
            'redis://:' . $password . '@' . self::$server->folder . '/redis.sock?prefix=siam_&database=3',
        ];
        foreach ($ways as $n => $way) {
            $this->handler($way)->write(self::ID, "session $n");
            $this->admin->select(3);
            self::assertSame("session $n", $this->admin->get('siam_' . self::ID), $way);
            self::assertSame("session $n", $this->handler($way)->read(self::ID));
        }
        $this->admin->select(0);
        $this->handler("redis://:$password@127.0.0.1:$port")->write(self::ID, 'default');
        self::assertSame('default', $this->admin->get('PHPREDIS_SESSION:' . self::ID));
    }

    /** @dataProvider failures */
    public function testIsUnavailableAfterAnErrorOfRedisOrTls(string $url, string $message): void
    {
        $this->admin->lPush('siam_' . self::ID, 'a list');
        $url = strtr($url, [
            'PASSWORD' => rawurlencode(self::PASSWORD),
            'TLS' => (string) self::$tlsPort,
            'PORT' => (string) self::$server->port,
            'CA' => self::$authority,
        ]);
        $error = self::thrown(SessionUnavailable::class, fn () => $this->handler($url)->read(self::ID));
        self::assertStringStartsWith("redis: GET: $message", $error->getMessage());
        self::assertStringNotContainsString(self::PASSWORD, $error->getMessage());
        self::assertStringNotContainsString(self::ID, $error->getMessage());
        self::assertNull($error->getPrevious(), 'the trace of the previous exception could contain the password');
    }

    /** @return iterable<string, array{string, string}> */
    public static function failures(): iterable
    {
        yield 'no password' => ['redis://127.0.0.1:PORT?prefix=siam_', 'NOAUTH'];
        yield 'a wrong password' => ['redis://:sesame@127.0.0.1:PORT?prefix=siam_', 'WRONGPASS'];
        yield 'a wrong user' => ['redis://nobody:PASSWORD@127.0.0.1:PORT?prefix=siam_', 'WRONGPASS'];
        yield 'keys that the user may not read' => ['redis://php:PASSWORD@127.0.0.1:PORT?prefix=other_', 'NOPERM'];
        yield 'no such database' => ['redis://:PASSWORD@127.0.0.1:PORT/16?prefix=siam_', 'ERR'];
        yield 'not a string' => ['redis://:PASSWORD@127.0.0.1:PORT?prefix=siam_', 'WRONGTYPE'];
        yield 'another authority' => ['rediss://:PASSWORD@127.0.0.1:TLS?prefix=siam_', 'Redis::connect(): '];
        yield 'another name' => ['rediss://:PASSWORD@localhost:TLS?prefix=siam_&ca=CA', 'Redis::connect(): '];
        yield 'a port without TLS' => ['rediss://:PASSWORD@127.0.0.1:PORT?prefix=siam_&ca=CA', 'Redis::connect(): '];
    }

    public function testKeepsTheOldRecordIfRedisIsFull(): void
    {
        $handler = $this->handler('redis://:' . rawurlencode(self::PASSWORD) . '@127.0.0.1:' . self::$server->port);
        $handler->write(self::ID, 'something');
        $this->admin->config('SET', 'maxmemory', '1mb');
        try {
            $handler->write(self::ID, str_repeat('a', 2_000_000));
            self::fail('no error');
        } catch (SessionUnavailable $error) {
            self::assertSame('redis: SET: OOM', $error->getMessage());
        } finally {
            $this->admin->config('SET', 'maxmemory', '0');
        }
        self::assertSame('something', $handler->read(self::ID));
    }

    private function handler(string $url): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl($url . (str_contains($url, '?') ? '&' : '?') . 'format=php_serialize');
        $handler->open('', 'PHPSESSID');
        return $handler;
    }
}
