<?php

/**
 * A Laravel application of the components that Debian has, without laravel/framework. Its settings are environment
 * variables. Returns the container.
 */

declare(strict_types=1);

use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Auth\GenericUser;
use Illuminate\Bus\BusServiceProvider;
use Illuminate\Config\Repository;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Contracts\Auth\UserProvider;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Cookie\CookieServiceProvider;
use Illuminate\Encryption\EncryptionServiceProvider;
use Illuminate\Events\EventServiceProvider;
use Illuminate\Filesystem\FilesystemServiceProvider;
use Illuminate\Http\Request;
use Illuminate\Notifications\NotificationServiceProvider;
use Illuminate\Notifications\RoutesNotifications;
use Illuminate\Routing\RoutingServiceProvider;
use Illuminate\Session\SessionServiceProvider;
use Illuminate\Support\Facades\Facade;
use Illuminate\View\ViewServiceProvider;
use PhpSessionChat\Laravel\ChatServiceProvider;
use PhpSessionChat\Laravel\ChatUser;

foreach (['Auth', 'Bus', 'Config', 'Console', 'Cookie', 'Encryption', 'Notifications', 'Routing', 'Session', 'View'] as $component) {
    require_once "Illuminate/$component/autoload.php";
}
require __DIR__ . '/../autoload.php';

/** The methods of Laravel's Application that service providers call. */
$app = new class () extends Container {
    public function runningInConsole(): bool
    {
        return PHP_SAPI === 'cli';
    }

    public function configPath(string $path = ''): string
    {
        return "/config/$path";
    }

    public function getNamespace(): string
    {
        return 'App\\';
    }

    // Components from version 10 call these two.

    public function runningUnitTests(): bool
    {
        return false;
    }

    public function terminating(callable $callback): self
    {
        return $this;
    }
};
Container::setInstance($app);
Facade::setFacadeApplication($app);
$folder = getenv('SITE_FOLDER');
$app->instance('app', $app);
$app->instance('path.storage', $folder);
$app->instance('config', new Repository([
    'app' => ['url' => getenv('APP_URL'), 'key' => 'base64:' . base64_encode(str_repeat('k', 32)), 'cipher' => 'AES-256-CBC'],
    'auth' => [
        'defaults' => ['guard' => 'web'],
        'guards' => [
            'web' => ['driver' => 'session', 'provider' => 'users'],
            'admin' => ['driver' => 'session', 'provider' => 'admins'],
            'api' => ['driver' => 'bearer'],
        ],
        'providers' => ['users' => ['driver' => 'list', 'model' => SiteUser::class]]
            + (getenv('SITE_GUARDS') ? ['admins' => ['driver' => 'list', 'model' => SiteAdmin::class]] : []),
    ],
    'session' => [
        'driver' => getenv('SESSION_DRIVER') ?: 'file', 'files' => $folder, 'lifetime' => 120, 'lottery' => [0, 1],
        'expire_on_close' => false, 'cookie' => 'laravel_session', 'path' => getenv('SESSION_PATH') ?: '/',
        'domain' => getenv('SESSION_DOMAIN') ?: null, 'secure' => (bool) getenv('SESSION_SECURE_COOKIE'), 'http_only' => true,
        'same_site' => 'lax', 'encrypt' => false,
    ],
    'view' => ['paths' => [__DIR__ . '/views', $folder], 'compiled' => $folder],
    'php-chat' => ['guards' => explode(',', getenv('SITE_GUARDS') ?: 'web,api')]
        + (getenv('SITE_TICKET_MIDDLEWARE') ? ['ticket_middleware' => explode(',', getenv('SITE_TICKET_MIDDLEWARE'))] : []),
]));
$app->instance('request', Request::capture());
foreach ([
    Request::class => 'request', Repository::class => 'config', \Illuminate\Contracts\Config\Repository::class => 'config',
    \Illuminate\Contracts\Auth\Factory::class => 'auth', \Illuminate\Contracts\Events\Dispatcher::class => 'events',
    \Illuminate\Contracts\Routing\UrlGenerator::class => 'url', \Illuminate\Contracts\View\Factory::class => 'view',
    \Illuminate\Contracts\Container\Container::class => 'app', \Illuminate\Contracts\Foundation\Application::class => 'app',
    \Illuminate\Contracts\Encryption\Encrypter::class => 'encrypter', \Illuminate\Session\SessionManager::class => 'session',
    \Illuminate\Contracts\Cookie\QueueingFactory::class => 'cookie', Container::class => 'app',
    \Illuminate\Contracts\Routing\Registrar::class => 'router', \Illuminate\Routing\Router::class => 'router',
] as $class => $name) {
    $app->alias($name, $class);
}

