<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\NativeSite;
use PhpSessionChat\Tests\Support\SiteAnswer;
use PHPUnit\Framework\TestCase;

/** The end of a session that ext-memcache keeps on two servers, one of which fails. */
final class NativeMemcacheTest extends TestCase
{
    private const LOGIN = '$session->start(); $_SESSION["user_id"] = 7; $session->close();';

    /** @var list<MemcachedProcess> */
    private array $servers;

    protected function setUp(): void
    {
        $this->servers = [new MemcachedProcess(), new MemcachedProcess()];
    }

    protected function tearDown(): void
    {
        foreach ($this->servers as $server) {
            $server->end();
        }
    }

    /** @return iterable<string, array{string}> */
    public static function ends(): iterable
    {
        yield 'logout' => ['destroy'];
        yield 'new ID' => ['regenerate'];
    }

    /** @dataProvider ends */
    public function testAServerThatIsSilentMayStillHaveIt(string $end): void
    {
        $login = $this->request(null, self::LOGIN);
        $this->servers[1]->pause();
        $answer = $this->request($login->id, "\$session->start(); \$session->$end();");
        self::assertStringStartsWith('PhpSessionChat\Session\SessionUnavailable: memcache: session_', $answer->error);
        self::assertStringEndsWith(': the session may still be in the store', $answer->error);
        self::assertSame([], $answer->cookies);

        $this->servers[1]->resume();
        $this->assertEnds($login->id, $end);
    }

    /** @dataProvider ends */
    public function testAServerThatIsDownHasNothingLeft(string $end): void
    {
        $login = $this->request(null, self::LOGIN);
        $this->servers[1]->end();
        $this->assertEnds($login->id, $end);
    }

    private function assertEnds(string $id, string $end): void
    {
        self::assertSame('', $this->request($id, "\$session->start(); \$session->$end();")->error);
        $after = $this->request($id, '$session->start();');
        self::assertSame(['', []], [$after->error, $after->session]);
        self::assertNotSame($id, $after->id);
    }

    private function request(?string $id, string $code): SiteAnswer
    {
        [$first, $second] = $this->servers;
        $url = "memcached://127.0.0.1:$first->port,127.0.0.1:$second->port?handler=memcache&timeout=2";
        return NativeSite::request($url, $id, $code);
    }
}
