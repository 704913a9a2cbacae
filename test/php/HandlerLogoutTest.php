<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\HandlerTestCase;
use PhpSessionChat\Tests\Support\MemcachedProcess;

/** How sessions end and change their IDs with every handler: a logout is final, whatever else is going on. */
final class HandlerLogoutTest extends HandlerTestCase
{
    /** @dataProvider handlers */
    public function testDestroyEndsTheSession(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        self::assertSame('', $this->request($id, 'session_destroy()')->error);
        self::assertNull($this->store->get($id));
        self::assertNotSame($id, $this->request($id)->id);
    }

    /** @dataProvider handlers */
    public function testRegenerateAndDeleteMovesTheDataToANewId(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $second = $this->request($id, 'session_regenerate_id(true)');
        self::assertNotSame($id, $second->id);
        self::assertNull($this->store->get($id));
        self::assertSame(self::DATA, $this->request($second->id)->session);
    }

    /** @dataProvider handlers */
    public function testRegenerateAndKeepLeavesTheOldRecord(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $second = $this->request($id, 'session_regenerate_id(false); $_SESSION["user_id"] = 2');
        self::assertNotSame($id, $second->id);
        self::assertSame(self::DATA, $this->request($id)->session);
        self::assertSame(2, $this->request($second->id)->session['user_id']);
    }

    /** @dataProvider handlers */
    public function testASessionThatEndedMeanwhileIsNotRevived(string ...$handler): void
    {
        $this->use(...$handler);
        foreach (['', '&lock=1'] as $lock) {
            $this->options .= $lock;
            foreach (['', '$_SESSION["cart"] = 3'] as $rest) {
                $id = $this->begin();
                $request = $this->request($id, "\$store->remove(session_id()); $rest");
                self::assertSame('', $request->error);
                self::assertNull($this->store->get($id));
            }
        }
    }

    /** @dataProvider handlers */
    public function testASessionThatEndedMeanwhileGetsNoNewId(string ...$handler): void
    {
        $this->use(...$handler);
        foreach (['session_regenerate_id(true)', 'session_regenerate_id()'] as $regenerate) {
            $id = $this->begin();
            $request = $this->request($id, "\$store->remove(session_id()); $regenerate; \$_SESSION['cart'] = 3");
            self::assertStringStartsWith(SessionUnavailable::class . ': The session has ended or', $request->error);
            // Perhaps it has another ID now, of another page, whose cookie is not to be replaced.
            self::assertSame([], $request->cookies);
            self::assertNull($this->store->get($id));
            self::assertNull($this->store->get($request->id));
            // Nor does a page that pays no heed to that.
            $id = $this->begin();
            $try = "try { $regenerate; } catch (Throwable) {} \$ids[] = session_id();";
            $request = $this->request($id, "\$store->remove(session_id()); $try $try \$_SESSION['cart'] = \$ids");
            self::assertSame([], $request->cookies);
            foreach ($request->session['cart'] as $tried) {
                self::assertNull($this->store->get($tried));
            }
            // What the same page begins afterwards is a session of its own.
            $id = $this->begin();
            $new = "\$store->remove(session_id()); session_destroy(); %ssession_start(); \$_SESSION = ['n' => 1]";
            foreach (['', 'unset($_COOKIE["PHPSESSID"]); '] as $withoutCookie) {
                $request = $this->request($id, sprintf($new, $withoutCookie));
                self::assertSame(['n' => 1], $this->request($request->id)->session);
                $id = $request->id;
            }
        }
    }

    /** A server that is gone holds up nobody's logout but that of its own sessions. */
    public function testTheMarkOfALogoutLiesWhereTheSessionLay(): void
    {
        $servers = [new MemcachedProcess(), new MemcachedProcess()];
        $hosts = implode(',', array_map(static fn ($server) => "127.0.0.1:$server->port", $servers));
        $handler = HandlerFactory::fromUrl("memcached://$hosts?prefix=s/&format=php_serialize");
        $handler->open('', '');
        for ($n = 0; $n < 20; $n++) {
            $id = $handler->create_sid();
            $handler->write($id, 'a:0:{}');
            $has = static fn (MemcachedProcess $server, string $key): bool =>
                MemcachedProcess::ask($server->port, "get $key") !== ['END'];
            $own = $has($servers[0], "s/$id") ? 0 : 1;
            self::assertTrue($has($servers[$own], "s/$id"));
            $handler->destroy($id);
            $mark = 'chat.ended.' . substr(hash('sha256', $id), 0, 32);
            self::assertSame([true, false], [$has($servers[$own], $mark), $has($servers[1 - $own], $mark)]);
        }
    }
}
