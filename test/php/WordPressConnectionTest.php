<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PHPUnit\Framework\TestCase;

use function PhpSessionChat\WordPress\check_browser;
use function PhpSessionChat\WordPress\clean_server;
use function PhpSessionChat\WordPress\proposed_server;
use function PhpSessionChat\WordPress\user_by_chat_id;

require_once __DIR__ . '/Support/wordpress.php';

final class WordPressConnectionTest extends TestCase
{
    private const ORIGIN = 'https://www.example.org';

    /**
     * @dataProvider outcomes
     * @param array<string, mixed> $received
     */
    public function testFindsWhyABrowserCannotUseTheChat(string $url, array $received, string $text, string $lines = ''): void
    {
        [$found] = array_reverse(check_browser($url, $received + [
            'origin' => self::ORIGIN, 'status' => 0, 'code' => '', 'user' => '', 'hasScript' => true, 'hasTeam' => true,
            'ticketStatus' => 0, 'ticketMessage' => '', 'found' => '',
        ]));
        self::assertStringContainsString($text, $found['text']);
        self::assertStringContainsString($lines, $found['lines']);
    }

    /** @return array<string, array{string, array<string, mixed>, string, 3?: string}> */
    public static function outcomes(): array
    {
        $own = self::ORIGIN . '/blog/chat/';
        $other = 'https://chat.example.com/';
        $none = ['hasScript' => false];
        $code = static fn (string $code): array => ['code' => $code];
        return [
            'the same user' => [$own, ['user' => '5'], 'recognises your login'],
            'no team' => [$own, ['user' => '5', 'hasTeam' => false], 'has no team', 'CHAT_TEAM=role:shop_manager'],
            'another user' => [$own, ['user' => '6'], 'recognises you as another user'],
            'no script' => [$own, ['user' => '5'] + $none, 'not built'],
            'pages of two origins' => [
                $own, ['user' => '5', 'origin' => 'https://admin.example.org'], 'visitors see the site at',
                'CHAT_ORIGINS=https://www.example.org,https://admin.example.org',
            ],
            'no login' => [$own, $code('unauthorized'), 'does not recognise your login'],
            'a path without cookies' => [self::ORIGIN . '/chat/', $code('unauthorized'), 'only to addresses below'],
            'a host in the domain of the cookie' => ['https://chat.example.org/blog/', $code('unauthorized'), 'does not recognise your login'],
            'another host' => [$other, $code('unauthorized'), 'cookies belong to a host'],
            'a refused origin' => [$own, $code('origin_not_allowed'), 'CHAT_ORIGINS', 'CHAT_ORIGINS=https://www.example.org'],
            'a refusal that the browser hides' => [$other, [], 'CHAT_ORIGINS', 'CHAT_ORIGINS=https://www.example.org'],
            'no TLS' => ['http://www.example.org/blog/chat/', [], 'not https://'],
            'no WebSocket' => [$own, ['status' => 400] + $code('bad_request'), 'cannot open a WebSocket'],
            'a web server that hides Socket.IO' => [$own, ['status' => 404], 'cannot open a WebSocket'],
            'a ban' => [$own, $code('forbidden'), 'banned'],
            'a silent session store' => [$own, $code('session_store_unavailable'), 'cannot read the logins'],
            'another code' => [$own, $code('internal'), 'not ready'],
            'a web server without the chat server' => [$own, ['status' => 502] + $none, 'status 502', 'systemctl restart'],
            'no answer' => [$own, $none, 'There is no chat server', 'apt install'],
            'another page' => [$own, ['status' => 404] + $none, 'There is no chat server', 'apt install'],
            'a mistyped address' => [$own, ['found' => '/blog/chat/'] + $none, 'There is no chat server', '/blog/chat/'],
        ];
    }

    public function testFindsAUserOnlyByTheWholeIdInTheChat(): void
    {
        self::assertSame(5, user_by_chat_id('5')?->ID);
        foreach (['5x', '05', ' 5', '-5', '6', 'users:5', ''] as $id) {
            self::assertNull(user_by_chat_id($id), $id);
        }
    }

    public function testDoesNotDistinguishOtherAnswersOfAForeignHost(): void
    {
        $findings = [];
        foreach ([0, 200, 404, 500] as $status) {
            $findings[] = check_browser('http://127.0.0.1:22/', [
                'origin' => 'http://www.example.org', 'status' => $status, 'code' => '', 'user' => '', 'hasScript' => false,
                'hasTeam' => true, 'ticketStatus' => 0, 'ticketMessage' => '', 'found' => '',
            ]);
        }
        self::assertCount(1, array_unique($findings, SORT_REGULAR));
    }

    public function testShowsTheHostThatBrowsersRequest(): void
    {
        self::assertSame('https://xn--pple-43d.example/', clean_server('https://аpple.example'));
        self::assertSame('https://xn--pple-43d.example:8443/chat/', clean_server('https://Аpple.example:8443/chat'));
    }

    public function testProposesAPathThatGetsTheCookieOfTheLogin(): void
    {
        self::assertSame('/blog/chat/', proposed_server());
    }

    public function testAcceptsPathsAndAddressesOnly(): void
    {
        self::assertSame('/chat/', clean_server(' /chat'));
        self::assertSame('https://chat.example.org:8443/', clean_server('https://chat.example.org:8443'));
        foreach (['', 'chat', '//evil.example', '/\evil.example', 'javascript:alert(1)', '/a?b', 'https://me:pw@x/'] as $typed) {
            self::assertNull(clean_server($typed), $typed);
        }
    }
}
