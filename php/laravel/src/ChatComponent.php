<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Contracts\Config\Repository;
use Illuminate\Contracts\Routing\UrlGenerator;
use Illuminate\Contracts\View\Factory;
use Illuminate\Contracts\View\View;
use Illuminate\Http\Request;
use Illuminate\View\Component;

/** `<x-php-chat/>`: the chat, for logged-in users only. Other attributes are passed to the element. */
final class ChatComponent extends Component
{
    /** @param bool $launcher a button that opens the chat, instead of the chat */
    public function __construct(
        private readonly ChatLogin $login,
        private readonly Repository $config,
        private readonly UrlGenerator $urls,
        private readonly Factory $views,
        private readonly Request $request,
        private readonly bool $launcher = false,
    ) {
    }

    public function shouldRender(): bool
    {
        return $this->login->guard() !== null;
    }

    public function render(): View
    {
        ['server' => $server, 'login_url' => $loginUrl, 'ticket_key' => $ticketKey] = $this->config->get('php-chat');
        $server = rtrim($server, '/') . '/';
        return $this->views->make('php-chat::php-chat', [
            'script' => "{$server}php-chat.js",
            'tag' => $this->launcher ? 'php-chat-launcher' : 'php-chat',
            // What the page shows instead of the chat if the chat server does not answer.
            'unloaded' => $this->launcher ? '' : 'The chat couldn’t be loaded. It needs JavaScript.',
            'defaults' => [
                'server' => $server,
                'login-url' => $loginUrl,
                // A relative route does not contain the base path of the application.
                'ticket-url' => $ticketKey ? $this->request->getBaseUrl() . $this->urls->route('php-chat.ticket', [], false) : null,
            ],
        ]);
    }
}
