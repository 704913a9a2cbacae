<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\ChatVisitor;
use PhpSessionChat\Tests\Support\FrameworkSite;
use PhpSessionChat\Tests\Support\FrameworkTests;
use PHPUnit\Framework\TestCase;

/** Tests the package for Laravel in an application of Laravel's own components, with a real chat server. */
final class LaravelTest extends TestCase
{
    use FrameworkTests;

    private const FOLDER = 'laravel';
    private const PACKAGES = [
        'Dotenv' => 'php-vlucas-phpdotenv',
        'Illuminate/Auth' => 'php-illuminate-auth',
        'Illuminate/Config' => 'php-illuminate-config',
        'Illuminate/Console' => 'php-illuminate-console',
        'Illuminate/Cookie' => 'php-illuminate-cookie',
        'Illuminate/Encryption' => 'php-illuminate-encryption',
        'Illuminate/Notifications' => 'php-illuminate-notifications',
        'Illuminate/Routing' => 'php-illuminate-routing',
        'Illuminate/Session' => 'php-illuminate-session',
        'Illuminate/View' => 'php-illuminate-view',
    ];

    public function testThePageShowsTheExampleOfTheDocumentation(): void
    {
        $page = file_get_contents(__DIR__ . '/../../docs/sites/laravel.md');
        self::assertSame(1, preg_match('/^```blade\n(.*?)^```$/ms', $page, $found));
        file_put_contents(self::$site->folder . '/example.blade.php', $found[1]);
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
                . 'room="&quot;&gt;&lt;script&gt;" title="&quot;&gt;&lt;script&gt;"></php-chat-launcher>',
            $page,
        );
        self::assertStringContainsString(
            '<php-chat server="https://chat.example/" login-url="/login" ticket-url="/php-chat/ticket">'
                . 'The chat needs JavaScript.</php-chat>',
            $page,
        );
        self::assertSame(2, substr_count($page, '<script '));
    }

    public function testThePageHasATextInsteadOfAChatThatIsNotLoaded(): void
    {
        self::$site->request('/login');
        self::assertStringContainsString('>The chat couldn’t be loaded. It needs JavaScript.</php-chat>', self::$site->request('/talk')[1]);
    }

    public function testAnAppGetsATicketWithItsTokenInsteadOfASession(): void
    {
        self::$site->forgetVisitor();
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

    public function testATicketHasTheClaimsOfTheUserModel(): void
    {
        self::$site->request('/login');
        self::assertSame(['moderator'], self::claims(self::ticket())['roles']);
    }

    public function testUsersOfSeveralProvidersHaveDifferentIdsInTicketsAndNotifications(): void
    {
        $site = new FrameworkSite(self::FOLDER, ['SITE_GUARDS' => 'web,admin,api']);
        $sub = static fn (array $answer): string => self::claims(json_decode($answer[1], true)['ticket'])['sub'];
        $login = static function (string $query) use ($site): void {
            $site->forgetVisitor();
            $site->request("/login?$query");
        };
        $login('guard=web');
        self::assertSame('users:7', $sub($site->request('/php-chat/ticket')));
        $login('guard=admin');
        $ticket = $site->request('/php-chat/ticket');
        self::assertSame('admins:7', $sub($ticket));
        self::assertSame(['id' => 'admins:7', 'name' => 'Root'], $site->userOf(json_decode($ticket[1], true)['ticket']));
        $site->forgetVisitor();
        foreach (['app-token' => 'users:7', 'admin-token' => 'admins:7'] as $token => $id) {
            self::assertSame($id, $sub($site->request('/php-chat/ticket', ["Authorization: Bearer $token"])));
        }
        $visitor = new ChatVisitor($site->chat, 'admins:7', 'Root');
        $visitor->connect();
        self::assertSame(200, $site->request('/notify?push&id=x&provider=users')[0]);
        self::assertSame(200, $site->request('/notify?push&id=y&provider=admins')[0]);
        self::assertSame(['push', ['name' => 'order', 'data' => ['number' => 4711]]], $visitor->event('push'));
        self::assertStringContainsString('users:ID, admins:ID', $site->command('php-chat:doctor')[1]);
        $site->end();
    }

    public function testAModelThatExtendsTheUsersHasTheirIdsOnlyWithTheSameTable(): void
    {
        self::$site->forgetVisitor();
        [$status, $body] = self::$site->request('/php-chat/ticket', ['Authorization: Bearer moderator-token']);
        self::assertSame([200, '7'], [$status, self::claims(json_decode($body, true)['ticket'])['sub']]);
        self::$site->forgetVisitor();
        self::assertSame(500, self::$site->request('/php-chat/ticket', ['Authorization: Bearer supplier-token'])[0]);
    }

    public function testALogoutOfOneGuardKeepsTheTicketsOfAnotherInTheSameSession(): void
    {
        $site = new FrameworkSite(self::FOLDER, ['SITE_GUARDS' => 'web,admin']);
        $site->request('/login?guard=admin');
        $admin = json_decode($site->request('/php-chat/ticket')[1], true)['ticket'];
        $site->request('/login?guard=web');
        $user = json_decode($site->request('/php-chat/ticket')[1], true)['ticket'];
        self::assertSame(['admins:7', 'users:7'], [$site->userOf($admin)['id'], $site->userOf($user)['id']]);
        $site->request('/logout-admin');
        self::assertSame('users:7', $site->userOf($user)['id']);
        $site->end();
    }

    public function testTheClaimsOfTheUserModelCanChooseTheId(): void
    {
        self::$site->request('/login?id=chosen');
        self::assertSame('member-9', self::claims(self::ticket())['sub']);
    }

    public function testAnIdThatIsNotUniqueOrAMailAddressGetsNoTicketAndNoNotification(): void
    {
        self::$site->request('/login?id=zoe@example.org');
        self::assertSame(500, self::$site->request('/php-chat/ticket')[0]);
        self::$site->forgetVisitor();
        self::assertSame(500, self::$site->request('/php-chat/ticket', ['Authorization: Bearer admin-token'])[0]);
        [$status, $body] = self::$site->request('/notify?push&id=x&class=admin');
        self::assertSame(500, $status);
        self::assertStringContainsString('chatClaims()', $body);
    }

    public function testTheTicketsAddressDoesNotBecomeThePreviousPage(): void
    {
        self::$site->request('/login');
        self::$site->request('/?room=lobby');
        self::ticket();
        self::assertSame(self::$site->url . '/?room=lobby', self::$site->request('/previous')[1]);
    }

    public function testANotificationPostsAMessageOnce(): void
    {
        foreach ([1, 2] as $_) {
            self::assertSame([200, 'Sent.'], array_slice(self::$site->request('/notify?id=order-4711'), 0, 2));
        }
        $created = static fn (string $id): array => self::$site->event(static fn (array $event): bool
            => $event['type'] === 'message.created' && ($event['data']['message']['clientId'] ?? null) === $id)['data']['message'];
        $first = $created('order-4711');
        self::assertSame(['Order 4711 has been sent.', 'shop', 'Shop'], [$first['text'], $first['user']['id'], $first['user']['name']]);
        self::$site->request('/notify?id=order-4712');
        // The repeated notification posted no message in between.
        self::assertSame($first['seq'] + 1, $created('order-4712')['seq']);
    }

    public function testANotificationPushesToTheOpenPagesOfTheUser(): void
    {
        $visitor = new ChatVisitor(self::$site->chat, 7, 'Zoë');
        $visitor->connect();
        self::assertSame([200, 'Sent.'], array_slice(self::$site->request('/notify?push&id=x'), 0, 2));
        self::assertSame(['push', ['name' => 'order', 'data' => ['number' => 4711]]], $visitor->event('push'));
    }

    public function testTheDoctorFindsNothingInASoundApplication(): void
    {
        foreach ([[], ['PHP_CHAT_TICKET_KEY' => '']] as $settings) {
            [$status, $output] = self::$site->command('php-chat:doctor', $settings);
            self::assertSame([0, 0], [$status, substr_count($output, 'FAIL')], $output);
        }
    }

    /** @return array<string, array{string}> a class of each package that asks for a second factor after the login */
    public static function secondFactors(): array
    {
        return [
            'pragmarx/google2fa-laravel' => ['PragmaRX\\Google2FALaravel\\Middleware'],
            'jeffgreco13/filament-breezy' => ['Jeffgreco13\\FilamentBreezy\\Middleware\\MustTwoFactor'],
            'stephenjude/filament-two-factor-authentication' => ['Stephenjude\\FilamentTwoFactorAuthentication\\Middleware\\TwoFactorChallenge'],
        ];
    }

    /** @dataProvider secondFactors */
    public function testAPasswordAloneGetsNoTicketWhileAPackageAsksForASecondFactor(string $class): void
    {
        $site = new FrameworkSite(self::FOLDER, ['SITE_SECOND_FACTOR' => $class]);
        self::assertSame(401, $site->request('/php-chat/ticket')[0]);
        $site->request('/login');
        [$status, $body, $headers] = $site->request('/php-chat/ticket');
        self::assertSame(401, $status);
        $message = json_decode($body, true)['message'];
        self::assertStringContainsString("Add the middleware of {$this->dataName()} to ticket_middleware", $message);
        self::assertMatchesRegularExpression('/^Cache-Control: .*no-store/mi', $headers);
        [$status, $output] = $site->command('php-chat:doctor');
        self::assertSame([1, 1], [$status, substr_count($output, 'FAIL')], $output);
        self::assertMatchesRegularExpression('/FAIL.*\n.*ticket_middleware/', $output);
        $site->end();
    }

    public function testTicketsKnowThePackagesThatTheChatServerRejectsInSessions(): void
    {
        $source = file_get_contents(__DIR__ . '/../../packages/php-session/src/logins/laravel.ts');
        preg_match_all("~name: '([a-z0-9]+/[a-z0-9-]+)',~", $source, $found);
        self::assertEqualsCanonicalizing(array_keys(self::secondFactors()), $found[1]);
    }

    public function testThePackageForTheSecondFactorDecidesInItsMiddleware(): void
    {
        $class = self::secondFactors()['pragmarx/google2fa-laravel'][0];
        $site = new FrameworkSite(self::FOLDER, ['SITE_SECOND_FACTOR' => $class, 'SITE_TICKET_MIDDLEWARE' => "web,$class"]);
        $site->request('/login');
        self::assertSame([403, 'Which code?'], array_slice($site->request('/php-chat/ticket'), 0, 2));
        [$status, $body] = $site->request('/php-chat/ticket?code=1234');
        self::assertSame(200, $status);
        self::assertSame('7', $site->userOf(json_decode($body, true)['ticket'])['id']);
        self::assertSame(0, $site->command('php-chat:doctor')[0]);
        $site->end();
    }

    /** @return array<string, array{array<string, string>, list<string>}> */
    public static function mistakes(): array
    {
        return [
            'no chat server' => [['PHP_CHAT_API_URL' => 'http://127.0.0.1:9'], ['PHP_CHAT_API_URL']],
            'another server' => [['PHP_CHAT_API_URL' => 'SITE'], ['/readyz responds with 404']],
            'other keys' => [[
                'PHP_CHAT_API_KEY' => 'another-key-of-16-characters',
                'PHP_CHAT_TICKET_KEY' => base64_encode(str_repeat('x', 32)),
                'PHP_CHAT_SERVER' => '/nowhere/',
            ], ['PHP_CHAT_API_KEY', 'PHP_CHAT_TICKET_KEY', 'Add the block']],
            'malformed keys' => [[
                'PHP_CHAT_API_KEY' => 'short',
                'PHP_CHAT_TICKET_KEY' => 'short',
                'PHP_CHAT_WEBHOOK_KEY' => 'short',
                'PHP_CHAT_SERVER' => '/html/',
            ], ['PHP_CHAT_API_KEY', 'PHP_CHAT_TICKET_KEY', 'PHP_CHAT_WEBHOOK_KEY', 'Add the block']],
            'another origin and audience' => [
                ['PHP_CHAT_ORIGINS' => 'SITE,https://other.example', 'PHP_CHAT_TICKET_AUDIENCE' => 'other.example'],
                ['Add https://other.example to CHAT_ORIGINS', 'PHP_CHAT_TICKET_AUDIENCE'],
            ],
            'a session in a cookie for another place' => [[
                'PHP_CHAT_TICKET_KEY' => '',
                'SESSION_DRIVER' => 'cookie',
                'SESSION_DOMAIN' => '.example.org',
                'SESSION_PATH' => '/chatter',
                'SESSION_SECURE_COOKIE' => '1',
            ], ['SESSION_DRIVER', 'SESSION_DOMAIN', 'serve the chat below /chatter/', 'SESSION_SECURE_COOKIE']],
            'a cookie for the host of the site only' => [
                ['PHP_CHAT_TICKET_KEY' => '', 'PHP_CHAT_SERVER' => 'http://localhost:9/'],
                ['Add the block', 'SESSION_DOMAIN'],
            ],
        ];
    }

    /**
     * @dataProvider mistakes
     * @param array<string, string> $settings
     * @param list<string> $fixes
     */
    public function testTheDoctorNamesTheSettingsToChange(array $settings, array $fixes): void
    {
        $settings = array_map(static fn (string $value) => str_replace('SITE', self::$site->url, $value), $settings);
        [$status, $output] = self::$site->command('php-chat:doctor', $settings);
        self::assertSame([1, count($fixes)], [$status, substr_count($output, 'FAIL')], $output);
        foreach ($fixes as $fix) {
            self::assertMatchesRegularExpression('/FAIL.*\n.*' . preg_quote($fix, '/') . '/', $output);
        }
        self::assertStringNotContainsString(FrameworkSite::WEBHOOK_KEY, $output);
        self::assertStringNotContainsString('another-key-of', $output);
    }
}
