<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\JsonHandler;
use PhpSessionChat\Session\Handler\MemcachedHandler;
use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\ServerProcess;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Store;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/**
 * Tests what is specific to memcached, and the number of requests. HandlerContractTest and LockTest cover all handlers.
 */
final class MemcachedHandlerTest extends TestCase
{
    use Thrown;

    private const MONTH = 30 * 24 * 60 * 60;

    private JsonHandler $handler;
    private int $port;
    private string $id;

    protected function setUp(): void
    {
        $this->port = MemcachedProcess::shared()->port;
        $this->handler = new JsonHandler(new MemcachedHandler([['127.0.0.1', $this->port]], 'sessions/'));
        $this->handler->open('', 'PHPSESSID');
        $this->id = $this->handler->create_sid();
    }

    public function testStoresPlainUncompressedJsonWithoutFlags(): void
    {
        self::assertTrue($this->write(['user_id' => 1, 'firstname' => '张']));
        self::assertSame(
            ['VALUE sessions/' . $this->id . ' 0 34', '{"user_id":1,"firstname":"\u5f20"}', 'END'],
            MemcachedProcess::ask($this->port, "get sessions/$this->id"),
        );
        $this->write(['text' => str_repeat('a', 900_000)]);
        [$head] = MemcachedProcess::ask($this->port, "get sessions/$this->id");
        self::assertSame("VALUE sessions/$this->id 0 " . strlen('{"text":""}') + 900_000, $head);
    }

    public function testAcceptsTheIdOfAnEmptyItemButNotOfAMissingOne(): void
    {
        self::assertSame('', $this->handler->read($this->id));
        self::assertFalse($this->handler->validateId($this->id));
        MemcachedProcess::ask($this->port, "set sessions/$this->id 0 60 0\r\n");
        self::assertTrue($this->handler->validateId($this->id));
        self::assertSame('', $this->handler->read($this->id));
    }

    /** The object could run code of the site, even if sessions are JSON or encrypted. */
    public function testDoesNotUnserializeAnItemFlaggedAsSerialized(): void
    {
        $object = 'O:13:"PlantedObject":0:{}';
        $plant = fn (string $key) => MemcachedProcess::ask($this->port, "set $key 4 60 25\r\n$object");
        // PHP autoloads the class of an object that it unserializes.
        $classes = [];
        $note = static function (string $class) use (&$classes): void {
            $classes[] = $class;
        };
        spl_autoload_register($note);
        try {
            $plain = "memcached://127.0.0.1:$this->port?prefix=sessions/&format=php_serialize";
            foreach ([$plain, "$plain&layers=decrypt:" . Keys::file(), "$plain&lock=1"] as $url) {
                $plant("sessions/$this->id");
                $handler = self::opened($url);
                $handler->validateId($this->id);
                $error = self::thrown(SessionDataError::class, fn () => $handler->read($this->id));
                self::assertStringContainsString('not a string', $error->getMessage());
            }
            // The same for the lock.
            $this->handler->write($this->id, serialize([]));
            $handler = self::opened("$plain&lock=1");
            $handler->validateId($this->id);
            $plant("sessions/lock.$this->id");
            $handler->close();
            self::assertNotSame(['END'], MemcachedProcess::ask($this->port, "get sessions/lock.$this->id"));
        } finally {
            spl_autoload_unregister($note);
        }
        self::assertNotContains('PlantedObject', $classes);
    }

    public function testReconnectsAfterTheServerRestarted(): void
    {
        $server = new MemcachedProcess();
        $handler = self::opened("memcached://127.0.0.1:$server->port?format=php_serialize");
        self::assertFalse($handler->validateId($this->id));
        $server->end();
        $again = new MemcachedProcess([], $server->port);
        MemcachedProcess::ask($server->port, "set $this->id 0 60 6\r\na:0:{}");
        self::assertTrue($handler->validateId($this->id));
        self::assertSame('a:0:{}', $handler->read($this->id));
        $again->end();
    }

    public function testLeavesALogoutMarkerForAnEndedOrReplacedId(): void
    {
        $store = Store::named('memcached');
        $begin = static fn (): string => Site::request($store, null, '', '&format=json')->id;
        [$destroyed, $replaced, $kept] = [$begin(), $begin(), $begin()];
        Site::request($store, $destroyed, 'session_destroy();', '&format=json');
        $new = Site::request($store, $replaced, 'session_regenerate_id(true);', '&format=json')->id;
        Site::request($store, $kept, 'session_regenerate_id(false);', '&format=json');
        foreach ([$destroyed, $replaced] as $id) {
            [$line] = MemcachedProcess::ask($this->port, 'mg ' . self::marker($id) . ' t f v');
            self::assertMatchesRegularExpression('/^VA 0 t(30|29) f0\z/', $line);
        }
        foreach ([$new, $kept] as $id) {
            self::assertSame(['EN'], MemcachedProcess::ask($this->port, 'mg ' . self::marker($id) . ' v'));
        }
    }

