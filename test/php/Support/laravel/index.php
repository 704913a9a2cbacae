<?php

/** Serves the pages of the application. */

declare(strict_types=1);

use Illuminate\Contracts\Notifications\Dispatcher;
use Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse;
use Illuminate\Cookie\Middleware\EncryptCookies;
use Illuminate\Http\Request;
use Illuminate\Notifications\Notification;
use Illuminate\Session\Middleware\StartSession;
use PhpSessionChat\ChatEvent;
use PhpSessionChat\Laravel\ChatMessage;
use Symfony\Component\HttpKernel\Exception\HttpException;

$app = require __DIR__ . '/app.php';
$router = $app['router'];
$router->middlewareGroup('web', [EncryptCookies::class, AddQueuedCookiesToResponse::class, StartSession::class]);
$app['events']->listen(ChatEvent::class, static function (ChatEvent $event): void {
    file_put_contents(getenv('SITE_FOLDER') . '/events', json_encode($event) . "\n", FILE_APPEND);
});

final class SiteNotification extends Notification
{
    public function __construct(private readonly ChatMessage $message)
    {
    }

    /** @return list<string> */
    public function via(): array
    {
        return ['php-chat'];
    }

    public function toPhpChat(): ChatMessage
    {
        return $this->message;
    }
}

$router->group(['middleware' => 'web'], static function ($router) use ($app): void {
    $router->get('/', static fn (Request $request) => $app['view']->make('page', ['room' => $request->query('room', 'lobby')]));
    $router->get('/example', static fn () => $app['view']->make('example'));
    $router->get('/talk', static fn () => $app['view']->make('talk'));
    $router->get('/login', static function (Request $request) use ($app): string {
        $app['auth']->guard($request->query('guard', 'web'))->loginUsingId($request->query('id', 7));
        return 'Welcome.';
    });
    $router->get('/logout', static function (Request $request) use ($app): string {
        $app['auth']->guard('web')->logout();
        $request->session()->invalidate();
        return 'Bye.';
    });
    $router->get('/logout-admin', static function () use ($app): string {
        $app['auth']->guard('admin')->logout();
        return 'Bye.';
    });
    $router->get('/previous', static fn (Request $request): string => (string) $request->session()->previousUrl());
});
$router->get('/notify', static function (Request $request) use ($app): string {
    $user = $app['auth']->createUserProvider($request->query('provider', 'users'))->retrieveById(7);
    if ($request->query('class') === 'admin') {
        $user = (new ListProvider(SiteAdmin::class))->retrieveById(7);
    }
    $message = $request->query('push') !== null
        ? ChatMessage::push('order', ['number' => 4711])
        : ChatMessage::post('lobby', 'shop', 'Shop', 'Order 4711 has been sent.');
    $notification = new SiteNotification($message);
    $notification->id = $request->query('id');
    $app->make(Dispatcher::class)->sendNow($user, $notification);
    return 'Sent.';
});
// Simulates the chat server behind the site's web server, and a web server that responds with a page instead.
$router->get('/chat/php-chat.js', static fn (): string => 'export {}');
$router->get('/html/php-chat.js', static fn (): string => '<!doctype html>');
$router->getRoutes()->refreshNameLookups();

try {
    $response = $router->dispatch($app['request']);
} catch (HttpException $error) {
    http_response_code($error->getStatusCode());
    exit;
} catch (LogicException $error) {
    http_response_code(500);
    exit($error->getMessage());
}
$response->send();
