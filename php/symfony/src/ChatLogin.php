<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use LogicException;
use SensitiveParameter;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\Security\Core\Authentication\Token\Storage\TokenStorageInterface;
use Symfony\Component\Security\Core\Authentication\Token\SwitchUserToken;
use Symfony\Component\Security\Core\Authorization\AuthorizationCheckerInterface;
use Symfony\Component\Security\Core\User\UserInterface;

/** The login of the current request. */
final class ChatLogin
{
    public function __construct(
        private readonly TokenStorageInterface $tokens,
        private readonly AuthorizationCheckerInterface $checker,
        private readonly ChatUserIds $ids,
        #[SensitiveParameter] private readonly ?string $ticketKey,
    ) {
    }

    /** Returns the user. Null without a login, without the second factor, and for an admin who impersonates a user. */
    public function user(): ?UserInterface
    {
        $token = $this->tokens->getToken();
        if ($token === null || $token instanceof SwitchUserToken || !$this->checker->isGranted('IS_AUTHENTICATED_REMEMBERED')) {
            return null;
        }
        $user = $token->getUser();
        return $user instanceof UserInterface ? $user : null;
    }

    /**
     * Returns the claim `sid`: a keyed hash, because scripts of the page can read a ticket.
     *
     * @throws LogicException if the user gets no tickets
     */
    public function id(Request $request): string
    {
        $token = $this->tokens->getToken();
        $user = ($token instanceof SwitchUserToken ? $token->getOriginalToken() : $token)?->getUser();
        if (!$user instanceof UserInterface) {
            throw new LogicException('The visitor is not logged in.');
        }
        $userId = $this->ids->getId($user);
        $session = $request->hasPreviousSession() ? $request->getSession() : null;
        $login = match (true) {
            // Users of several firewalls may be logged in to one session, and log out one by one.
            $session !== null => 'session ' . ($session->getId() ?: $request->cookies->get($session->getName())) . " $userId",
            $request->headers->has('Authorization') => 'token ' . $request->headers->get('Authorization'),
            default => "user $userId",
        };
        return hash_hmac('sha256', $login, (string) $this->ticketKey);
    }
}
