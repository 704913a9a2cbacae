<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** A user who is logged in. */
final class User
{
    public function __construct(public readonly int $id, public readonly string $firstname)
    {
    }
}
