<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\NativeSite;
use PhpSessionChat\Tests\Support\ServerProcess;
use PHPUnit\Framework\TestCase;

/** ext-memcached's get() says "not found" of a server that answers with errors, too. */
final class NativeMemcachedTest extends TestCase
{
    /** With locks each page would fail on those. */
    private const SETTINGS = 'ini_set("memcached.sess_binary_protocol", "0"); ini_set("memcached.sess_locking", "0");';

    public function testAServerThatRefusesEveryCommandLogsNobodyOut(): void
    {
        $port = ServerProcess::freePort();
        $folder = ServerProcess::folder('memcached', 'nobody');
        file_put_contents("$folder/users", "site:secret\n");
        $user = posix_getuid() === 0 ? ['-u', 'nobody'] : [];
        $options = ['-vv', '-l', '127.0.0.1', '-p', (string) $port, '-U', '0', '-Y', "$folder/users", ...$user];
        $server = new ServerProcess(['memcached', ...$options], $folder, 'server listening');

        $url = "memcached://127.0.0.1:$port?handler=memcached";
        $answer = NativeSite::request($url, str_repeat('a', 26), self::SETTINGS . '$session->start();');
        self::assertStringStartsWith('PhpSessionChat\Session\SessionUnavailable: memcached: ', $answer->error);
        self::assertSame([], $answer->cookies);
        $server->end();
    }
}
