<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

final class Patience
{
    /**
     * Far more than a slow, busy machine needs, but less than the default timeouts of MariaDB (50 s) and PHP (60 s).
     */
    public const SECONDS = 40;
}
