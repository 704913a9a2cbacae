<?php

return [
    // The chat server for browsers: a path on this host, or https://chat.example.org/.
    'server' => env('PHP_CHAT_SERVER', '/chat/'),

    // The chat server for this application.
    'api_url' => env('PHP_CHAT_API_URL', 'http://127.0.0.1:7070'),

    // The content of CHAT_API_KEY_FILE. Needed for notifications, and to end the chat immediately after a logout if it
    // uses tickets.
    'api_key' => env('PHP_CHAT_API_KEY'),

    // The guards whose users chat. null is the default guard.
    'guards' => [null],

    'login_url' => env('PHP_CHAT_LOGIN_URL', '/login'),

    // The origins of the pages with the chat. The doctor checks that CHAT_ORIGINS contains them.
    'origins' => explode(',', env('PHP_CHAT_ORIGINS', env('APP_URL', 'http://localhost'))),

    // The content of CHAT_TICKET_KEY_FILE. Without it, the chat server must read the sessions.
    'ticket_key' => env('PHP_CHAT_TICKET_KEY'),

    // CHAT_TICKET_AUDIENCE.
    'ticket_audience' => env('PHP_CHAT_TICKET_AUDIENCE'),

    // The middleware of /php-chat/ticket. Add the one that asks for a second factor after the login.
    'ticket_middleware' => ['web'],

    // The content of CHAT_WEBHOOK_KEY_FILE. With it, /php-chat/webhook accepts events.
    'webhook_key' => env('PHP_CHAT_WEBHOOK_KEY'),
];
