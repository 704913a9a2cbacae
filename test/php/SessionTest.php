<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\SessionScript;
use PHPUnit\Framework\TestCase;

/** The handler under PHP's own session functions, each request in a process of its own. */
final class SessionTest extends TestCase
{
    private const MONTH = 30 * 24 * 60 * 60;

    public function testDataSurviveFromRequestToRequest(): void
    {
        $first = SessionScript::run(null, '$_SESSION = ["user_id" => 1, "firstname" => "Alice"]');
        $second = SessionScript::run($first->id, '');
        self::assertSame($first->id, $second->id);
        self::assertSame(['user_id' => 1, 'firstname' => 'Alice'], $second->session);
    }

    public function testAnIdThatTheStoreDoesNotKnowIsReplaced(): void
    {
        $planted = str_repeat('a', 26);
        $request = SessionScript::run($planted, '$_SESSION["user_id"] = 1');
        self::assertSame('', $request->error);
        self::assertNotSame($planted, $request->id);
        self::assertNull($this->stored($planted));
        self::assertSame('{"user_id":1}', $this->stored($request->id));
    }

    public function testAMalformedIdIsReplaced(): void
    {
        foreach (['../../etc/passwd', str_repeat('a', 300), 'a/b'] as $cookie) {
            self::assertMatchesRegularExpression('/^[a-z0-9,-]{26,}\z/i', SessionScript::run($cookie, '')->id);
        }
    }

    public function testAnEmptySessionIsStoredAsAnObject(): void
    {
        $request = SessionScript::run(null, '');
        self::assertSame('{}', $this->stored($request->id));
        self::assertSame($request->id, SessionScript::run($request->id, '')->id);
    }

    public function testARequestThatChangesNothingOnlyTouches(): void
    {
        $first = SessionScript::run(null, '$_SESSION = ["user_id" => 1, "f" => 1.0, "list" => [1.5, null, "张"]]');
        $before = $this->counters();
        SessionScript::run($first->id, '', ['session.gc_maxlifetime' => '5000']);
        $after = $this->counters();
        self::assertSame($before['cmd_set'], $after['cmd_set']);
        self::assertSame(1, $after['cmd_touch'] - $before['cmd_touch']);
        self::assertEqualsWithDelta(5000, $this->remaining($first->id), 1);
    }

    /** @dataProvider slowPages */
    public function testASessionDestroyedMeanwhileIsNotRevived(string $rest): void
    {
        $first = SessionScript::run(null, '$_SESSION["user_id"] = 1');
        $destroy = '$other = new Memcached(); $other->addServer("127.0.0.1", (int) getenv("MEMCACHED_PORT"));'
            . '$other->delete("sessions/" . session_id())';
        $request = SessionScript::run($first->id, "$destroy; $rest");
        self::assertSame('', $request->error);
        self::assertNull($this->stored($first->id));
    }

    public function slowPages(): iterable
    {
        yield 'by a page that only reads' => [''];
        yield 'by a page that changes something' => ['$_SESSION["cart"] = 3'];
    }

    public function testRegenerateAndDeleteMovesTheDataToANewId(): void
    {
        $first = SessionScript::run(null, '$_SESSION["user_id"] = 1');
        $second = SessionScript::run($first->id, 'session_regenerate_id(true)');
        self::assertNotSame($first->id, $second->id);
        self::assertNull($this->stored($first->id));
        self::assertSame('{"user_id":1}', $this->stored($second->id));
    }

    public function testRegenerateAndKeepLeavesTheOldRecord(): void
    {
        $first = SessionScript::run(null, '$_SESSION["user_id"] = 1');
        $second = SessionScript::run($first->id, 'session_regenerate_id(false); $_SESSION["user_id"] = 2');
        self::assertSame('{"user_id":1}', $this->stored($first->id));
        self::assertSame('{"user_id":2}', $this->stored($second->id));
    }

    public function testDestroyRemovesTheRecord(): void
    {
        $first = SessionScript::run(null, '$_SESSION["user_id"] = 1');
        SessionScript::run($first->id, 'session_destroy()');
        self::assertNull($this->stored($first->id));
    }

    public function testALifetimeOverThirtyDaysIsNotTakenForADate(): void
    {
        foreach ([self::MONTH, self::MONTH + 1, 10 * self::MONTH] as $seconds) {
            $request = SessionScript::run(null, '', ['session.gc_maxlifetime' => (string) $seconds]);
            self::assertEqualsWithDelta($seconds, $this->remaining($request->id), 2);
            SessionScript::run($request->id, '', ['session.gc_maxlifetime' => (string) $seconds]);
            self::assertEqualsWithDelta($seconds, $this->remaining($request->id), 2, 'touched');
        }
    }

    /** @dataProvider unfit */
    public function testUnfitSettingsAreRefused(array $settings): void
    {
        $request = SessionScript::run(null, '', $settings);
        self::assertStringStartsWith('PhpSessionChat\ConfigurationError: ' . key($settings), $request->error);
    }

    public function unfit(): iterable
    {
        yield 'no lifetime' => [['session.gc_maxlifetime' => '0']];
        yield 'another format' => [['session.serialize_handler' => 'php']];
        yield 'IDs chosen by visitors' => [['session.use_strict_mode' => '0']];
    }

    /** @dataProvider unfitData */
    public function testDataThatCannotBeStoredFailTheRequestAndKeepTheSession(string $code, string $message): void
    {
        $first = SessionScript::run(null, '$_SESSION["user_id"] = 1');
        $request = SessionScript::run($first->id, $code);
        self::assertStringContainsString($message, $request->error);
        self::assertSame('{"user_id":1}', $this->stored($first->id));
    }

    public function unfitData(): iterable
    {
        yield 'not UTF-8' => ['$_SESSION["bio"] = "\xff"', 'SessionDataError: The session cannot be stored as JSON'];
        yield 'an object' => ['$_SESSION["o"] = new stdClass', 'key "o": an object'];
        yield 'a date' => ['$_SESSION["o"] = new DateTimeImmutable', 'key "o": an object'];
        yield 'an enum' => ['enum Suit { case Hearts; } $_SESSION["o"] = Suit::Hearts', 'SessionDataError'];
        yield 'a closure' => ['$_SESSION["o"] = fn () => 1', 'Serialization of \'Closure\' is not allowed'];
    }

    private function stored(string $id): ?string
    {
        $lines = MemcachedProcess::ask((int) getenv('MEMCACHED_PORT'), "get sessions/$id");
        return $lines[0] === 'END' ? null : $lines[1];
    }

    private function remaining(string $id): int
    {
        [$line] = MemcachedProcess::ask((int) getenv('MEMCACHED_PORT'), "mg sessions/$id t");
        return (int) substr($line, strlen('HD t'));
    }

    /** @return array<string, string> */
    private function counters(): array
    {
        $counters = [];
        foreach (MemcachedProcess::ask((int) getenv('MEMCACHED_PORT'), 'stats') as $line) {
            [, $name, $value] = explode(' ', $line, 3) + ['', '', ''];
            $counters[$name] = $value;
        }
        return $counters;
    }
}
