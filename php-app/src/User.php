<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** A member of the club. */
final class User
{
    /** @param string $role 'member', or 'admin' or 'moderator', which CHAT_USER_ROLES=role also grants in the chat */
    public function __construct(
        public readonly int $id,
        public readonly string $firstname,
        public readonly string $role,
    ) {
    }
}
