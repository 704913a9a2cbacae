<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\PdoHandler;
use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\Patience;
use PhpSessionChat\Tests\Support\RedisProcess;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Store;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/**
 * Tests that a failing store is not taken for a missing session, and visitors keep their cookies. PdoHandlerTest covers
 * tables.
 */
final class StoreFailureTest extends TestCase
{
    use Thrown;

    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private const FORMAT = '&format=php_serialize';

    /** @return iterable<string, array{string, string}> */
    public static function failures(): iterable
    {
        yield 'redis, which does not answer' => ['redis', 'pause'];
        yield 'memcached, which is down' => ['memcached', 'end'];
        yield 'session-server, which is down' => ['session-server', 'end'];
    }

    /** @dataProvider failures */
    public function testEveryCallFailsQuicklyWithSessionUnavailable(string $store, string $failure): void
    {
        $server = match ($store) {
            'memcached' => new MemcachedProcess(),
            'redis' => new RedisProcess(),
            'session-server' => new SessionServerProcess(),
        };
        $prefix = $store === 'session-server' ? '' : 'prefix=sessions/&';
        $url = "$store://127.0.0.1:$server->port?{$prefix}timeout=" . ($failure === 'pause' ? '100ms' : '5') . self::FORMAT;
        // A longer timeout for the preparation, because the machine may be busy.
        $patient = $this->handler(str_replace('100ms', '5', $url));
        $patient->write(self::ID, 'a:0:{}');
        $patient->write(strrev(self::ID), 'something');
        $connected = $this->handler($url);
        try {
            $connected->read(self::ID);
        } catch (SessionUnavailable) {
        }
        $server->$failure();
        try {
            // Over an existing connection. Connecting does not depend on the call, so one call over a new connection is
            // enough below.
            foreach (self::calls() as $name => $call) {
                $this->assertUnavailable($name, fn () => $call($connected));
            }
            $this->assertUnavailable('read', fn () => $this->handler($url)->read(self::ID));
            if ($failure === 'pause') {
                $server->resume();
                self::assertSame('something', $patient->read(strrev(self::ID)));
            }
        } finally {
            $server->end();
        }
    }

    public function testEveryCallFailsWithSessionUnavailableWhileTheFolderIsMissing(): void
    {
        $folder = Folder::temporary();
        $handler = $this->handler("file://$folder?depth=0" . self::FORMAT);
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

    public function testReconnectsByCallingTheSitesFunctionAgain(): void
    {
        $connections = [];
        $handler = new PdoHandler(function () use (&$connections): \PDO {
            return $connections[] = Store::named('mariadb')->client();
        });
        $handler->open('', '');
        $handler->write(self::ID, 'something');
        $number = $connections[0]->query('SELECT connection_id()')->fetchColumn();
        Store::named('mariadb')->client()->exec("KILL $number");
        try {
            $handler->read(self::ID);
            self::fail('no error');
        } catch (SessionUnavailable) {
            self::assertSame('something', $handler->read(self::ID));
        }
        self::assertCount(2, $connections);
    }

    public function testKeepsTheCookieIfTheSitesFunctionFails(): void
    {
        $this->begin(self::ID);
        foreach ([
            'throw new RuntimeException("no secrets today")',
            'return null',
            'return new PDO("sqlite::memory:", options: [PDO::ATTR_ERRMODE => PDO::ERRMODE_SILENT])',
        ] as $connect) {
            $code = "session_write_close(); unset(\$_SESSION);
                session_set_save_handler(new PhpSessionChat\\Session\\Handler\\PdoHandler(function () { $connect; }), false);
                header_remove('Set-Cookie'); session_start();";
            $answer = Site::request(Store::named('files'), self::ID, $code, self::FORMAT);
            self::assertNotSame('', $answer->error);
            self::assertStringNotContainsString('must be a string', $answer->error);
            // The page starts a session twice, so PHP repeats the visitor's own cookie.
            self::assertSame([], preg_grep('/=' . self::ID . ';/', $answer->cookies, PREG_GREP_INVERT));
        }
    }

    public function testKeepsOtherCookiesIfTheNativeHandlerFails(): void
    {
        $redis = new RedisProcess();
        $url = "redis://127.0.0.1:$redis->port?timeout=300ms";
        $start = 'session_write_close(); header_remove("Set-Cookie"); header("Set-Cookie: other=1");
            $native = PhpSessionChat\Session\NativeHandler::fromUrl("' . $url . '"); $native->start();';
        $login = Site::request(Store::named('files'), null, "$start \$_SESSION = ['user_id' => 7]; \$native->close();", self::FORMAT);
        self::assertSame('', $login->error);
        $this->begin($login->id);
        $redis->pause();
        $answer = Site::request(Store::named('files'), $login->id, $start, self::FORMAT);
        self::assertStringStartsWith(SessionUnavailable::class, $answer->error);
        self::assertSame(['other=1'], $answer->cookies);
        $redis->resume();
        self::assertSame(['user_id' => 7], Site::request(Store::named('files'), $login->id, $start, self::FORMAT)->session);
        $redis->end();
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
        $error = self::thrown(SessionUnavailable::class, $call, "$name: no error");
        self::assertLessThan(Patience::SECONDS, microtime(true) - $start, $name);
        self::assertStringNotContainsString(self::ID, $error->getMessage());
    }

    /** Stores a session with this ID in the files of Site, for pages that then start another session with it. */
    private function begin(string $id): void
    {
        $this->handler(Store::named('files')->url() . self::FORMAT)->write($id, 'a:0:{}');
    }

    private function handler(string $url): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl($url);
        $handler->open('', 'PHPSESSID');
        return $handler;
    }
}
