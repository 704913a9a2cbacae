<?php

use PhpSessionChat\Symfony\TicketController;
use PhpSessionChat\Symfony\WebhookController;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

return static function (RoutingConfigurator $routes): void {
    $routes->add('php_chat_ticket', '/php-chat/ticket')->controller(TicketController::class)->methods(['GET']);
    $routes->add('php_chat_webhook', '/php-chat/webhook')->controller(WebhookController::class)->methods(['POST']);
};
