<?php

/** A Symfony application with sessions of PHP. Its settings are environment variables. */

declare(strict_types=1);

namespace App;

use PhpSessionChat\ChatEvent;
use PhpSessionChat\Symfony\ChatUser;
use PhpSessionChat\Symfony\PhpChatBundle;
use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Bundle\SecurityBundle\SecurityBundle;
use Symfony\Bundle\TwigBundle\TwigBundle;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Kernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;
use Symfony\Component\Security\Core\Authentication\Token\TokenInterface;
use Symfony\Component\Security\Core\Exception\AuthenticationException;
use Symfony\Component\Security\Core\Exception\UserNotFoundException;
use Symfony\Component\Security\Core\User\UserInterface;
use Symfony\Component\Security\Core\User\UserProviderInterface;
use Symfony\Component\Security\Http\Authenticator\AbstractAuthenticator;
use Symfony\Component\Security\Http\Authenticator\Passport\Badge\UserBadge;
use Symfony\Component\Security\Http\Authenticator\Passport\Passport;
use Symfony\Component\Security\Http\Authenticator\Passport\SelfValidatingPassport;
use Twig\Environment;

// Components from version 6 ask Composer, which did not install Debian's packages.
if (!class_exists(\Composer\InstalledVersions::class)) {
    eval('namespace Composer; final class InstalledVersions { public static function isInstalled(): bool { return false; } }');
}
foreach (['Framework', 'Security', 'Twig'] as $bundle) {
    require_once "Symfony/Bundle/{$bundle}Bundle/autoload.php";
}
require __DIR__ . '/../autoload.php';

/** A user who logs in with a mail address. */
class SiteUser implements UserInterface
{
    public function __construct(protected string $address)
    {
    }

    public function getRoles(): array
    {
        return ['ROLE_USER', 'ROLE_ALLOWED_TO_SWITCH'];
    }

    public function getUserIdentifier(): string
    {
        return $this->address;
    }

    public function getUsername(): string
    {
        return $this->address;
    }

    public function getPassword(): ?string
    {
        return null;
    }

    public function getSalt(): ?string
    {
        return null;
    }

    public function eraseCredentials(): void
    {
    }
}

/** A user with an ID, and more claims in tickets. */
final class Moderator extends SiteUser implements ChatUser
{
    public function getId(): int
    {
        return 7;
    }

    public function chatClaims(): array
    {
        return ['name' => 'Zoë', 'roles' => ['moderator']];
    }
}

/** A user whose claims choose the ID. */
final class Member extends SiteUser implements ChatUser
{
    public function chatClaims(): array
    {
        return ['sub' => 'member-9', 'name' => 'Mia'];
    }
}

/** A user with an ID, and a name from the address. */
class Reader extends SiteUser
{
    public function getId(): int
    {
        return 8;
    }
}

/** An admin from another table. Some IDs are also those of users. */
final class Admin extends SiteUser
{
    public function getId(): int
    {
        return 7;
    }
}

class Users implements UserProviderInterface
{
    public function loadUserByIdentifier(string $identifier): UserInterface
    {
        return match ($identifier) {
            'zoe@example.org' => new Moderator($identifier),
            'bo@example.org' => new SiteUser($identifier),
            'mia@example.org' => new Member($identifier),
            'ray@example.org' => new Reader($identifier),
            default => throw new UserNotFoundException(),
        };
    }

    public function loadUserByUsername(string $username): UserInterface
    {
        return $this->loadUserByIdentifier($username);
    }

    public function refreshUser(UserInterface $user): UserInterface
    {
        return $this->loadUserByIdentifier($user->getUserIdentifier());
    }

    public function supportsClass(string $class): bool
    {
        return is_a($class, SiteUser::class, true) && $class !== Admin::class;
    }
}

final class Admins extends Users
{
    public function loadUserByIdentifier(string $identifier): UserInterface
    {
        return $identifier === 'root@example.org' ? new Admin($identifier) : throw new UserNotFoundException();
    }

    public function supportsClass(string $class): bool
    {
        return $class === Admin::class || (getenv('SITE_OVERLAP') && $class === Moderator::class);
    }
}

