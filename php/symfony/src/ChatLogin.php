<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

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

    /** Returns the claim `sid`: a keyed hash, because scripts of the page can read a ticket. */
    public function id(Request $request): string
    {
        $session = $request->hasPreviousSession() ? $request->getSession() : null;
        $login = match (true) {
            $session !== null => 'session ' . ($session->getId() ?: $request->cookies->get($session->getName())),
            $request->headers->has('Authorization') => 'token ' . $request->headers->get('Authorization'),
            default => 'user ' . $this->tokens->getToken()?->getUserIdentifier(),
        };
        return hash_hmac('sha256', $login, (string) $this->ticketKey);
    }
}
