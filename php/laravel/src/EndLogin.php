<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Auth\Events\CurrentDeviceLogout;
use Illuminate\Auth\Events\Logout;
use Illuminate\Contracts\Config\Repository;
use Illuminate\Contracts\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Http\Request;
use InvalidArgumentException;
use LogicException;
use PhpSessionChat\ChatClient;
use PhpSessionChat\ChatError;

/** Ends the tickets of the session at the logout, before its ID changes. */
final class EndLogin
{
    public function __construct(
        private readonly Container $app,
        private readonly Repository $config,
        private readonly ChatLogin $login,
        private readonly ChatUserIds $ids,
    ) {
    }

    public function handle(Logout|CurrentDeviceLogout $event): void
    {
        ['ticket_key' => $ticketKey, 'api_key' => $apiKey] = $this->config->get('php-chat');
        $request = $this->app->make(Request::class);
        if (!$ticketKey || !$apiKey || !$request->hasSession() || $event->user === null) {
            return;
        }
        try {
            $id = $this->ids->getId($event->user, $event->guard);
        } catch (LogicException) {
            // This user gets no tickets.
            return;
        }
        try {
            $sid = $this->login->id($event->guard, $id, $request);
            $this->app->make(ChatClient::class)->endLogin($sid);
        } catch (ChatError | InvalidArgumentException $error) {
            // The chat then ends when the page asks for its next ticket.
            $this->app->make(ExceptionHandler::class)->report($error);
        }
    }
}
