<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\Soak;
use PhpSessionChat\Tests\Support\Store;
use PHPUnit\Framework\TestCase;

/**
 * Tests that exceptions, traces and dumps do not contain session IDs, session data, keys or passwords.
 *
 * @group soak
 */
final class SecretsTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';
    private const DATA = 'a:1:{s:4:"word";s:8:"mushroom";}';
    private const KEY = 'thirty-two characters are a key.';
    private const PASSWORD = 'sesame';

    private const OPEN = '$handler = HandlerFactory::fromUrl("%s"); $handler->open("", "PHPSESSID"); ';
    private const READ = '$handler->validateId($id); $handler->read($id);';
    private const CALLS = [
        self::READ,
        '$handler->read($id);',
        '$handler->write($id, $data);',
        '$handler->updateTimestamp($id, $data);',
        '$handler->destroy($id);',
        'session_set_save_handler($handler, false); session_start();',
    ];

    /** @return iterable<string, array{string}> */
    public static function stores(): iterable
    {
        $all = ['memcached', 'redis', 'mariadb', 'postgres', 'sqlite', 'files', 'session-server with short locks'];
        foreach (Soak::size($all, ['redis', 'session-server with short locks']) as $store) {
            yield $store => [$store];
        }
    }

    /** @dataProvider stores */
    public function testFailingStoreRevealsNoSecret(string $store): void
    {
        $password = ['site:secret@' => 'u:sesame@', 'redis://' => 'redis://:sesame@'];
        $url = strtr(Store::named($store)->deadUrl(), $password);
        $codes = [];
        foreach (['', '&format=json', '&layers=decrypt:' . Keys::fileOf(self::KEY)] as $options) {
            foreach (self::CALLS as $call) {
                $codes[] = sprintf(self::OPEN, $url . $options) . $call;
            }
        }
        $this->assertNoSecretIn($codes);
    }

    /** @dataProvider stores */
    public function testInvalidDataRevealsNoSecret(string $store): void
    {
        $url = Store::named($store)->url();
        $json = sprintf(self::OPEN, "$url&format=json");
        $encrypted = sprintf(self::OPEN, "$url&layers=decrypt:" . Keys::fileOf(self::KEY));
        $put = sprintf(self::OPEN, "$url&format=php_serialize") . '$handler->write($id, $data);';
        $codes = [
            $put . $json . self::READ,
            $put . $encrypted . self::READ,
            $json . '$handler->write($id, serialize(["word" => "mushroom", "object" => new stdClass()]));',
        ];
        if ($store === 'memcached' || str_starts_with($store, 'session-server')) {
            $codes[] = sprintf(self::OPEN, $url) . '$handler->write($id, str_repeat($data, 50_000));';
        }
        $this->assertNoSecretIn($codes);
    }

    /** @dataProvider stores */
    public function testLostLockRevealsNoSecret(string $store): void
    {
        $open = sprintf(self::OPEN, Store::named($store)->url() . '&lock=1');
        $locked = $open . '$handler->write($id, $data);' . self::READ . '$first = $handler;';
        $this->assertNoSecretIn([$store === 'files'
            ? $locked . $open . self::READ
            : $locked . '$store->endLock($id);' . $open . self::READ . '$first->write($id, $data);',
        ], Store::named($store));
    }

    public function testSessionServerClientRevealsNoSecret(): void
    {
        $store = Store::named('session-server');
        $client = '$client = new SessionServerClient("127.0.0.1", %d, $password); ';
        $codes = [];
        foreach (['open($id)', 'peek($id)', 'auth($password)', 'create()'] as $call) {
            $codes[] = sprintf($client, 1) . "\$client->$call;";
        }
        foreach (['watch($id)', 'watch("$id\n")', 'unwatch($id)'] as $call) {
            $codes[] = sprintf(strtr($client, ['Client' => 'Watcher']), 1) . "\$client->$call;";
        }
        foreach ([
            'open("$id\n")',
            'get($id)',
            'putAll([$id => $data])',
            'open($id); $client->auth("$password\n")',
            'open($id); $client->put($id, str_repeat($data, 50_000))',
            'open($id); $client->putAll([$id => fn () => $data])',
            'closeWith($id, $data, 5)',
            'open($id); $client->closeWith($id, str_repeat($data, 50_000), 5)',
            'open($id); $client->commit(); $client->put($id, $data)',
            'open($id); $client->put($id, $data); ob_start(); var_dump($client);
                throw new Exception(ob_get_clean() . print_r($client, true))',
        ] as $call) {
            $codes[] = sprintf($client, parse_url($store->url(), PHP_URL_PORT)) . "\$client->$call;";
        }
        $this->assertNoSecretIn($codes);
    }

    public function testNativeHandlersRevealNoSecret(): void
    {
        // Another prefix hides the sessions of other tests.
        $redis = strtr(Store::named('redis')->url(), ['siam_' => 'none_']);
        $folder = Folder::temporary();
        mkdir("$folder/sess_" . self::ID);
        $urls = [
            'memcached://chat:sesame@127.0.0.1:1?handler=memcached', 'redis://:sesame@127.0.0.1:1', "file://$folder",
            ...Soak::size([
                'memcached://127.0.0.1:1?handler=memcache', strtr($redis, ['redis://' => 'redis://:sesame@']),
                "$redis&database=99", "file://$folder/unmounted",
            ], []),
        ];
        foreach ($urls as $url) {
            $this->assertNoSecretIn(["NativeHandler::fromUrl('$url')->start();"]);
        }
    }

    public function testInvalidSettingsRevealNoSecret(): void
    {
        $key = base64_encode(self::KEY);
        $malformed = file(__DIR__ . '/../fixtures/malformed-store-urls.txt', FILE_IGNORE_NEW_LINES);
        $this->assertNoSecretIn(array_map(
            static fn (string $url): string => 'HandlerFactory::fromUrl(' . var_export($url, true) . ');',
            $malformed,
        ));
        $this->assertNoSecretIn(array_map(
            static fn (string $url): string => 'NativeHandler::fromUrl(' . var_export($url, true) . ');',
            array_values(preg_grep('~^(redis|file):/~', $malformed)),
        ));
        $this->assertNoSecretIn([
            'HandlerFactory::fromUrl("redis://:sesame@h?none=1");',
            'HandlerFactory::fromUrl("redis://user:1?sesame@h");',
            'HandlerFactory::fromUrl("file://user:sesame@h/folder");',
            'HandlerFactory::fromUrl("memcached://user:sesame@h");',
            'HandlerFactory::fromUrl("mysql://u:sesame@h/site?table=sessions");',
            "HandlerFactory::fromUrl('memcached://h?layers=decrypt:$key');",
            'HandlerFactory::fromUrl("session-server://h?auth_file=sesame");',
            'new SessionServerClient("h", 9090, "sesame and more");',
            'NativeHandler::fromUrl("redis://:sesame@h/none");',
            'NativeHandler::fromUrl("memcached://sesame@h?handler=memcached");',
            'DatabaseUrl::parse("mysql://u:sesame@h?tls=on");',
            'DatabaseUrl::parse("mysql://u:sesame@127.0.0.1:1/site")->connect();',
            'new PdoHandler(static fn () => new PDO("mysql:", "u", $password), "no name");',
            'new EncryptedHandler(new RedisHandler("h", password: $password), [$key, "$key$key"]);',
            'new SignedCookie("no name", [$key], "", true);',
            'KeyFile::read($key);',
            'new Webhook("whsec_" . base64_encode($key) . "\nmistyped");',
        ]);
    }

    public function testDumpRevealsNoSecret(): void
    {
        $open = sprintf(self::OPEN, Store::named('redis')->url() . '&layers=decrypt:' . Keys::fileOf(self::KEY));
        $used = "$open \$handler->write(\$id, \$data); \$handler->read(\$id); \$handler->validateId(\$id); \$made = \$handler";
        $dump = '; ob_start(); var_dump($made); throw new Exception(ob_get_clean() . print_r($made, true));';
        $this->assertNoSecretIn(array_map(static fn (string $code): string => "$code$dump", [
            $used,
            '$made = new RedisHandler("h", password: $password)',
            '$made = new JsonHandler(new EncryptedHandler(new RedisHandler("h"), [$key]))',
            '$made = new PdoHandler(DatabaseUrl::parse("mysql://u:sesame@h/site")->connect(...))',
            '$made = StoreUrl::parse("redis://:sesame@h?x=sesame")',
            '$made = NativeHandler::fromUrl("redis://:sesame@h")',
            '$made = new SignedCookie("SESSION", [$key], "", true)',
            '$made = new SessionServerHandler(new SessionServerClient("h", 9090, $password))',
        ]));
    }

    /** @param list<string> $codes each ends with an exception */
    private function assertNoSecretIn(array $codes, ?Store $store = null): void
    {
        $input = tmpfile();
        $variables = [
            'id' => self::ID, 'data' => self::DATA, 'key' => self::KEY, 'password' => self::PASSWORD, 'store' => $store,
        ];
        fwrite($input, serialize(compact('codes', 'variables')));
        rewind($input);
        $command = [PHP_BINARY, '-d', 'session.upload_progress.enabled=0', __DIR__ . '/Support/failures.php'];
        $process = proc_open($command, [0 => $input, 1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
        $output = stream_get_contents($pipes[1]);
        proc_close($process);
        $shown = @unserialize($output);
        self::assertIsArray($shown, $output);
        $secrets = [
            self::ID, 'mushroom', self::PASSWORD, self::KEY, base64_encode(self::KEY), bin2hex(self::KEY),
        ];
        foreach ($codes as $n => $code) {
            self::assertNotSame('', $shown[$n], "$code\nends without an exception");
            // A mistake in the test's code would also throw an exception without secrets.
            self::assertDoesNotMatchRegularExpression('/^(ParseError|Error: (Class|Call to undefined))/', $shown[$n], $code);
            foreach ($secrets as $secret) {
                self::assertStringNotContainsString($secret, $shown[$n], $code);
            }
        }
    }
}
