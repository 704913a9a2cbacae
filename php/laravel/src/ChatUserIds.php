<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Contracts\Config\Repository;
use LogicException;

/** The IDs of users in the chat, for tickets, notifications and your own calls of ChatClient. */
final class ChatUserIds
{
    private const FIX = 'let chatClaims() of the user class return the claim sub (PhpSessionChat\Laravel\ChatUser).';

    public function __construct(private readonly Repository $config)
    {
    }

    /**
     * Returns `sub` of the user's chatClaims(), or the ID of the user. If the guards of the chat have several providers,
     * the ID begins with the name of the user's provider, such as `admins:1`.
     *
     * @param string|null $guard the guard of the login; by default, the class of the user determines the provider
     * @throws LogicException if another user could have the same ID, or the ID is a mail address
     */
    public function getId(object $user, ?string $guard = null): string
    {
        $chosen = $user instanceof ChatUser ? $user->chatClaims()['sub'] ?? null : null;
        if ($chosen !== null) {
            return (string) $chosen;
        }
        $class = $user::class;
        $sources = $this->sources();
        $name = $guard === null ? null : $this->config->get("auth.guards.$guard.provider");
        $source = $name === null ? $this->sourceOfClass($class) : $this->sourceOf($name);
        if (!isset($sources[$source]) || !$this->hasTableOf($source, $user)) {
            throw new LogicException("The user class $class has no provider among the guards of the chat, or several, or another table: " . self::FIX);
        }
        $id = (string) $user->getAuthIdentifier();
        if (str_contains($id, '@')) {
            throw new LogicException("The ID of the user class $class is a mail address, which other users would see: " . self::FIX);
        }
        return $this->prefix($source) . $id;
    }

    /**
     * Returns the forms of IDs, such as `ID`, or `users:ID` and `admins:ID`.
     *
     * @return list<string>
     * @throws LogicException if the users of a guard cannot be told apart
     */
    public function forms(): array
    {
        return array_map(fn (string $source): string => $this->prefix($source) . 'ID', array_keys($this->sources()));
    }

    private function prefix(string $source): string
    {
        $sources = $this->sources();
        return count($sources) === 1 ? '' : rawurlencode($sources[$source]) . ':';
    }

    /**
     * Returns the providers of the chat's guards by their source. Providers with the same model have the same users.
     *
     * @return array<string, string> the name of the first provider of each source
     */
    private function sources(): array
    {
        $sources = [];
        foreach ($this->config->get('php-chat.guards') as $guard) {
            $own = $this->config->get("auth.guards.$guard.provider");
            // Guards such as Sanctum's accept users of all models.
            $names = $own === null ? array_keys($this->config->get('auth.providers') ?? []) : [$own];
            foreach ($names as $name) {
                if ($own === null && $this->config->get("auth.providers.$name.model") === null) {
                    throw new LogicException("The users of the guard $guard may be of any provider: set its provider in config/auth.php.");
                }
                $sources[$this->sourceOf($name)] ??= $name;
            }
        }
        return $sources;
    }

    private function sourceOf(string $provider): string
    {
        return ltrim($this->config->get("auth.providers.$provider.model") ?? $provider, '\\');
    }

    /** Whether the IDs of a user's model are those of the source. `class Admin extends User` has a table of its own by default. */
    private function hasTableOf(string $source, object $user): bool
    {
        return $user::class === $source || !is_a($user, $source) || !method_exists($source, 'getTable')
            || (new $source())->getTable() === $user->getTable();
    }

    /** Returns the model of a user class. Empty if there is none, or several. */
    private function sourceOfClass(string $class): string
    {
        $sources = array_keys($this->sources());
        $parents = array_values(array_filter($sources, static fn (string $source): bool => is_a($class, $source, true)));
        return in_array($class, $parents, true) ? $class : (count($parents) === 1 ? $parents[0] : '');
    }
}
