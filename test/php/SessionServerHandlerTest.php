<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\HandlerSettings;
use PhpSessionChat\Session\Handler\SessionServerHandler;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/** Tests what is specific to the session server. HandlerContractTest and LockTest cover all handlers. */
final class SessionServerHandlerTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private SessionServerClient $admin;

    protected function setUp(): void
    {
        $this->admin = $this->client();
        $this->admin->lockTimeout(0);
        $this->admin->open(self::ID);
        $this->admin->destroy();
    }

    protected function tearDown(): void
    {
        $this->admin->disconnect();
    }

    public function testReadsTheServerFromTheSavePath(): void
    {
        [$port, $socket] = [SessionServerProcess::shared()->port, SessionServerProcess::shared()->folder . '/socket'];
        $paths = ["localhost:$port" => true, "127.0.0.1:$port" => true, "unix:$socket" => true];
        $paths += ['' => false, '/var/lib/php/sessions' => false, '5;/tmp' => false, "user@localhost:$port" => false];
        foreach ($paths as $path => $works) {
            $code = 'session_write_close(); session_save_path("' . $path . '");
                session_set_save_handler(new PhpSessionChat\Session\Handler\SessionServerHandler(), false);
                unset($_COOKIE["PHPSESSID"]); header_remove("Set-Cookie");
                session_start(); $_SESSION = ["n" => 1];';
            $answer = Site::request(Store::named('files'), null, $code, '&format=php_serialize');
            self::assertSame($works, $answer->error === '', "$path: $answer->error");
            if ($works) {
                self::assertSame(['' => serialize(['n' => 1])], $this->admin->peek($answer->id));
            } else {
                self::assertStringContainsString('InvalidSettings: session.save_path must be', $answer->error);
            }
        }
    }

    public function testSetsTheLifetimeWithEveryRequest(): void
    {
        foreach ([[null, 1440], [100, 100]] as [$lifetime, $seconds]) {
            $this->write($this->handler(new HandlerSettings($lifetime)), 'something');
            $this->admin->open(self::ID, 'r');
            self::assertSame($seconds, $this->admin->lifetime());
        }
        // Also without a write, with or without a lock.
        foreach ([[null, 200], [5, 300]] as [$lock, $seconds]) {
            $handler = $this->handler(new HandlerSettings($seconds, $lock));
            self::assertSame('something', $handler->read(self::ID));
            $handler->updateTimestamp(self::ID, 'something');
            $handler->close();
            $this->admin->open(self::ID, 'r');
            self::assertEqualsWithDelta($seconds, $this->admin->ttl(), 20);
        }
    }

    public function testCausesEventsOnlyByChangingOrEndingASession(): void
    {
        $this->write($this->handler(), 'something');
        $watcher = stream_socket_client('tcp://127.0.0.1:' . SessionServerProcess::shared()->port);
        $ask = static function (string $line) use ($watcher): string {
            fwrite($watcher, "$line\r\n");
            return rtrim(fgets($watcher), "\r\n");
        };
        self::assertStringStartsWith('ok live ', $ask('watch ' . self::ID));
        foreach ([null, 5] as $lock) {
            $handler = $this->handler(new HandlerSettings(lockWait: $lock));
            $handler->read(self::ID);
            $handler->updateTimestamp(self::ID, 'something');
            $handler->close();
            $handler->read(self::ID);
            $handler->write(self::ID, 'something');
            $handler->close();
            self::assertSame('ok', $ask('ping'), 'no event before it');
        }
        $this->write($this->handler(), 'something else');
        self::assertStringStartsWith('event changed ' . self::ID, fgets($watcher));
        $this->handler()->destroy(self::ID);
        self::assertSame('event destroyed ' . self::ID . "\r\n", fgets($watcher));
    }

    public function testHoldsTheLockFromReadingToWriting(): void
    {
        $this->write($this->handler(), 'something');
        $handler = $this->handler(new HandlerSettings(lockWait: 5));
        foreach (['write', 'updateTimestamp', null] as $end) {
            $handler->read(self::ID);
            self::assertFalse($this->admin->open(self::ID));
            $end === null || $handler->$end(self::ID, 'something');
            $handler->close();
            self::assertTrue($this->admin->open(self::ID), (string) $end);
            $this->admin->close();
        }
        // Without a lock, the session is held only during the write.
        $handler = $this->handler();
        $handler->read(self::ID);
        self::assertTrue($this->admin->open(self::ID));
        $this->admin->close();
        $handler->write(self::ID, 'something else');
        self::assertTrue($this->admin->open(self::ID), 'while the page is still running');
    }

    public function testKeepsValuesOfOtherPrograms(): void
    {
        $this->admin->open(self::ID);
        $this->admin->putAll(['cart' => [1, 2]]);
        $this->admin->commit();
        self::assertFalse($this->handler()->validateId(self::ID), 'not a session of PHP');
        self::assertSame('', $this->handler()->read(self::ID));
        $this->write($this->handler(), "a\r\nb\0");
        self::assertSame(['cart' => [1, 2], '' => "a\r\nb\0"], $this->admin->peek(self::ID));
        $this->handler()->destroy(self::ID);
        self::assertNull($this->admin->peek(self::ID));
    }

    public function testKeepsTheOldDataIfTheNewIsTooLarge(): void
    {
        foreach ([[null, 1_100_000], [1, 9_000_000]] as [$lock, $bytes]) {
            $handler = $this->handler(new HandlerSettings(lockWait: $lock));
            $this->write($handler, 'something');
            try {
                $handler->read(self::ID);
                $handler->write(self::ID, str_repeat('a', $bytes));
                self::fail('no error');
            } catch (SessionDataError) {
                self::assertSame(['' => 'something'], $this->admin->peek(self::ID));
                self::assertTrue($this->admin->open(self::ID), 'it is not locked');
                $this->admin->close();
            }
        }
    }

    public function testLocksTheSessionByDefault(): void
    {
        $this->write($this->handler(), 'a:0:{}');
        $first = new SessionServerHandler($this->client());
        $first->open('', 'PHPSESSID');
        self::assertTrue($first->validateId(self::ID));
        self::assertFalse($this->admin->open(self::ID));
        $first->close();
        self::assertTrue($this->admin->open(self::ID));
    }

    public function testIsUnavailableIfTooManyClientsWait(): void
    {
        $server = new SessionServerProcess(['WAITERS_SESSION' => '0']);
        $holder = new SessionServerClient('127.0.0.1', $server->port);
        $holder->open(self::ID);
        $handler = new SessionServerHandler(new SessionServerClient('127.0.0.1', $server->port));
        $handler->open('', '');
        $this->expectExceptionObject(new SessionUnavailable('The session server cannot open the session, or too many requests wait for it.'));
        try {
            $handler->write(self::ID, 'something');
        } finally {
            $server->end();
        }
    }

    public function testSharesSessionsWithPearsClient(): void
    {
        $data = 'user_id|i:7;name|s:3:"Ann";list|a:1:{i:0;s:5:" a b ";}';
        $pear = stream_socket_client('tcp://127.0.0.1:' . SessionServerProcess::shared()->port);
        $ask = static function (string ...$lines) use ($pear): array {
            return array_map(static function (string $line) use ($pear): string {
                fwrite($pear, "$line\r\n");
                return preg_replace('/\r\n\z/', '', fgets($pear));
            }, $lines);
        };
        $open = 'open ' . self::ID . ' rw';
        self::assertSame(['ok', 'err Key does not exist', 'ok', 'ok'], $ask($open, 'get ', "put  $data", 'close'));
        $handler = $this->handler();
        self::assertTrue($handler->validateId(self::ID));
        self::assertSame($data, $handler->read(self::ID));
        $handler->write(self::ID, strtr($data, ['Ann' => 'Bob']));
        $handler->close();
        // PEAR's destroy() during the request.
        $read = 'ok ' . strtr($data, ['Ann' => 'Bob']);
        self::assertSame(['ok', $read, 'ok', 'err No session opened.'], $ask($open, 'get ', 'destroy', 'close'));
        self::assertFalse($handler->validateId(self::ID));
    }

    private function handler(HandlerSettings $settings = new HandlerSettings()): SessionServerHandler
    {
        $handler = new SessionServerHandler($this->client(), $settings);
        $handler->open('', 'PHPSESSID');
        return $handler;
    }

    private function write(SessionServerHandler $handler, string $data): void
    {
        $handler->write(self::ID, $data);
        $handler->close();
    }

    private function client(): SessionServerClient
    {
        return new SessionServerClient('127.0.0.1', SessionServerProcess::shared()->port, timeout: 5000);
    }
}