/** Accepts every login, and the token of an app. */
final class Login extends AbstractAuthenticator
{
    public function supports(Request $request): ?bool
    {
        return $request->getPathInfo() === '/login' || $request->headers->has('Authorization');
    }

    public function authenticate(Request $request): Passport
    {
        if ($request->headers->get('Authorization', 'Bearer app-token') !== 'Bearer app-token') {
            throw new AuthenticationException();
        }
        return new SelfValidatingPassport(new UserBadge($request->query->get('as', 'zoe') . '@example.org'));
    }

    public function onAuthenticationSuccess(Request $request, TokenInterface $token, string $firewallName): ?Response
    {
        return null;
    }

    public function onAuthenticationFailure(Request $request, AuthenticationException $exception): ?Response
    {
        return null;
    }
}

final class Pages
{
    public function __construct(private readonly Environment $twig)
    {
    }

    public function example(): Response
    {
        return new Response($this->twig->render('example.html.twig'));
    }

    public function talk(): Response
    {
        return new Response($this->twig->render('talk.html.twig'));
    }

    public function page(Request $request): Response
    {
        return new Response($this->twig->render('page.html.twig', ['room' => $request->query->get('room', 'lobby')]));
    }
}

final class Recorder
{
    public function __invoke(ChatEvent $event): void
    {
        file_put_contents(getenv('SITE_FOLDER') . '/events', json_encode($event) . "\n", FILE_APPEND);
    }
}

final class Site extends Kernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        return [new FrameworkBundle(), new SecurityBundle(), new TwigBundle(), new PhpChatBundle()];
    }

    public function getProjectDir(): string
    {
        return __DIR__;
    }

    public function getCacheDir(): string
    {
        return getenv('SITE_FOLDER') . '/cache';
    }

    public function getLogDir(): string
    {
        return getenv('SITE_FOLDER');
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', [
            'secret' => 'k',
            'http_method_override' => false,
            'session' => ['storage_factory_id' => 'session.storage.factory.native', 'handler_id' => null, 'save_path' => getenv('SITE_FOLDER')],
        ]);
        $container->extension('twig', ['default_path' => __DIR__ . '/templates', 'paths' => [getenv('SITE_FOLDER')], 'strict_variables' => true]);
        $container->extension('security', [
            'enable_authenticator_manager' => true,
            'providers' => ['users' => ['id' => Users::class]] + (getenv('SITE_ADMINS') ? [
                'admins' => ['id' => Admins::class],
                'all' => ['chain' => ['providers' => ['users', 'admins']]],
                'memory' => ['memory' => null],
            ] : []),
            'firewalls' => ['main' => [
                'provider' => getenv('SITE_ADMINS') ? 'all' : 'users',
                'custom_authenticators' => [Login::class], 'logout' => ['path' => '/logout'], 'switch_user' => true,
            ]],
        ]);
        $container->extension('php_chat', [
            'server' => getenv('PHP_CHAT_SERVER') ?: '/chat/',
            'api_url' => '%env(PHP_CHAT_API_URL)%',
            'api_key' => '%env(PHP_CHAT_API_KEY)%',
            'ticket_key' => '%env(PHP_CHAT_TICKET_KEY)%',
            'ticket_audience' => '%env(PHP_CHAT_TICKET_AUDIENCE)%',
            'webhook_key' => '%env(PHP_CHAT_WEBHOOK_KEY)%',
        ]);
        $services = $container->services();
        foreach ([Users::class, Admins::class, Login::class, Pages::class] as $class) {
            $services->set($class)->autowire()->public();
        }
        $services->set(Recorder::class)->tag('kernel.event_listener', ['event' => ChatEvent::class]);
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->add('page', '/')->controller([Pages::class, 'page']);
        $routes->add('example', '/example')->controller([Pages::class, 'example']);
        $routes->add('talk', '/talk')->controller([Pages::class, 'talk']);
        $routes->add('login', '/login')->controller([Pages::class, 'page']);
        $routes->add('logout', '/logout');
        $routes->import('@PhpChatBundle/config/routes.php');
    }
}

$site = new Site('prod', false);
$request = Request::createFromGlobals();
$response = $site->handle($request);
$response->send();
$site->terminate($request, $response);
