<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PHPUnit\Framework\TestCase;

use function PhpSessionChat\WordPress\check_browser;
use function PhpSessionChat\WordPress\clean_server;
use function PhpSessionChat\WordPress\user_by_chat_id;

require_once __DIR__ . '/Support/wordpress.php';

final class WordPressConnectionTest extends TestCase
{
    /** @dataProvider outcomes */
    public function testFindsWhyABrowserCannotUseTheChat(string $url, int $status, string $user, string $text, string $code = ''): void
    {
        $browser = ['origin' => 'https://www.example.org', 'hasScript' => false];
        $found = check_browser($url, ['status' => $status, 'code' => $code, 'user' => $user] + $browser, true);
        self::assertStringContainsString($text, $found['text'] ?? 'nothing');
    }

    /** @return array<string, array{string, int, string, string, 4?: string}> */
    public static function outcomes(): array
    {
        $own = 'https://www.example.org/blog/chat/';
        return [
            'the same user' => [$own, 200, '5', 'recognises your login'],
            'another user' => [$own, 200, '6', 'recognises you as another user: 6'],
            'no login' => [$own, 200, '', 'does not recognise your login'],
            'a path without cookies' => ['https://www.example.org/chat/', 200, '', 'only to addresses below /blog/'],
            'a host in the domain of the cookie' => ['https://chat.example.org/blog/', 200, '', 'does not recognise your login'],
            'another host' => ['https://chat.example.com/blog/', 200, '', 'cookies belong to a host'],
            'no TLS' => ['http://www.example.org/blog/chat/', 0, '', 'not https://'],
            'no answer' => [$own, 0, '', 'but your browser does not'],
            'a silent session store' => [$own, 503, '', 'cannot read the logins', 'session_store_unavailable'],
            'a server that is not ready' => [$own, 503, '', 'nothing'],
        ];
    }

    public function testFindsAUserOnlyByTheWholeIdInTheChat(): void
    {
        self::assertSame(5, user_by_chat_id('5')?->ID);
        foreach (['5x', '05', ' 5', '-5', '6', 'users:5', ''] as $id) {
            self::assertNull(user_by_chat_id($id), $id);
        }
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
