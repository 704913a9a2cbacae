<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\TableSite;
use PHPUnit\Framework\TestCase;

/** Tests the cookie of a TableSession: `ID.SIGNATURE`. */
final class TableSessionCookieTest extends TestCase
{
    private const USER = 'return $session->getValue("user_id");';
    private const LOGIN = '$session->storeValue("user_id", 7); $session->save();';

    private TableSite $site;

    protected function setUp(): void
    {
        $this->site = TableSite::on('sqlite');
    }

    public function testSignsTheCookieWithAnHmacOfItsNameAndId(): void
    {
        $key = base64_decode(file_get_contents($this->site->keyFile));
        [$id, $signature] = explode('.', $this->site->visitor(['user_id' => 7]));
        self::assertMatchesRegularExpression('/^[0-9a-f]{32}$/', $id);
        self::assertSame(hash_hmac('sha256', "SESSION.$id", $key), $signature);
    }

    public function testSetsTheRequestedCookieAttributes(): void
    {
        $header = fn (array $open, string $before = ''): string => preg_replace(
            '/^SESSION=[^;]*/',
            '',
            $this->site->page(null, self::LOGIN, $open, before: $before)->cookies[0],
        );
        self::assertSame('; path=/; HttpOnly; SameSite=Lax', $header([]));
        self::assertSame('; path=/; secure; HttpOnly; SameSite=Lax', $header(['secure' => true]));
        self::assertSame('; path=/; secure; HttpOnly; SameSite=Lax', $header([], '$_SERVER["HTTPS"] = "on";'));
        self::assertSame('; path=/; HttpOnly; SameSite=Lax', $header([], '$_SERVER["HTTPS"] = "off";'));
        self::assertSame('; path=/; HttpOnly; SameSite=Lax', $header(['secure' => false], '$_SERVER["HTTPS"] = "on";'));
        self::assertSame('; path=/; domain=example.org; HttpOnly; SameSite=Lax', $header(['domain' => 'example.org']));
        $cookie = $this->site->visitor(['a' => 1]);
        $taken = $this->site->page($cookie, '$session->destroy();', ['domain' => 'example.org', 'secure' => true])->cookies[0];
        self::assertStringEndsWith('; path=/; domain=example.org; secure; HttpOnly; SameSite=Lax', $taken);
    }

    /** Uses a database that is down, because a forged cookie must be rejected before a query. */
    public function testIgnoresAForgedCookie(): void
    {
        $cookie = $this->site->visitor(['user_id' => 7]);
        [$id, $signature] = explode('.', $cookie);
        $invented = bin2hex(random_bytes(16));
        $values = [
            '', '.', $id, "$id.", ".$signature", $signature, "$invented.$signature", "$id.$signature.", "$id.$signature.$signature",
            "$id.$signature%0A", "%20$id.$signature", "$id%00.$signature", strtoupper($id) . ".$signature", "$id." . strtoupper($signature),
            substr($cookie, 0, -1), "{$cookie}0", "$id." . str_repeat('0', 64), "../../etc/passwd.$signature", "' OR 1=1 -- .$signature",
            str_repeat('a', 8000), "$id.$signature, $id.$signature",
        ];
        for ($n = 0; $n < strlen($cookie); $n += 30) {
            $values[] = substr_replace($cookie, $cookie[$n] === '1' ? '2' : '1', $n, 1);
        }
        foreach ($values as $value) {
            $answer = $this->site->page($value, self::USER, ['database' => 'mysql://site:secret@127.0.0.1:1/site']);
            self::assertSame([null, '', []], [$answer->value, $answer->error, $answer->cookies], $value);
        }
        self::assertSame(7, $this->site->page($cookie, self::USER)->value);
    }

    public function testIgnoresASignatureForAnotherCookie(): void
    {
        $cookie = $this->site->page(null, self::LOGIN, ['name' => 'OTHER'])->cookies[0];
        $value = preg_replace('/^OTHER=([^;]+).*/', '$1', $cookie);
        self::assertNull($this->site->page($value, self::USER)->value);
        self::assertSame(7, $this->site->page($value, self::USER, ['name' => 'OTHER'])->value);
    }

    public function testResignsACookieWithTheNewestKey(): void
    {
        [$old, $new] = [random_bytes(32), random_bytes(32)];
        $this->keys($old);
        $first = $this->site->visitor(['user_id' => 7]);
        $second = $this->site->visitor(['user_id' => 8]);
        $this->keys($new, $old);
        $answer = $this->site->page($first, self::USER);
        self::assertSame(7, $answer->value);
        $signedAgain = $answer->cookie();
        self::assertSame(TableSite::id($first), TableSite::id($signedAgain));
        self::assertSame([], $this->site->page($signedAgain, self::USER)->cookies, 'only once');
        $this->keys($new);
        self::assertSame(7, $this->site->page($signedAgain, self::USER)->value);
        self::assertNull($this->site->page($first, self::USER)->value, 'an old key after its removal');
        self::assertNull($this->site->page($second, self::USER)->value, 'an old key after its removal');
        $this->keys(random_bytes(32));
        self::assertNull($this->site->page($signedAgain, self::USER)->value);
    }

    public function testThrowsIfACookieIsNeededAfterOutput(): void
    {
        $cookie = $this->site->visitor(['a' => 1]);
        $late = 'while (ob_get_level() > 0) { ob_end_flush(); } echo "\n"; $said = [];
            foreach ([
                fn () => %s,
                fn () => $session->destroy(),
                fn () => $session->regenerate(),
            ] as $call) {
                try { $call(); $said[] = "done"; } catch (LogicException $late) { $said[] = $late->getMessage(); }
            }
            return $said;';
        $tooLate = '/^The session\'s cookie must be sent before any output, but output has started in .*table-site.php.*:1\.$/';
        [$store, $destroy, $regenerate] = $this->site->page(null, sprintf($late, '$session->storeValue("b", 1)'))->value;
        self::assertMatchesRegularExpression($tooLate, $store);
        self::assertMatchesRegularExpression($tooLate, $destroy);
        self::assertSame('done', $regenerate, 'there is no session yet');
        $begun = $this->site->page(null, '$session->storeValue("b", 1);' . sprintf($late, '$session->save()'))->value;
        self::assertMatchesRegularExpression($tooLate, $begun[0]);
        $change = '[$session->storeValue("b", 2), $session->save()]';
        [$store, $destroy, $regenerate] = $this->site->page($cookie, sprintf($late, $change))->value;
        self::assertSame('done', $store, 'the browser has the cookie already');
        self::assertMatchesRegularExpression($tooLate, $destroy);
        self::assertMatchesRegularExpression($tooLate, $regenerate);
        self::assertSame(['a' => 1, 'b' => 2], $this->site->values($cookie));
        self::assertSame(1, $this->site->count());
    }

    private function keys(string ...$keys): void
    {
        file_put_contents($this->site->keyFile, implode("\n", array_map('base64_encode', $keys)));
    }
}
