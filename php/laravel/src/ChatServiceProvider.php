<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Auth\Events\CurrentDeviceLogout;
use Illuminate\Auth\Events\Logout;
use Illuminate\Notifications\ChannelManager;
use Illuminate\Support\ServiceProvider;
use Illuminate\View\Compilers\BladeCompiler;
use PhpSessionChat\ChatClient;
use PhpSessionChat\Webhook;

/** Laravel discovers this provider through composer.json. */
final class ChatServiceProvider extends ServiceProvider
{
    public function register(): void
    {
        $this->mergeConfigFrom(__DIR__ . '/../config/php-chat.php', 'php-chat');
        $this->app->singleton(ChatClient::class, static fn ($app): ChatClient => new ChatClient(
            (string) $app['config']['php-chat.api_url'],
            trim((string) $app['config']['php-chat.api_key']),
        ));
        $this->app->bind(Webhook::class, static fn ($app): Webhook => new Webhook((string) $app['config']['php-chat.webhook_key']));
    }

    public function boot(): void
    {
        $config = $this->app['config'];
        // Resolved now, because middleware such as `auth:admin` changes the default for a request.
        $guards = array_map(static fn (?string $guard): string => $guard ?? $config['auth.defaults.guard'], $config['php-chat.guards']);
        $config->set('php-chat.guards', $guards);
        $this->loadViewsFrom(__DIR__ . '/../views', 'php-chat');
        $this->loadRoutesFrom(__DIR__ . '/../routes/php-chat.php');
        $this->callAfterResolving('blade.compiler', static function (BladeCompiler $blade): void {
            $blade->component(ChatComponent::class, 'php-chat');
        });
        $this->callAfterResolving(ChannelManager::class, static function (ChannelManager $channels): void {
            $channels->extend('php-chat', static fn ($app): ChatChannel => $app->make(ChatChannel::class));
        });
        $this->app['events']->listen([Logout::class, CurrentDeviceLogout::class], [EndLogin::class, 'handle']);
        if ($this->app->runningInConsole()) {
            $this->publishes([__DIR__ . '/../config/php-chat.php' => $this->app->configPath('php-chat.php')], 'php-chat');
            $this->commands([DoctorCommand::class]);
        }
    }
}
