<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

use PHPUnit\Framework\TestCase;

/** Tests that every handler is put through, plain and encrypted, registered as an object and by callbacks. */
abstract class HandlerTestCase extends TestCase
{
    private const STORES = [
        'memcached', 'redis', 'mariadb', 'postgres', 'sqlite', 'files', 'session-server with short locks',
    ];

    protected const LOGIN = '$_SESSION = ["user_id" => 1, "firstname" => "张", "list" => [1.5, null]];';

    protected const DATA = ['user_id' => 1, 'firstname' => '张', 'list' => [1.5, null]];

    protected Store $store;
    protected string $options;
    protected string $registration;

    /** @return iterable<string, array{string, string, string}> store, options, registration */
    public static function handlers(): iterable
    {
        foreach (self::STORES as $store) {
            foreach ([
                'as JSON' => '&format=json',
                'as PHP writes it' => '&format=php_serialize',
                'encrypted' => '&format=php_serialize&layers=decrypt:' . Keys::file(),
            ] as $name => $options) {
                foreach (['object', 'callbacks'] as $registration) {
                    yield "$store, $name, $registration" => [$store, $options, $registration];
                }
            }
        }
    }

    protected function use(string $store, string $options, string $registration): void
    {
        $this->store = Store::named($store);
        [$this->options, $this->registration] = [$options, $registration];
    }

    /** Somebody logs in; the session's ID. */
    protected function begin(): string
    {
        $first = $this->request(null, self::LOGIN);
        self::assertSame(['', self::DATA], [$first->error, $first->session]);
        return $first->id;
    }

    /** @param array<string, string> $settings */
    protected function request(?string $id, string $code = '', array $settings = []): SiteAnswer
    {
        return Site::request($this->store, $id, "$code;", $this->options, $this->registration, $settings);
    }
}