/** The middleware of a package that asks for a second factor after the login. */
final class SecondFactorMiddleware
{
    public function handle(Request $request, Closure $next): mixed
    {
        return $request->query('code') === '1234' ? $next($request) : new \Illuminate\Http\Response('Which code?', 403);
    }
}
if (getenv('SITE_SECOND_FACTOR')) {
    class_alias(SecondFactorMiddleware::class, getenv('SITE_SECOND_FACTOR'));
}

/** A user who chooses the claims of the tickets. */
class SiteUser extends GenericUser implements ChatUser
{
    use RoutesNotifications;

    public function __construct(array $attributes = [])
    {
        parent::__construct($attributes);
    }

    public function getTable(): string
    {
        return 'users';
    }

    public function chatClaims(): array
    {
        $claims = ['name' => $this->attributes['name'], 'roles' => ['moderator']];
        return $this->attributes['id'] === 'chosen' ? ['sub' => 'member-9'] + $claims : $claims;
    }
}

/** A user of the same table. */
class SiteModerator extends SiteUser
{
}

/** A model that extends the users', but has a table of its own, and so IDs that overlap with those of the users. */
class SiteSupplier extends SiteUser
{
    public function getTable(): string
    {
        return 'suppliers';
    }
}

/** An admin from another table. Some IDs are also those of users. */
class SiteAdmin extends GenericUser
{
    use RoutesNotifications;
}

/** Has a user with each ID. */
final class ListProvider implements UserProvider
{
    public function __construct(private readonly string $class)
    {
    }

    public function retrieveById($identifier): ?Authenticatable
    {
        $name = $this->class === SiteUser::class ? 'Zoë' : 'Root';
        return new $this->class(['id' => $identifier, 'name' => $name, 'remember_token' => '']);
    }

    public function retrieveByToken($identifier, $token): ?Authenticatable
    {
        return null;
    }

    public function updateRememberToken(Authenticatable $user, $token): void
    {
    }

    public function retrieveByCredentials(array $credentials): ?Authenticatable
    {
        return null;
    }

    public function validateCredentials(Authenticatable $user, array $credentials): bool
    {
        return false;
    }
}

/** Records reported exceptions. */
$app->instance(ExceptionHandler::class, new class ($folder) implements ExceptionHandler {
    public function __construct(private readonly string $folder)
    {
    }

    public function report(Throwable $e): void
    {
        file_put_contents("$this->folder/reported", $e->getMessage());
    }

    public function shouldReport(Throwable $e): bool
    {
        return true;
    }

    public function render($request, Throwable $e)
    {
        throw $e;
    }

    public function renderForConsole($output, Throwable $e): void
    {
    }
});

$providers = array_map(static fn (string $class) => new $class($app), [
    EventServiceProvider::class, FilesystemServiceProvider::class, EncryptionServiceProvider::class, CookieServiceProvider::class,
    SessionServiceProvider::class, RoutingServiceProvider::class, AuthServiceProvider::class, ViewServiceProvider::class,
    BusServiceProvider::class, NotificationServiceProvider::class, ChatServiceProvider::class,
]);
array_map(static fn ($provider) => $provider->register(), $providers);
$app['auth']->provider('list', static fn ($app, array $provider) => new ListProvider($provider['model']));
$app['auth']->viaRequest('bearer', static fn (Request $request) => match ($request->bearerToken()) {
    'app-token' => (new ListProvider(SiteUser::class))->retrieveById(7),
    'moderator-token' => (new ListProvider(SiteModerator::class))->retrieveById(7),
    'supplier-token' => (new ListProvider(SiteSupplier::class))->retrieveById(7),
    'admin-token' => (new ListProvider(SiteAdmin::class))->retrieveById(7),
    default => null,
});
// Does not boot the provider of notifications, because its views need the rest of the framework.
foreach ($providers as $provider) {
    if (method_exists($provider, 'boot') && !$provider instanceof NotificationServiceProvider) {
        $provider->boot();
    }
}
return $app;
