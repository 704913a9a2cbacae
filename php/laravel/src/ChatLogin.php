<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Contracts\Auth\Factory;
use Illuminate\Contracts\Auth\Guard;
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
    public function guard(): ?Guard
    {
        foreach ($this->config->get('php-chat.guards') as $name) {
            $guard = $this->auth->guard($name);
            if ($guard->check()) {
                return $guard;
            }
        }
        return null;
    }

    /** Returns the claim `sid`: a keyed hash, because scripts of the page can read a ticket. */
    public function id(Guard $guard, Request $request): string
    {
        // A client with a token gets a new session with each request.
        $token = $guard instanceof StatefulGuard ? null : $request->bearerToken();
        $login = match (true) {
            $token !== null => "token $token",
            $request->hasSession() => 'session ' . $request->session()->getId(),
            default => 'user ' . $guard->id(),
        };
        return hash_hmac('sha256', $login, (string) $this->config->get('php-chat.ticket_key'));
    }
}
