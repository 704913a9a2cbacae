<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use InvalidArgumentException;
use PhpSessionChat\Ticket;
use PhpSessionChat\Tests\Support\ChatServerProcess;
use PHPUnit\Framework\TestCase;

final class TicketTest extends TestCase
{
    // The key of the example in RFC 7515, appendix A.1, in base64 instead of base64url.
    private const KEY = 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==';
    private const CLAIMS = ['aud' => 'chat.example', 'sub' => '7', 'sid' => 'login'];

    public function testMakesAJsonWebTokenOfTheClaims(): void
    {
        $before = time();
        $ticket = Ticket::make(self::KEY, self::CLAIMS + ['name' => 'Zoë / Ann', 'rooms' => ['garden']]);
        [$header, $payload, $signature] = explode('.', $ticket);
        self::assertSame('{"typ":"JWT","alg":"HS256"}', self::decode($header));
        $claims = json_decode(self::decode($payload), true);
        self::assertSame(['name' => 'Zoë / Ann', 'rooms' => ['garden']], array_intersect_key($claims, ['name' => 1, 'rooms' => 1]));
        self::assertGreaterThanOrEqual($before, $claims['iat']);
        self::assertSame(600, $claims['exp'] - $claims['iat']);
        $expected = hash_hmac('sha256', "$header.$payload", base64_decode(self::KEY), true);
        self::assertSame(bin2hex($expected), bin2hex(self::decode($signature)));
    }

    public function testReplacesInvalidUtf8InAName(): void
    {
        [, $payload] = explode('.', Ticket::make(self::KEY, self::CLAIMS + ['name' => "Zo\xeb"]));
        self::assertSame("Zo\u{fffd}", json_decode(self::decode($payload), true)['name']);
    }

    public function testIntegersOfAnySizeIdentifyUsersLoginsAndRooms(): void
    {
        $claims = ['aud' => ChatServerProcess::TICKET_AUDIENCE, 'sub' => 9007199254740993, 'sid' => 12, 'rooms' => [9007199254740995]];
        $ticket = Ticket::make(ChatServerProcess::TICKET_KEY, $claims);
        $server = new ChatServerProcess(['CHAT_ORIGINS=http://site.example']);
        $headers = ["Authorization: Ticket $ticket", 'Origin: http://site.example'];
        $answer = file_get_contents("$server->url/me", false, stream_context_create(['http' => ['header' => $headers]]));
        self::assertSame('9007199254740993', json_decode($answer, true)['user']['id']);
        $server->end();
        $decoded = json_decode(self::decode(explode('.', $ticket)[1]), true);
        self::assertSame(['9007199254740995'], $decoded['rooms']);
        self::assertIsInt($decoded['exp']);
    }

    public function testSignsWithTheFirstKeyOfTheFile(): void
    {
        $other = base64_encode(str_repeat('a', 32));
        $claims = self::CLAIMS + ['iat' => 1, 'exp' => 2];
        self::assertSame(Ticket::make(self::KEY, $claims), Ticket::make(self::KEY . "\r\n$other\n", $claims));
    }

    /** @return array<string, array{string, array<string, mixed>, string}> */
    public static function mistakes(): array
    {
        return [
            'no key' => ['', self::CLAIMS, '32 bytes'],
            'a short key' => [base64_encode(str_repeat('a', 31)), self::CLAIMS, '32 bytes'],
            'a key that is not base64' => [str_repeat('!', 44), self::CLAIMS, '32 bytes'],
            'no audience' => [self::KEY, ['sub' => '7', 'sid' => 'x'], 'claim aud'],
            'a float as the user' => [self::KEY, ['aud' => 'x', 'sub' => 9007199254740993.0, 'sid' => 'x'], 'claim sub'],
            'no user' => [self::KEY, ['aud' => 'x', 'sub' => '', 'sid' => 'x'], 'claim sub'],
            'no login and no session' => [self::KEY, ['aud' => 'x', 'sub' => '7'], 'claim sid'],
        ];
    }

    /**
     * @dataProvider mistakes
     * @param array<string, mixed> $claims
     */
    public function testNamesTheMistake(string $keys, array $claims, string $message): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage($message);
        Ticket::make($keys, $claims);
    }

    /**
     * The files that other tests included, such as compiled templates, cannot all be included again.
     *
     * @runInSeparateProcess
     * @preserveGlobalState disabled
     */
    public function testTheLoginIdIsADigestOfTheSessionId(): void
    {
        session_id('abcdefghijklmnop');
        $id = Ticket::loginId();
        self::assertSame(rtrim(strtr(base64_encode(hash('sha256', 'abcdefghijklmnop', true)), '+/', '-_'), '='), $id);
        $claims = explode('.', Ticket::make(self::KEY, ['aud' => 'x', 'sub' => '7']))[1];
        self::assertSame($id, json_decode(self::decode($claims), true)['sid']);
    }

    private static function decode(string $text): string
    {
        return (string) base64_decode(strtr($text, '-_', '+/'), true);
    }
}
