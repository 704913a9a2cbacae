<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Symfony\ChatUserIds;
use PhpSessionChat\Symfony\DependencyInjection\UserProvidersPass;
use PhpSessionChat\Tests\Support\FrameworkSite;
use PhpSessionChat\Tests\Support\FrameworkTests;
use PHPUnit\Framework\TestCase;
use Symfony\Component\DependencyInjection\ChildDefinition;
use Symfony\Component\DependencyInjection\ContainerBuilder;

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

    public function testThePageShowsTheExampleOfTheDocumentation(): void
    {
        $page = file_get_contents(__DIR__ . '/../../docs/sites/symfony.md');
        self::assertSame(1, preg_match('/^```twig\n(.*?)^```$/ms', $page, $found));
        file_put_contents(self::$site->folder . '/example.html.twig', $found[1]);
        self::$site->request('/login');
        [$status, $body] = self::$site->request('/example');
        self::assertSame(200, $status);
        self::assertStringContainsString('<php-chat-launcher server="/chat/" login-url="/login"', $body);
    }

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
            '<php-chat server="https://chat.example/" login-url="/login" ticket-url="/php-chat/ticket">'
                . 'The chat couldn’t be loaded. It needs JavaScript.</php-chat>',
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
        self::$site->request('/login?as=ray');
        self::assertSame(['id' => '8', 'name' => 'ray'], self::$site->userOf(self::ticket()));
    }

    public function testUsersOfSeveralProvidersHaveDifferentIds(): void
    {
        $site = new FrameworkSite(self::FOLDER, ['SITE_ADMINS' => '1']);
        foreach (['zoe' => 'users:7', 'root' => 'admins:7'] as $user => $id) {
            $site->forgetVisitor();
            $site->request("/login?as=$user");
            [$status, $body] = $site->request('/php-chat/ticket');
            self::assertSame(200, $status, $body);
            self::assertSame($id, $site->userOf(json_decode($body, true)['ticket'])['id']);
        }
        $site->end();
    }

    public function testProvidersOfTheSameEntityCountOnce(): void
    {
        require_once 'Symfony/Component/DependencyInjection/autoload.php';
        $container = new ContainerBuilder();
        $container->register(ChatUserIds::class);
        foreach (['by_mail' => 'App\\User', 'by_name' => 'App\\User', 'admins' => 'App\\Admin'] as $name => $class) {
            $provider = (new ChildDefinition('doctrine.orm.security.user.provider'))->addArgument($class);
            $container->setDefinition("security.user.provider.concrete.$name", $provider);
        }
        (new UserProvidersPass())->process($container);
        $providers = $container->getDefinition(ChatUserIds::class)->getArgument(0)->getValues();
        self::assertSame(['by_mail', 'admins'], array_keys($providers));
    }

    public function testAUserClassOfSeveralProvidersGetsNoTicket(): void
    {
        $site = new FrameworkSite(self::FOLDER, ['SITE_ADMINS' => '1', 'SITE_OVERLAP' => '1']);
        $site->request('/login');
        self::assertSame(500, $site->request('/php-chat/ticket')[0]);
        self::assertStringContainsString('chatClaims()', (string) file_get_contents("$site->folder/log"));
        self::assertLessThan(400, $site->request('/logout')[0]);
        $site->end();
    }

    public function testTheClaimsOfTheUserClassCanChooseTheId(): void
    {
        self::$site->request('/login?as=mia');
        self::assertSame(['id' => 'member-9', 'name' => 'Mia'], self::$site->userOf(self::ticket()));
    }

    public function testAMailAddressDoesNotBecomeTheId(): void
    {
        self::$site->request('/login?as=bo');
        [$status, $body] = self::$site->request('/php-chat/ticket');
        self::assertSame([500, false], [$status, str_contains($body, 'ticket":')]);
    }

    public function testAnAdminWhoImpersonatesAUserCannotChat(): void
    {
        self::$site->request('/login');
        self::$site->request('/?_switch_user=bo@example.org');
        self::assertSame(401, self::$site->request('/php-chat/ticket')[0]);
        self::assertStringNotContainsString('chat', self::$site->request('/')[1]);
        self::$site->request('/?_switch_user=_exit');
        $ticket = self::ticket();
        self::assertSame('7', self::$site->userOf($ticket)['id']);
        self::$site->request('/?_switch_user=bo@example.org');
        self::$site->request('/logout');
        self::assertSame([], self::$site->userOf($ticket));
    }
}
