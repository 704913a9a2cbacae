<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The goods of the club's shop. */
final class Products
{
    /** The price in euros of each; the picture is in public/pictures/, the words are in templates/texts.json. */
    public const ALL = ['planter' => 39, 'seeds' => 12, 'can' => 24, 'honey' => 8];
}
