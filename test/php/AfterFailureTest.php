<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\PdoHandler;
use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\RedisProcess;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/** What a failure leaves behind: for the visitor's cookie, and for the next request of the same process. */
final class AfterFailureTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private const FORMAT = '&format=php_serialize';

    public function testAConnectionThatWasCutIsMadeAnewByTheSitesOwnFunction(): void
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

    public function testNoFailureMakesPhpReplaceACookie(): void
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
            // PHP sends the one that the visitor has once more, since it starts twice here.
            self::assertSame([], preg_grep('/=' . self::ID . ';/', $answer->cookies, PREG_GREP_INVERT));
        }
    }

    public function testPhpsOwnHandlersKeepTheCookieToo(): void
    {
        $redis = new RedisProcess();
        $url = "redis://127.0.0.1:$redis->port?timeout=100ms";
        $start = 'session_write_close(); header_remove("Set-Cookie"); header("Set-Cookie: other=1");
            $native = PhpSessionChat\Session\NativeHandler::fromUrl("' . $url . '"); $native->start();';
        $login = Site::request(Store::named('files'), null, "$start \$_SESSION = ['user_id' => 7]; \$native->close();", self::FORMAT);
        self::assertSame('', $login->error);
        $this->begin($login->id);
        $redis->pause();
        $answer = Site::request(Store::named('files'), $login->id, $start, self::FORMAT);
        self::assertStringStartsWith(SessionUnavailable::class, $answer->error);
        self::assertSame(['Set-Cookie: other=1'], $answer->cookies);
        $redis->resume();
        self::assertSame(['user_id' => 7], Site::request(Store::named('files'), $login->id, $start, self::FORMAT)->session);
        $redis->end();
    }

    /** The page that a test sends has a session of its own, in files, under the same ID. */
    private function begin(string $id): void
    {
        $handler = HandlerFactory::fromUrl(Store::named('files')->url() . self::FORMAT);
        $handler->open('', '');
        $handler->write($id, 'a:0:{}');
    }
}