    public function testQueriesTheServerOnceForAValidIdAndNeverForAMalformedOne(): void
    {
        $this->write(['user_id' => 1]);
        $before = $this->gets();
        self::assertTrue($this->handler->validateId($this->id));
        self::assertSame(serialize(['user_id' => 1]), $this->handler->read($this->id));
        self::assertSame(1, $this->gets() - $before);
        $this->write(['user_id' => 2]);
        self::assertSame(serialize(['user_id' => 2]), $this->handler->read($this->id), 'not the record that validateId() found');
        $before = $this->gets();
        foreach ([
            '', str_repeat('a', 21), str_repeat('a', 257), str_repeat('a', 250), '../../../../../../etc/passwd',
            str_repeat('a', 26) . "\r\nflush_all", str_repeat('a', 26) . "\n", str_repeat('a', 26) . "\0", str_repeat('é', 26),
        ] as $never) {
            self::assertFalse($this->handler->validateId($never));
        }
        self::assertSame(0, $this->gets() - $before);
    }

    /** A server that is down delays only the logouts of its own sessions. */
    public function testStoresTheLogoutMarkerOnTheServerOfItsSession(): void
    {
        $servers = [new MemcachedProcess(), new MemcachedProcess()];
        $hosts = implode(',', array_map(static fn ($server) => "127.0.0.1:$server->port", $servers));
        $handler = HandlerFactory::fromUrl("memcached://$hosts?prefix=s/&format=php_serialize");
        $handler->open('', '');
        for ($n = 0; $n < 8; $n++) {
            $id = $handler->create_sid();
            $handler->write($id, 'a:0:{}');
            $has = static fn (MemcachedProcess $server, string $key): bool =>
                MemcachedProcess::ask($server->port, "get $key") !== ['END'];
            $own = $has($servers[0], "s/$id") ? 0 : 1;
            self::assertTrue($has($servers[$own], "s/$id"));
            $handler->destroy($id);
            $marker = 'chat.ended.' . substr(hash('sha256', $id), 0, 32);
            self::assertSame([true, false], [$has($servers[$own], $marker), $has($servers[1 - $own], $marker)]);
        }
    }

    public function testStoresALockOnTheServerOfItsSession(): void
    {
        $second = new MemcachedProcess();
        $url = "memcached://127.0.0.1:$this->port,127.0.0.1:$second->port?prefix=sessions/&lock=1";
        foreach (['modula', 'ketama', 'ketama_weighted&weight=1,2'] as $distribution) {
            $where = [];
            // The IDs are random. With the weights 1 and 2, the first 12 rarely all belong to one server.
            for ($n = 0; $n < 12 || (count($where) < 2 && $n < 200); $n++) {
                $handler = self::opened("$url&distribution=$distribution");
                $id = $handler->create_sid();
                $handler->write($id, 'something');
                self::assertTrue($handler->validateId($id));
                foreach ([$this->port, $second->port] as $port) {
                    if (MemcachedProcess::ask($port, "get sessions/$id") !== ['END']) {
                        $where[$port][] = $id;
                        $lock = MemcachedProcess::ask($port, "get sessions/lock.$id");
                        self::assertNotSame(['END'], $lock, 'on the same server');
                    }
                }
                $handler->close();
            }
            self::assertCount(2, $where, $distribution);
            self::assertCount($n, array_merge(...$where), $distribution);
        }
        // While one server is down, only its own sessions are unavailable.
        $second->end();
        self::assertTrue(self::opened("$url&distribution=$distribution")->validateId($where[$this->port][0]));
        $this->expectException(SessionUnavailable::class);
        self::opened("$url&distribution=$distribution")->read($where[$second->port][0]);
    }

    public function testIsUnavailableIfTheServerRejectsEveryCommand(): void
    {
        $users = Folder::temporary() . '/users';
        file_put_contents($users, "site:secret\n");
        chmod(dirname($users), 0755);
        $server = new MemcachedProcess(['-Y', $users]);
        $answer = Site::request("memcached://127.0.0.1:$server->port", $this->id, '', '?format=json');
        self::assertStringContainsString('SessionUnavailable: memcached: get: CLIENT_ERROR', $answer->error);
        self::assertStringNotContainsString('unauthenticated', $answer->error, 'a text of the server');
        self::assertSame([], $answer->cookies);
        $server->end();
    }

