<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\Site;
use PHPUnit\Framework\TestCase;

/** MemcachedHandler with several servers, and with what servers refuse. */
final class MemcachedServersTest extends TestCase
{
    private int $port;
    private string $id;

    protected function setUp(): void
    {
        $this->port = (int) getenv('MEMCACHED_PORT');
        $this->id = session_create_id();
    }

    public function testOfSeveralServersEachHasItsOwnSessions(): void
    {
        $second = new MemcachedProcess();
        $url = "memcached://127.0.0.1:$this->port,127.0.0.1:$second->port?prefix=sessions/&lock=1";
        foreach (['modula', 'ketama', 'ketama_weighted&weight=1,2'] as $distribution) {
            $where = [];
            for ($n = 0; $n < 12; $n++) {
                $handler = self::opened("$url&distribution=$distribution");
                $id = $handler->create_sid();
                $handler->write($id, 'something');
                self::assertTrue($handler->validateId($id));
                foreach ([$this->port, $second->port] as $port) {
                    if (MemcachedProcess::ask($port, "get sessions/$id") !== ['END']) {
                        $where[$port][] = $id;
                        $lock = MemcachedProcess::ask($port, "get sessions/lock.$id");
                        self::assertNotSame(['END'], $lock, 'beside it');
                    }
                }
                $handler->close();
            }
            self::assertCount(2, $where, $distribution);
            self::assertCount(12, array_merge(...$where), $distribution);
        }
        // While one is down, its sessions are unavailable and no others.
        $second->end();
        self::assertTrue(self::opened("$url&distribution=$distribution")->validateId($where[$this->port][0]));
        $this->expectException(SessionUnavailable::class);
        self::opened("$url&distribution=$distribution")->read($where[$second->port][0]);
    }

    /** To reading ext-memcached says that there is no such session. */
    public function testAServerThatRefusesIsNoLogout(): void
    {
        $logins = Folder::temporary() . '/logins';
        file_put_contents($logins, "site:secret\n");
        chmod(dirname($logins), 0755);
        chmod($logins, 0644);
        $server = new MemcachedProcess('-Y', $logins);
        $answer = Site::request("memcached://127.0.0.1:$server->port", $this->id, '', '?format=json');
        self::assertStringContainsString('SessionUnavailable: memcached: touch: ', $answer->error);
        self::assertSame([], $answer->cookies);
        $server->end();
    }

    public function testAnIdTooLongForTheKeyOfALock(): void
    {
        $handler = self::opened("memcached://127.0.0.1:$this->port?prefix=sessions/&lock=1");
        $id = str_repeat('a', 240);
        $handler->write($id, 'something');
        self::assertTrue($handler->validateId($id));
        $this->expectException(InvalidSettings::class);
        $this->expectExceptionMessage('session.sid_length');
        $handler->read($id);
    }

    private static function opened(string $url): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl($url);
        $handler->open('', 'PHPSESSID');
        return $handler;
    }
}
