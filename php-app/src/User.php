<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** A member of the club. */
final class User
{
    /**
     * @param string $role 'admin' and 'moderator' also have these rights in the chat; 'member' has no special rights
     */
    public function __construct(
        public readonly int $id,
        public readonly string $firstname,
        public readonly string $role,
    ) {
    }
}
