<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** `npm run test:soak` runs the group `soak` again with SOAK=1, and the group `soak-only`. */
final class Soak
{
    /**
     * @template T
     * @param T $promised for `npm run test:soak`
     * @param T $reduced for `npm test`
     * @return T
     */
    public static function size(mixed $promised, mixed $reduced): mixed
    {
        return getenv('SOAK') === '1' ? $promised : $reduced;
    }
}
