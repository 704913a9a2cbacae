<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

/** A user model whose tickets have more than the ID and `name`. */
interface ChatUser
{
    /**
     * Returns the claims of a ticket, such as `name`, `roles`, `rooms` and `mail`.
     *
     * @return array<string, mixed>
     */
    public function chatClaims(): array;
}
