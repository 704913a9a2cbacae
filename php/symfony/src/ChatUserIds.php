<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use LogicException;
use Symfony\Component\Security\Core\User\UserInterface;
use Symfony\Component\Security\Core\User\UserProviderInterface;

/** The IDs of users in the chat, for tickets and for your own calls of ChatClient. */
final class ChatUserIds
{
    private const FIX = 'let chatClaims() of the class return the claim sub (PhpSessionChat\Symfony\ChatUser).';

    /** @param iterable<string, UserProviderInterface> $providers of users who can have an ID, by name */
    public function __construct(private readonly iterable $providers)
    {
    }

    /**
     * Returns `sub` of the user's chatClaims(), or getId(). If the site has several user providers, the ID begins with the
     * name of the user's provider, such as `admins:1`.
     *
     * @throws LogicException if another user could have the same ID, or the user has no ID that others may see
     */
    public function getId(UserInterface $user): string
    {
        $chosen = $user instanceof ChatUser ? $user->chatClaims()['sub'] ?? null : null;
        if ($chosen !== null) {
            return (string) $chosen;
        }
        $class = $user::class;
        // The user identifier may be a mail address.
        $id = method_exists($user, 'getId') ? (string) $user->getId() : '';
        if ($id === '' || str_contains($id, '@')) {
            throw new LogicException("The user class $class has no getId() whose value other users may see: " . self::FIX);
        }
        [$count, $found] = [0, []];
        foreach ($this->providers as $name => $provider) {
            $count++;
            if ($provider->supportsClass($class)) {
                $found[] = $name;
            }
        }
        if (count($found) !== 1) {
            throw new LogicException("The user class $class has no user provider, or several: " . self::FIX);
        }
        return $count === 1 ? $id : rawurlencode((string) $found[0]) . ":$id";
    }
}
