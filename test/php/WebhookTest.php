<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use InvalidArgumentException;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;
use PhpSessionChat\Webhook;
use PhpSessionChat\WebhookError;

final class WebhookTest extends TestCase
{
    use Thrown;

    // The example from the libraries of Standard Webhooks.
    private const KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    private const BODY = '{"test": 2432232314}';
    private const TIME = 1614265330;
    private const HEADERS = [
        'webhook-id' => 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp' => '1614265330',
        'webhook-signature' => 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    ];

    public function testAcceptsAnEventSignedWithTheRightKey(): void
    {
        $event = ['id' => self::HEADERS['webhook-id'], 'test' => 2432232314];
        $webhook = new Webhook(self::KEY);
        self::assertSame($event, $webhook->verify(self::BODY, self::HEADERS, self::TIME));
        $two = ['webhook-signature' => 'v1,AAAA ' . self::HEADERS['webhook-signature']] + self::HEADERS;
        self::assertSame($event, $webhook->verify(self::BODY, $two, self::TIME + 300));
        self::assertSame('{}', json_encode($webhook));
        self::assertStringNotContainsString(base64_decode(substr(self::KEY, 6)), print_r($webhook, true));
    }

    public function testAcceptsAKeyFileWithAnOldAndANewKey(): void
    {
        $event = ['id' => self::HEADERS['webhook-id'], 'test' => 2432232314];
        $other = 'whsec_' . base64_encode(str_repeat('a', 24));
        foreach ([self::KEY . "\n$other\n", "$other\r\n" . self::KEY . "\r\n"] as $lines) {
            self::assertSame($event, (new Webhook($lines))->verify(self::BODY, self::HEADERS, self::TIME));
        }
        $this->expectException(WebhookError::class);
        (new Webhook("$other\n$other"))->verify(self::BODY, self::HEADERS, self::TIME);
    }

    /** @return array<string, array{string, array<string, string>, int}> */
    public static function forgeries(): array
    {
        $with = static fn (string $name, string $value): array => ["webhook-$name" => $value] + self::HEADERS;
        return [
            'another body' => ['{"test": 2432232315}', self::HEADERS, self::TIME],
            'another id' => [self::BODY, $with('id', 'msg_other'), self::TIME],
            'another time' => [self::BODY, $with('timestamp', '1614265331'), self::TIME],
            'no time' => [self::BODY, $with('timestamp', ''), self::TIME],
            'an old event' => [self::BODY, self::HEADERS, self::TIME + 301],
            'an event from the future' => [self::BODY, self::HEADERS, self::TIME - 301],
            'another version' => [self::BODY, $with('signature', 'v2,' . substr(self::HEADERS['webhook-signature'], 3)), self::TIME],
            'no signature' => [self::BODY, $with('signature', ''), self::TIME],
            'no headers' => [self::BODY, [], self::TIME],
        ];
    }

    /**
     * @dataProvider forgeries
     * @param array<string, string> $headers
     */
    public function testRejectsAForgery(string $body, array $headers, int $now): void
    {
        $this->expectException(WebhookError::class);
        (new Webhook(self::KEY))->verify($body, $headers, $now);
    }

    public function testRejectsAMalformedKey(): void
    {
        foreach (['', 'whsec_', 'whsec_AAAA', substr(self::KEY, 6), self::KEY . "\nwhsec_AAAA"] as $key) {
            $error = self::thrown(InvalidArgumentException::class, fn () => new Webhook($key), "$key was accepted");
            self::assertStringContainsString('whsec_', $error->getMessage());
        }
    }
}
