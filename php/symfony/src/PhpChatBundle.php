<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use Symfony\Component\HttpKernel\Bundle\Bundle;

final class PhpChatBundle extends Bundle
{
    /** The parent of `config`, and not the folder of this class. */
    public function getPath(): string
    {
        return dirname(__DIR__);
    }
}
