<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The products of the club's shop. */
final class Products
{
    /** The prices in euros. Pictures are in public/pictures/, names in templates/texts.json. */
    public const ALL = ['planter' => 39, 'seeds' => 12, 'can' => 24, 'honey' => 8];
}
