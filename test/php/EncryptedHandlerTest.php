<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\EncryptedHandler;
use PhpSessionChat\Session\Handler\MemcachedHandler;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\SiteAnswer;
use PhpSessionChat\Tests\Support\Store;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/** Tests what encryption protects. HandlerContractTest covers encrypted sessions. */
final class EncryptedHandlerTest extends TestCase
{
    use Thrown;

    private const NO_KEY_OPENS_IT = SessionDataError::class . ': The stored session is not encrypted, or is encrypted with another key or for another session ID';

    private string $old;
    private string $new;

    protected function setUp(): void
    {
        [$this->old, $this->new] = [random_bytes(32), random_bytes(32)];
    }

    public function testStoresOnlyANonceAndXChaCha20Poly1305OfTheData(): void
    {
        $store = Store::named('redis');
        $first = $this->request($store, null, [$this->new], '$_SESSION["secret"] = "mushroom"');
        $record = $store->get($first->id);
        self::assertStringNotContainsString('mushroom', $record);
        // The format in docs/sites/stores.md.
        [$nonce, $box] = [substr($record, 0, 24), substr($record, 24)];
        self::assertSame(
            serialize(['secret' => 'mushroom']),
            sodium_crypto_aead_xchacha20poly1305_ietf_decrypt($box, $first->id, $nonce, $this->new),
        );
        $this->request($store, $first->id, [$this->new], '$_SESSION["secret"] = "toadstool"');
        self::assertNotSame($nonce, substr($store->get($first->id), 0, 24), 'a new nonce for each write');
    }

    public function testRejectsACopiedOrChangedRecord(): void
    {
        $store = Store::named('redis');
        $alice = $this->request($store, null, [$this->new], '$_SESSION["user_id"] = 1')->id;
        $mallory = $this->request($store, null, [$this->new], '$_SESSION["user_id"] = 6')->id;
        $record = $store->get($alice);
        $changed = [
            'the record of another session' => $store->get($mallory),
            'one bit changed' => $record ^ str_pad('', strlen($record) - 1, "\0") . "\1",
            'one bit of the nonce changed' => $record ^ "\1" . str_repeat("\0", strlen($record) - 1),
            'its last byte cut off' => substr($record, 0, -1),
            'the nonce alone' => substr($record, 0, 24),
            'less than a nonce' => substr($record, 0, 23),
            'nothing' => '',
            'not encrypted' => serialize(['user_id' => 1]),
        ];
        foreach ($changed as $what => $instead) {
            $store->put($alice, $instead);
            $request = $this->request($store, $alice, [$this->new], '$_SESSION["user_id"] = 6');
            self::assertStringStartsWith(self::NO_KEY_OPENS_IT, $request->error, $what);
            self::assertSame($instead, $store->get($alice), "$what: it is left as it was");
        }
        $store->put($alice, $record);
        self::assertSame(['user_id' => 1], $this->request($store, $alice, [$this->new])->session);
    }

    public function testReencryptsASessionWithTheNewestKeyOnARequest(): void
    {
        $store = Store::named('redis');
        $active = $this->request($store, null, [$this->old], '$_SESSION["user_id"] = 1')->id;
        $asleep = $this->request($store, null, [$this->old], '$_SESSION["user_id"] = 2')->id;
        // With both keys in the file, even a request without changes re-encrypts its session with the new key.
        self::assertSame(['user_id' => 1], $this->request($store, $active, [$this->new, $this->old])->session);
        $record = $store->get($active);
        self::assertSame(['user_id' => 1], $this->request($store, $active, [$this->new])->session);
        // The next request only renews the lifetime.
        $this->request($store, $active, [$this->new, $this->old]);
        self::assertSame($record, $store->get($active));
        $error = $this->request($store, $asleep, [$this->new])->error;
        self::assertStringStartsWith(self::NO_KEY_OPENS_IT, $error, 'the old key was removed');
    }

    public function testReencryptsJsonWithTheNewestKey(): void
    {
        $store = Store::named('redis');
        $options = '&format=json&lock=1&layers=decrypt:';
        $id = Site::request($store, null, '$_SESSION["user_id"] = 1;', $options . Keys::fileOf($this->new))->id;
        [$nonce, $box] = [substr($store->get($id), 0, 24), substr($store->get($id), 24)];
        self::assertSame(
            '{"user_id":1}',
            sodium_crypto_aead_xchacha20poly1305_ietf_decrypt($box, $id, $nonce, $this->new),
        );
        $newer = random_bytes(32);
        foreach ([Keys::fileOf($newer, $this->new), Keys::fileOf($newer)] as $keys) {
            $again = Site::request($store, $id, '', $options . $keys);
            self::assertSame(['', ['user_id' => 1]], [$again->error, $again->session]);
        }
        self::assertStringStartsWith(self::NO_KEY_OPENS_IT, Site::request($store, $id, '', $options . Keys::fileOf($this->new))->error);
        self::assertNull($store->lockRemaining($id), 'a record that is refused leaves no lock');
    }

    public function testRejectsKeysOfAnotherLength(): void
    {
        foreach ([[], ['short'], [$this->new, str_repeat('k', 33)]] as $keys) {
            $error = self::thrown(InvalidSettings::class, fn () => new EncryptedHandler(new MemcachedHandler([['127.0.0.1', 1]]), $keys));
            self::assertSame('the keys that encrypt sessions must have 32 bytes', $error->getMessage());
        }
    }

    /** @param list<string> $keys */
    private function request(Store $store, ?string $id, array $keys, string $code = ''): SiteAnswer
    {
        $options = '&format=php_serialize&layers=decrypt:' . Keys::fileOf(...$keys);
        return Site::request($store, $id, "$code;", $options);
    }
}
