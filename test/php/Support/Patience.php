<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

final class Patience
{
    /**
     * Seconds: ten times what a slow machine needs that is busy with other things, and less than the 50 and 60 that MariaDB
     * and PHP wait when nothing bounds it.
     */
    public const SECONDS = 40;
}