    /** The response for another session would make the visitor another user. */
    public function testRejectsTheResponseToAnotherRequest(): void
    {
        $port = self::answering('fwrite($socket, "VALUE other 0 6 1\r\na:0:{}\r\nEND\r\n");');
        $this->expectException(SessionUnavailable::class);
        $this->expectExceptionMessage('incomplete response');
        self::opened("memcached://127.0.0.1:$port?format=php_serialize")->read($this->id);
    }

    /** The site's time limit may send such a signal. */
    public function testDiscardsAResponseInterruptedByASignal(): void
    {
        $port = self::answering(
            'if ($n === 0) { posix_kill(posix_getppid(), SIGUSR1); }'
            . ' fwrite($socket, "VALUE $key 0 6 1\r\na:0:{}\r\nEND\r\n");',
        );
        $handler = self::opened("memcached://127.0.0.1:$port?format=php_serialize");
        $before = pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, static fn () => throw new \LogicException('interrupted'));
        try {
            $handler->read($this->id);
            self::fail('not interrupted');
        } catch (\LogicException $error) {
            self::assertSame('interrupted', $error->getMessage());
            // The trace may keep the first connection open.
            unset($error);
            self::assertSame('a:0:{}', $handler->read($this->id));
        } finally {
            pcntl_signal(SIGUSR1, SIG_DFL);
            pcntl_async_signals($before);
        }
    }

    /** Each piece arrives in time, but the whole response does not. */
    public function testLimitsAResponseInManyPiecesToTheTimeout(): void
    {
        $port = self::answering(
            'fwrite($socket, "VALUE $key 0 36 1\r\n");'
            . ' foreach (str_split(str_repeat("x", 36) . "\r\nEND\r\n") as $byte) {'
            . ' usleep(10_000); @fwrite($socket, $byte); }',
        );
        $this->expectException(SessionUnavailable::class);
        self::opened("memcached://127.0.0.1:$port?format=php_serialize&timeout=100ms")->read($this->id);
    }

    public function testRejectsAnIdTooLongForTheKeyOfALock(): void
    {
        $handler = self::opened("memcached://127.0.0.1:$this->port?prefix=sessions/&lock=1");
        $id = str_repeat('a', 240);
        $handler->write($id, 'something');
        self::assertTrue($handler->validateId($id));
        $this->expectException(InvalidSettings::class);
        $this->expectExceptionMessage('session.sid_length');
        $handler->read($id);
    }

    public function testKeepsALifetimeOverThirtyDays(): void
    {
        $store = Store::named('memcached');
        foreach ([self::MONTH, self::MONTH + 1] as $seconds) {
            $request = Site::request($store, null, settings: ['gc_maxlifetime' => (string) $seconds]);
            self::assertEqualsWithDelta($seconds, $store->remaining($request->id), 60);
            Site::request($store, $request->id, settings: ['gc_maxlifetime' => (string) $seconds]);
            self::assertEqualsWithDelta($seconds, $store->remaining($request->id), 60, 'renewed');
        }
    }

    private static function marker(string $id): string
    {
        return 'chat.ended.' . substr(hash('sha256', $id), 0, 32);
    }

    private function write(array $data): bool
    {
        return $this->handler->write($this->id, serialize($data));
    }

    private function gets(): int
    {
        preg_match('/STAT cmd_get (\d+)/', implode("\n", MemcachedProcess::ask($this->port, 'stats')), $match);
        return (int) $match[1];
    }

    /**
     * Starts a server with invalid responses.
     *
     * @param string $answer code that responds to request number `$n` for `$key` over `$socket`
     * @return int its port
     */
    private static function answering(string $answer): int
    {
        $port = ServerProcess::ownPort();
        $code = '$listening = stream_socket_server("tcp://127.0.0.1:$argv[1]"); echo "ready\n"; for ($n = 0;;) {'
            . ' $socket = stream_socket_accept($listening, -1); while (($line = fgets($socket)) !== false) {'
            . " \$key = substr(trim(\$line), strlen('gets ')); $answer \$n++; } }";
        new ServerProcess([PHP_BINARY, '-r', $code, '--', (string) $port], ServerProcess::folder(), 'ready');
        return $port;
    }

    private static function opened(string $url): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl($url);
        $handler->open('', 'PHPSESSID');
        return $handler;
    }
}
