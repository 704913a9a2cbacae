<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use PhpSessionChat\Ticket;
use SensitiveParameter;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/** Responds with a ticket, or 401 if the visitor is not logged in. */
final class TicketController
{
    public function __construct(
        private readonly ChatLogin $login,
        private readonly ChatUserIds $ids,
        #[SensitiveParameter] private readonly ?string $key,
        private readonly ?string $audience,
    ) {
    }

    /** @throws \LogicException if the user has no ID that is unique and others may see */
    public function __invoke(Request $request): JsonResponse
    {
        if ($this->key === null) {
            throw new NotFoundHttpException('php_chat.ticket_key is not set.');
        }
        $headers = ['Cache-Control' => 'no-store'];
        $user = $this->login->user();
        if ($user === null) {
            return new JsonResponse(['message' => 'The visitor is not logged in.'], 401, $headers);
        }
        $identifier = $user->getUserIdentifier();
        // The identifier may be a mail address, which other users must not see.
        $claims = $user instanceof ChatUser ? $user->chatClaims() : ['name' => strstr($identifier, '@', true) ?: $identifier];
        return new JsonResponse(['ticket' => Ticket::make($this->key, [
            'aud' => $this->audience ?? '',
            'sub' => $this->ids->getId($user),
            'sid' => $this->login->id($request),
        ] + $claims)], 200, $headers);
    }
}
