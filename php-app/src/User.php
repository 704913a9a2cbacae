<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** A user who is logged in. */
final class User
{
    /** @param string $role 'admin' may do everything in the chat, too; 'member' nothing special */
    public function __construct(
        public readonly int $id,
        public readonly string $firstname,
        public readonly string $role,
    ) {
    }
}
