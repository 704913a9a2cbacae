<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * The tests that the packages for all frameworks share. The test class has the constants FOLDER, the folder of its
 * application, and PACKAGES, the Debian packages by the folders of their classes.
 */
trait FrameworkTests
{
    private static FrameworkSite $site;

    public static function setUpBeforeClass(): void
    {
        foreach (self::PACKAGES as $classes => $package) {
            if (stream_resolve_include_path("$classes/autoload.php") === false) {
                throw new \RuntimeException("Install the Debian package $package.");
            }
        }
        self::$site = new FrameworkSite(self::FOLDER);
    }

    public static function tearDownAfterClass(): void
    {
        self::$site->end();
    }

    protected function setUp(): void
    {
        self::$site->forgetVisitor();
    }

    public function testThePageHasTheChatOnlyForALoggedInUser(): void
    {
        [$status, $page] = self::$site->request('/');
        self::assertSame([200, false], [$status, str_contains($page, 'chat')]);
        self::$site->request('/login');
        $page = self::$site->request('/')[1];
        self::assertStringContainsString('<script type="module" src="/chat/php-chat.js"></script>', $page);
        self::assertStringContainsString(
            '<php-chat-launcher server="/chat/" login-url="/login" ticket-url="/php-chat/ticket" room="lobby"',
            $page,
        );
        self::$site->request('/logout');
        self::assertStringNotContainsString('chat', self::$site->request('/')[1]);
    }

    public function testTheChatServerAcceptsATicketOfALoggedInUser(): void
    {
        [$status, , $headers] = self::$site->request('/php-chat/ticket');
        self::assertSame(401, $status);
        self::assertMatchesRegularExpression('/^Cache-Control: .*no-store/mi', $headers);
        self::$site->request('/login');
        self::assertSame(['id' => '7', 'name' => 'Zoë'], self::$site->userOf(self::ticket()));
        self::assertSame(self::claims(self::ticket())['sid'], self::claims(self::ticket())['sid']);
    }

    public function testALogoutEndsTheTicketsOfThisLogin(): void
    {
        self::$site->request('/login');
        $other = self::ticket();
        self::$site->forgetVisitor();
        self::$site->request('/login');
        $ticket = self::ticket();
        self::assertSame('7', self::$site->userOf($ticket)['id']);
        self::$site->request('/logout');
        self::assertSame([], self::$site->userOf($ticket));
        self::assertSame('7', self::$site->userOf($other)['id']);
    }

    public function testALogoutSucceedsWithoutTheChatServer(): void
    {
        $site = new FrameworkSite(self::FOLDER);
        $site->request('/login');
        $site->chat->end();
        self::assertStringContainsString('<php-chat', $site->request('/')[1]);
        self::assertLessThan(400, $site->request('/logout')[0]);
        self::assertStringNotContainsString('<php-chat', $site->request('/')[1]);
        $site->end();
    }

    public function testAMessageBecomesAnEvent(): void
    {
        $text = 'event ' . bin2hex(random_bytes(4));
        (new \PhpSessionChat\ChatClient(self::$site->chat->url, ChatServerProcess::KEY))->postMessage('lobby', 9, 'Bo', $text);
        $event = self::$site->event(static fn (array $event): bool => ($event['data']['message']['text'] ?? '') === $text);
        self::assertSame(['message.created', 'lobby'], [$event['type'], $event['data']['room']['id']]);
        self::assertNotSame('', $event['id']);
    }

    public function testAForgedEventIsRejected(): void
    {
        $body = '{"type":"message.created","timestamp":"2026-11-27T00:00:00Z","data":{"message":{"text":"forged"}}}';
        $signed = static function (string $key, int $time) use ($body): array {
            $signature = base64_encode(hash_hmac('sha256', "forged.$time.$body", base64_decode(substr($key, 6)), true));
            return ['webhook-id: forged', "webhook-timestamp: $time", "webhook-signature: v1,$signature"];
        };
        $other = 'whsec_' . base64_encode(str_repeat('x', 24));
        foreach ([$signed($other, time()), $signed(FrameworkSite::WEBHOOK_KEY, time() - 600), ['webhook-id: forged']] as $headers) {
            self::assertSame(400, self::$site->request('/php-chat/webhook', $headers, $body)[0]);
        }
        self::assertNotContains('forged', array_column(self::$site->events(), 'id'));
        self::assertSame(204, self::$site->request('/php-chat/webhook', $signed(FrameworkSite::WEBHOOK_KEY, time()), $body)[0]);
        self::assertContains('forged', array_column(self::$site->events(), 'id'));
    }

    private static function ticket(): string
    {
        [$status, $body] = self::$site->request('/php-chat/ticket');
        self::assertSame(200, $status, $body);
        return json_decode($body, true)['ticket'];
    }

    /** @return array<string, mixed> */
    private static function claims(string $ticket): array
    {
        return json_decode(base64_decode(strtr(explode('.', $ticket)[1], '-_', '+/')), true);
    }
}
