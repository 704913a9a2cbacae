<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\JsonHandler;
use PhpSessionChat\Session\Handler\MemcachedHandler;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/** The handler's methods as PHP calls them, with JSON. What PHP makes of them: HandlerContractTest, SessionTest. */
final class MemcachedHandlerTest extends TestCase
{
    private JsonHandler $handler;
    private int $port;
    private string $id;

    protected function setUp(): void
    {
        $this->port = (int) getenv('MEMCACHED_PORT');
        $this->handler = new JsonHandler(new MemcachedHandler([['127.0.0.1', $this->port]], 'sessions/'));
        $this->handler->open('', 'PHPSESSID');
        $this->id = $this->handler->create_sid();
    }

    public function testWritesPlainJsonWithoutFlags(): void
    {
        self::assertTrue($this->write(['user_id' => 1, 'firstname' => '张']));
        self::assertSame(
            ['VALUE sessions/' . $this->id . ' 0 34', '{"user_id":1,"firstname":"\u5f20"}', 'END'],
            MemcachedProcess::ask($this->port, "get sessions/$this->id"),
        );
    }

    public function testReadsWhatWasWritten(): void
    {
        $this->write(['user_id' => 1, 'cart' => [1, 2]]);
        self::assertSame(serialize(['user_id' => 1, 'cart' => [1, 2]]), $this->handler->read($this->id));
    }

    public function testARecordThatIsNotThereIsAnEmptySession(): void
    {
        self::assertSame('', $this->handler->read($this->id));
        self::assertFalse($this->handler->validateId($this->id));
    }

    public function testAnEmptyRecordIsAnEmptySession(): void
    {
        MemcachedProcess::ask($this->port, "set sessions/$this->id 0 60 0\r\n");
        self::assertTrue($this->handler->validateId($this->id));
        self::assertSame('', $this->handler->read($this->id));
    }

    public function testABigValueIsNotCompressed(): void
    {
        $text = str_repeat('a', 900_000);
        $this->write(['text' => $text]);
        [$head] = MemcachedProcess::ask($this->port, "get sessions/$this->id");
        self::assertSame("VALUE sessions/$this->id 0 " . strlen('{"text":""}') + 900_000, $head);
        self::assertSame(serialize(['text' => $text]), $this->handler->read($this->id));
    }

    public function testAValueOverTheServersLimitIsAnError(): void
    {
        $this->write(['user_id' => 1]);
        $this->expectException(SessionDataError::class);
        $this->expectExceptionMessage('over memcached\'s item limit');
        $this->write(['user_id' => 1, 'text' => str_repeat('a', 2_000_000)]);
    }

    public function testDataThatJsonCannotHoldLeaveTheOldRecordAsItWas(): void
    {
        $this->write(['user_id' => 1]);
        try {
            $this->write(['user_id' => 1, 'bio' => "\xff"]);
            self::fail('not refused');
        } catch (SessionDataError) {
            self::assertSame(serialize(['user_id' => 1]), $this->handler->read($this->id));
        }
    }

    public function testForeignItemsAreAnError(): void
    {
        // Flags 4: what a Memcached object stores an array with.
        MemcachedProcess::ask($this->port, "set sessions/$this->id 4 60 6\r\na:0:{}");
        $this->expectException(SessionDataError::class);
        $this->handler->read($this->id);
    }

    public function testTheLifetimeIsThatOfTheSession(): void
    {
        $this->write(['user_id' => 1]);
        self::assertEqualsWithDelta(1440, $this->remaining(), 1);
    }

    public function testTouchRenewsTheLifetimeAndNothingElse(): void
    {
        MemcachedProcess::ask($this->port, "set sessions/$this->id 0 60 2\r\n{}");
        self::assertTrue($this->handler->updateTimestamp($this->id, serialize(['not' => 'written'])));
        self::assertEqualsWithDelta(1440, $this->remaining(), 1);
        self::assertSame(serialize([]), $this->handler->read($this->id));
    }

    public function testTouchDoesNotReviveARecordThatHasVanished(): void
    {
        self::assertTrue($this->handler->updateTimestamp($this->id, serialize(['user_id' => 1])));
        self::assertFalse($this->handler->validateId($this->id));
    }

