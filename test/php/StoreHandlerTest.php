<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\SiteAnswer;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/** Tests the handlers' requirements for PHP settings and data, under PHP's session functions. */
final class StoreHandlerTest extends TestCase
{
    private Store $store;

    protected function setUp(): void
    {
        $this->store = Store::named('memcached');
    }

    public function testStoresAnEmptySessionAsAJsonObject(): void
    {
        $request = $this->request(null, '');
        self::assertSame('{}', $this->store->get($request->id));
        self::assertSame($request->id, $this->request($request->id, '')->id);
    }

    public function testUsesTheLifetimeOfTheUrlInsteadOfPhps(): void
    {
        $request = Site::request($this->store, null, '', '&format=json&lifetime=2h');
        self::assertEqualsWithDelta(7200, $this->store->remaining($request->id), 60);
    }

    /**
     * @dataProvider unfit
     * @param array<string, string> $settings
     */
    public function testRejectsUnsuitablePhpSettings(array $settings): void
    {
        $request = $this->request(null, '', $settings);
        self::assertStringStartsWith('PhpSessionChat\Session\InvalidSettings: session.' . key($settings), $request->error);
    }

    /** @return iterable<string, array{array<string, string>}> */
    public static function unfit(): iterable
    {
        yield 'no lifetime' => [['gc_maxlifetime' => '0']];
        yield 'another format' => [['serialize_handler' => 'php']];
        yield 'IDs chosen by visitors' => [['use_strict_mode' => '0']];
    }

    public function testSetsPhpsFormatFromTheUrl(): void
    {
        foreach (['memcached' => 'php_serialize', 'redis' => 'php', 'files' => 'php', 'sqlite' => 'php'] as $name => $default) {
            $formats = $name === 'redis' ? ['php_binary', 'php_serialize', 'igbinary', 'msgpack'] : [];
            foreach (['', ...$formats] as $format) {
                $store = Store::named($name);
                $id = Site::request($store, null, '$_SESSION["n"] = 1;', $format === '' ? '' : "&format=$format")->id;
                $format = $format ?: $default;
                $as = ['serialize_handler' => $format];
                self::assertSame(['n' => 1], Site::request($store, $id, '', "&format=$format", 'object', $as)->session);
            }
        }
    }

    public function testRejectsAFormatChangedLater(): void
    {
        $request = Site::request(Store::named('redis'), null, settings: ['serialize_handler' => 'igbinary']);
        self::assertSame(
            'PhpSessionChat\Session\InvalidSettings: '
                . 'session.serialize_handler is igbinary, but the session store needs php.',
            $request->error,
        );
    }

    public function testRejectsSixCallbacksBecauseVisitorsCouldChooseTheirId(): void
    {
        $id = $this->request(null, '$_SESSION["user_id"] = 1;')->id;
        foreach ([null, $id, str_repeat('a', 26)] as $cookie) {
            $request = Site::request($this->store, $cookie, '', '&format=json', 'six callbacks');
            self::assertStringContainsString('register the object or all of its callbacks', $request->error);
        }
        self::assertSame('{"user_id":1}', $this->store->get($id));
    }

    /** @dataProvider unfitData */
    public function testKeepsTheOldRecordIfJsonCannotHoldTheData(string $code, string $message): void
    {
        $first = $this->request(null, '$_SESSION["user_id"] = 1;');
        $request = $this->request($first->id, "$code;");
        self::assertStringContainsString($message, $request->error);
        self::assertSame('{"user_id":1}', $this->store->get($first->id));
    }

    /** @return iterable<string, array{string, string}> */
    public static function unfitData(): iterable
    {
        yield 'not UTF-8' => ['$_SESSION["bio"] = "\xff"', 'SessionDataError: The session cannot be stored as JSON'];
        yield 'an object' => ['$_SESSION["o"] = new stdClass', 'key "o": an object'];
        yield 'a closure' => ['$_SESSION["o"] = fn () => 1', 'Serialization of \'Closure\' is not allowed'];
    }

    /** @param array<string, string> $settings */
    private function request(?string $id, string $code, array $settings = []): SiteAnswer
    {
        return Site::request($this->store, $id, $code, '&format=json', 'object', $settings);
    }
}
