<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\FrameworkTests;
use PHPUnit\Framework\TestCase;

/** Tests the bundle in an application of Symfony's framework, security and Twig bundles, with a real chat server. */
final class SymfonyTest extends TestCase
{
    use FrameworkTests;

    private const FOLDER = 'symfony';
    private const PACKAGES = [
        'Symfony/Bundle/FrameworkBundle' => 'php-symfony-framework-bundle',
        'Symfony/Bundle/SecurityBundle' => 'php-symfony-security-bundle',
        'Symfony/Bundle/TwigBundle' => 'php-symfony-twig-bundle',
    ];

    public function testEscapesAttributesAndPrefersThemToTheSettings(): void
    {
        self::$site->request('/login');
        $page = self::$site->request('/?room=' . rawurlencode('"><script>'))[1];
        self::assertStringContainsString(
            '<php-chat-launcher server="/chat/" login-url="/login" ticket-url="/php-chat/ticket" '
                . 'room="&quot;&gt;&lt;script&gt;" title="&quot;&gt;&lt;script&gt;" closable></php-chat-launcher>',
            $page,
        );
        self::assertStringContainsString(
            '<php-chat server="https://chat.example/" login-url="/login" ticket-url="/php-chat/ticket"></php-chat>',
            $page,
        );
        self::assertSame(2, substr_count($page, '<script '));
    }

    public function testAnAppGetsATicketWithItsTokenInsteadOfASession(): void
    {
        $tickets = [];
        foreach ([1, 2] as $_) {
            [$status, $body] = self::$site->request('/php-chat/ticket', ['Authorization: Bearer app-token']);
            self::assertSame(200, $status);
            $tickets[] = json_decode($body, true)['ticket'];
            self::$site->forgetVisitor();
        }
        self::assertSame(['id' => '7', 'name' => 'Zoë'], self::$site->userOf($tickets[0]));
        self::assertSame(self::claims($tickets[0])['sid'], self::claims($tickets[1])['sid']);
        self::assertSame(401, self::$site->request('/php-chat/ticket', ['Authorization: Bearer other'])[0]);
    }

    public function testATicketHasTheClaimsOfTheUserAndByDefaultANameWithoutTheMailDomain(): void
    {
        self::$site->request('/login');
        self::assertSame(['moderator'], self::claims(self::ticket())['roles']);
        self::$site->request('/login?as=bo');
        self::assertSame(['id' => 'bo@example.org', 'name' => 'bo'], self::$site->userOf(self::ticket()));
    }

    public function testAnAdminWhoImpersonatesAUserCannotChat(): void
    {
        self::$site->request('/login');
        self::$site->request('/?_switch_user=bo@example.org');
        self::assertSame(401, self::$site->request('/php-chat/ticket')[0]);
        self::assertStringNotContainsString('chat', self::$site->request('/')[1]);
        self::$site->request('/?_switch_user=_exit');
        self::assertSame('7', self::claims(self::ticket())['sub']);
    }
}
