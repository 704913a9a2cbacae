<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use InvalidArgumentException;
use Symfony\Component\Routing\Generator\UrlGeneratorInterface;
use Twig\Extension\AbstractExtension;
use Twig\TwigFunction;

/** `{{ php_chat() }}`: the chat, for logged-in users only. */
final class ChatTag extends AbstractExtension
{
    public function __construct(
        private readonly ChatLogin $login,
        private readonly UrlGeneratorInterface $urls,
        private readonly string $server,
        private readonly string $loginUrl,
        private readonly bool $hasTickets,
    ) {
    }

    public function getFunctions(): array
    {
        return [new TwigFunction('php_chat', $this->html(...), ['is_safe' => ['html']])];
    }

    /**
     * @param array<string, string|bool|null> $attributes of the element
     * @param bool $launcher a button that opens the chat, instead of the chat
     * @param string $text what the page shows instead of the chat if the chat server does not answer
     */
    public function html(
        array $attributes = [],
        bool $launcher = false,
        string $text = 'The chat couldn’t be loaded. It needs JavaScript.',
    ): string {
        if ($this->login->user() === null) {
            return '';
        }
        $server = rtrim($this->server, '/') . '/';
        $tag = $launcher ? 'php-chat-launcher' : 'php-chat';
        $html = "<script type=\"module\" src=\"{$this->escape("{$server}php-chat.js")}\"></script>\n<$tag";
        $defaults = [
            'server' => $server,
            'login-url' => $this->loginUrl,
            'ticket-url' => $this->hasTickets ? $this->urls->generate('php_chat_ticket') : null,
        ];
        foreach (array_merge($defaults, $attributes) as $name => $value) {
            if (preg_match('/^[a-z][a-z-]*$/D', (string) $name) !== 1) {
                throw new InvalidArgumentException("$name is not the name of an attribute.");
            }
            $html .= match ($value) {
                null, false => '',
                true => " $name",
                default => " $name=\"{$this->escape((string) $value)}\"",
            };
        }
        return "$html>" . ($launcher ? '' : $this->escape($text)) . "</$tag>";
    }

    private function escape(string $text): string
    {
        return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5);
    }
}
