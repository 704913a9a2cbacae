<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** A member of the club. */
final class User
{
    /** @param string $role 'admin' and 'moderator' have their rights in the chat, too; 'member' is nothing special */
    public function __construct(
        public readonly int $id,
        public readonly string $firstname,
        public readonly string $role,
    ) {
    }
}