    public function testDestroyRemovesTheRecord(): void
    {
        $this->write(['user_id' => 1]);
        self::assertTrue($this->handler->destroy($this->id));
        self::assertFalse($this->handler->validateId($this->id));
        self::assertTrue($this->handler->destroy($this->id), 'gone already is no error');
    }

    public function testTheEndOfASessionLeavesAMark(): void
    {
        $store = Store::named('memcached');
        $begin = static fn (): string => Site::request($store, null, '', '&format=json')->id;
        [$destroyed, $replaced, $kept] = [$begin(), $begin(), $begin()];
        Site::request($store, $destroyed, 'session_destroy();', '&format=json');
        $new = Site::request($store, $replaced, 'session_regenerate_id(true);', '&format=json')->id;
        Site::request($store, $kept, 'session_regenerate_id(false);', '&format=json');
        foreach ([$destroyed, $replaced] as $id) {
            [$line] = MemcachedProcess::ask($this->port, 'mg ' . self::mark($id) . ' t f v');
            self::assertMatchesRegularExpression('/^VA 0 t(30|29) f0\z/', $line);
        }
        foreach ([$new, $kept] as $id) {
            self::assertSame(['EN'], MemcachedProcess::ask($this->port, 'mg ' . self::mark($id) . ' v'));
        }
    }

    public function testReadAfterValidateAsksTheServerOnce(): void
    {
        $this->write(['user_id' => 1]);
        $before = $this->gets();
        self::assertTrue($this->handler->validateId($this->id));
        self::assertSame(serialize(['user_id' => 1]), $this->handler->read($this->id));
        self::assertSame(1, $this->gets() - $before);
    }

    public function testWhatValidateFoundServesOneReadOnly(): void
    {
        $this->write(['user_id' => 1]);
        $this->handler->validateId($this->id);
        $this->handler->read($this->id);
        $this->write(['user_id' => 2]);
        self::assertSame(serialize(['user_id' => 2]), $this->handler->read($this->id));
    }

    /** @dataProvider neverMadeByPhp */
    public function testAnIdThatPhpNeverMadeIsNotAskedFor(string $id): void
    {
        $before = $this->gets();
        self::assertFalse($this->handler->validateId($id));
        self::assertSame(0, $this->gets() - $before);
    }

    public function neverMadeByPhp(): iterable
    {
        yield 'empty' => [''];
        yield 'short' => [str_repeat('a', 21)];
        yield 'over 256' => [str_repeat('a', 257)];
        yield 'a key over 250 bytes' => [str_repeat('a', 250)];
        yield 'a path' => ['../../../../../../etc/passwd'];
        yield 'a command' => [str_repeat('a', 26) . "\r\nflush_all"];
        yield 'a line feed at the end' => [str_repeat('a', 26) . "\n"];
        yield 'a NUL' => [str_repeat('a', 26) . "\0"];
        yield 'not ASCII' => [str_repeat('é', 26)];
    }

    public function testNewIdsAreLongAndDiffer(): void
    {
        self::assertMatchesRegularExpression('/^[A-Za-z0-9,-]{26,}\z/', $this->id);
        self::assertNotSame($this->id, $this->handler->create_sid());
    }

    public function testThereIsNothingToCollect(): void
    {
        self::assertSame(0, $this->handler->gc(1440));
        self::assertTrue($this->handler->close());
    }

    private static function mark(string $id): string
    {
        return 'chat.ended.' . substr(hash('sha256', $id), 0, 32);
    }

    private function write(array $data): bool
    {
        return $this->handler->write($this->id, serialize($data));
    }

    /** Seconds that the record has to live. */
    private function remaining(): int
    {
        return (int) substr(MemcachedProcess::ask($this->port, "mg sessions/$this->id t")[0], strlen('HD t'));
    }

    private function gets(): int
    {
        preg_match('/STAT cmd_get (\d+)/', implode("\n", MemcachedProcess::ask($this->port, 'stats')), $match);
        return (int) $match[1];
    }
}
