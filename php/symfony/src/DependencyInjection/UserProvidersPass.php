<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony\DependencyInjection;

use PhpSessionChat\Symfony\ChatUserIds;
use Symfony\Component\DependencyInjection\Argument\IteratorArgument;
use Symfony\Component\DependencyInjection\ChildDefinition;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Reference;

/** Passes the user providers of config/packages/security.yaml to ChatUserIds. */
final class UserProvidersPass implements CompilerPassInterface
{
    /** SecurityExtension::getUserProviderId() */
    private const PREFIX = 'security.user.provider.concrete.';
    /** Providers of other providers' users, or of users without getId(). */
    private const IGNORED = ['security.user.provider.chain', 'security.user.provider.in_memory', 'security.user.provider.ldap'];
    private const ENTITY = 'doctrine.orm.security.user.provider';

    public function process(ContainerBuilder $container): void
    {
        $providers = [];
        foreach ([...array_keys($container->getAliases()), ...array_keys($container->getDefinitions())] as $service) {
            if (!str_starts_with($service, self::PREFIX)) {
                continue;
            }
            $definition = $container->findDefinition($service);
            $parent = $definition instanceof ChildDefinition ? $definition->getParent() : '';
            if (!in_array($parent, self::IGNORED, true)) {
                // Providers that find the same entities by different properties have the same users.
                $source = $parent === self::ENTITY ? $definition->getArgument(0) : spl_object_id($definition);
                $providers[$source] ??= $service;
            }
        }
        $named = [];
        foreach ($providers as $service) {
            $named[substr($service, strlen(self::PREFIX))] = new Reference($service);
        }
        $container->getDefinition(ChatUserIds::class)->setArguments([new IteratorArgument($named)]);
    }
}
