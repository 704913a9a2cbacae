<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony\DependencyInjection;

use PhpSessionChat\ChatClient;
use PhpSessionChat\Symfony\ChatLogin;
use PhpSessionChat\Symfony\ChatTag;
use PhpSessionChat\Symfony\ChatUserIds;
use PhpSessionChat\Symfony\EndLogin;
use PhpSessionChat\Symfony\TicketController;
use PhpSessionChat\Symfony\WebhookController;
use Symfony\Component\DependencyInjection\Argument\ServiceClosureArgument;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\ContainerInterface;
use Symfony\Component\DependencyInjection\Extension\Extension;
use Symfony\Component\DependencyInjection\Reference;
use Symfony\Component\Security\Http\Event\LogoutEvent;

final class PhpChatExtension extends Extension
{
    /** A listener priority. Symfony invalidates the session at priority 0. */
    private const BEFORE_SESSION_ENDS = 100;

    /** @param array<array<string, mixed>> $configs */
    public function load(array $configs, ContainerBuilder $container): void
    {
        $chat = $this->processConfiguration(new Configuration(), $configs);
        $service = static fn (string $id): Reference => new Reference($id);
        $container->register(ChatClient::class)->setArguments([$chat['api_url'], $chat['api_key'] ?? '']);
        $container->register(ChatUserIds::class);
        $container->register(ChatLogin::class)->setArguments([
            $service('security.token_storage'), $service('security.authorization_checker'), $service(ChatUserIds::class), $chat['ticket_key'],
        ]);
        $container->register(ChatTag::class)
            ->setArguments([
                $service(ChatLogin::class), $service('router'), $chat['server'], $chat['login_url'], $chat['ticket_key'] !== null,
            ])
            ->addTag('twig.extension');
        $container->register(TicketController::class)
            ->setArguments([$service(ChatLogin::class), $service(ChatUserIds::class), $chat['ticket_key'], $chat['ticket_audience']])
            ->addTag('controller.service_arguments');
        $container->register(WebhookController::class)
            ->setArguments([$service('event_dispatcher'), $chat['webhook_key']])
            ->addTag('controller.service_arguments');
        if ($chat['ticket_key'] !== null && $chat['api_key'] !== null) {
            $logger = new Reference('logger', ContainerInterface::NULL_ON_INVALID_REFERENCE);
            $container->register(EndLogin::class)
                ->setArguments([$service(ChatLogin::class), new ServiceClosureArgument($service(ChatClient::class)), $logger])
                ->addTag('kernel.event_listener', ['event' => LogoutEvent::class, 'priority' => self::BEFORE_SESSION_ENDS]);
        }
    }
}
