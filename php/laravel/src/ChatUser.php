<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

/** A user model that chooses the claims of its tickets. By default, a ticket contains the ID and `name`. */
interface ChatUser
{
    /**
     * Returns the claims of a ticket, such as `name`, `roles`, `rooms` and `mail`. `sub` replaces the ID of ChatUserIds.
     *
     * @return array<string, mixed>
     */
    public function chatClaims(): array;
}
