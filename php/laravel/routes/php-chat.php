<?php

use Illuminate\Support\Facades\Config;
use Illuminate\Support\Facades\Route;
use PhpSessionChat\Laravel\TicketController;
use PhpSessionChat\Laravel\WebhookController;

if (Config::get('php-chat.ticket_key')) {
    Route::get('php-chat/ticket', TicketController::class)
        ->middleware(Config::get('php-chat.ticket_middleware'))
        ->name('php-chat.ticket');
}
// Without the group `web`, because the chat server has no CSRF token.
if (Config::get('php-chat.webhook_key')) {
    Route::post('php-chat/webhook', WebhookController::class)->name('php-chat.webhook');
}
