<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Contracts\Auth\Factory;
use Illuminate\Contracts\Config\Repository;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use PhpSessionChat\Ticket;

/** Responds with a ticket, or 401 if the visitor is not logged in, or possibly lacks the second factor. */
final class TicketController
{
    /** @throws \LogicException if the ID of the user is not clear */
    public function __invoke(Request $request, ChatLogin $login, ChatUserIds $ids, SecondFactor $factor, Factory $auth, Repository $config): JsonResponse
    {
        // Otherwise StartSession would store this address as the previous page, the target of redirect()->back().
        $request->headers->set('X-Requested-With', 'XMLHttpRequest');
        $headers = ['Cache-Control' => 'no-store'];
        $guard = $login->guard();
        if ($guard === null) {
            return new JsonResponse(['message' => 'The visitor is not logged in.'], 401, $headers);
        }
        $fix = $factor->fix();
        if ($fix !== null) {
            return new JsonResponse(['message' => $fix], 401, $headers);
        }
        $user = $auth->guard($guard)->user();
        $id = $ids->getId($user, $guard);
        $claims = $user instanceof ChatUser ? $user->chatClaims() : ['name' => (string) ($user->name ?? $id)];
        return new JsonResponse(['ticket' => Ticket::make($config->get('php-chat.ticket_key'), [
            'aud' => $config->get('php-chat.ticket_audience') ?? '',
            'sub' => $id,
            'sid' => $login->id($guard, $id, $request),
        ] + $claims)], 200, $headers);
    }
}
