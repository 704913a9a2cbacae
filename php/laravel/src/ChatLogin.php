<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Contracts\Auth\Factory;
use Illuminate\Contracts\Auth\StatefulGuard;
use Illuminate\Contracts\Config\Repository;
use Illuminate\Http\Request;

/** The login of the current request. */
final class ChatLogin
{
    public function __construct(private readonly Factory $auth, private readonly Repository $config)
    {
    }

    /** Returns the first guard of `php-chat.guards` with a user. Null if the visitor is not logged in. */
    public function guard(): ?string
    {
        foreach ($this->config->get('php-chat.guards') as $name) {
            if ($this->auth->guard($name)->check()) {
                return $name;
            }
        }
        return null;
    }

    /** Returns the claim `sid`: a keyed hash, because scripts of the page can read a ticket. */
    public function id(string $guard, string $userId, Request $request): string
    {
        // A client with a token gets a new session with each request.
        $token = $this->auth->guard($guard) instanceof StatefulGuard ? null : $request->bearerToken();
        $login = match (true) {
            $token !== null => "token $token",
            // Users of several guards may be logged in to one session, and log out one by one.
            $request->hasSession() => "session {$request->session()->getId()} $userId",
            default => "user $userId",
        };
        return hash_hmac('sha256', $login, (string) $this->config->get('php-chat.ticket_key'));
    }
}
