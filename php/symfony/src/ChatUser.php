<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

/** A user whose tickets have more than ID and name. */
interface ChatUser
{
    /**
     * Returns the claims of a ticket, such as `name`, `roles`, `rooms` and `mail`.
     *
     * @return array<string, mixed>
     */
    public function chatClaims(): array;
}
