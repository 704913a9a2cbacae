<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\SessionServerHandler;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PHPUnit\Framework\TestCase;

/** The lines that PEAR's HTTP_SessionServer sends as a session handler, to our server, beside our own handler. */
final class SessionServerOldProtocolTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private static SessionServerProcess $server;

    public static function setUpBeforeClass(): void
    {
        self::$server = new SessionServerProcess();
    }

    public static function tearDownAfterClass(): void
    {
        self::$server->end();
    }

    public function testTheLinesOfOld(): void
    {
        $data = 'user_id|i:7;name|s:3:"Ann";list|a:1:{i:0;s:5:" a b ";}';
        $first = $this->connect();
        self::assertSame(['ok', 'err Key does not exist'], [$this->ask($first, 'open ' . self::ID . ' rw'), $this->ask($first, 'get ')]);
        self::assertSame(['ok', 'ok'], [$this->ask($first, "put  $data"), $this->ask($first, 'close')]);
        fclose($first);

        $second = $this->connect();
        self::assertSame(['ok', "ok $data"], [$this->ask($second, 'open ' . self::ID . ' rw'), $this->ask($second, 'get ')]);
        // It writes though nothing has changed.
        self::assertSame(['ok', 'ok'], [$this->ask($second, "put  $data"), $this->ask($second, 'close')]);

        $handler = new SessionServerHandler(new SessionServerClient('127.0.0.1', self::$server->port));
        $handler->open('', 'PHPSESSID');
        self::assertTrue($handler->validateId(self::ID));
        self::assertSame($data, $handler->read(self::ID));
        $handler->write(self::ID, strtr($data, ['Ann' => 'Bob']));
        $handler->close();
        self::assertSame('ok', $this->ask($second, 'open ' . self::ID . ' rw'));
        self::assertSame('ok ' . strtr($data, ['Ann' => 'Bob']), $this->ask($second, 'get '));

        // As its destroy() does it, in the middle of the request.
        self::assertSame(['ok', 'ok'], [$this->ask($second, 'open ' . self::ID . ' rw'), $this->ask($second, 'destroy')]);
        self::assertSame('err No session opened.', $this->ask($second, 'close'));
        self::assertFalse($handler->validateId(self::ID));
    }

    /** @return resource */
    private function connect()
    {
        return stream_socket_client('tcp://127.0.0.1:' . self::$server->port);
    }

    /** @param resource $socket */
    private function ask($socket, string $line): string
    {
        fwrite($socket, "$line\r\n");
        return preg_replace('/\r\n\z/', '', fgets($socket));
    }
}
