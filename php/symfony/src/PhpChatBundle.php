<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use PhpSessionChat\Symfony\DependencyInjection\UserProvidersPass;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\HttpKernel\Bundle\Bundle;

final class PhpChatBundle extends Bundle
{
    /** Returns the folder that contains `config`. By default, Symfony uses the folder of this class. */
    public function getPath(): string
    {
        return dirname(__DIR__);
    }

    public function build(ContainerBuilder $container): void
    {
        $container->addCompilerPass(new UserProvidersPass());
    }
}
