<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** An answer, sent only once everything that can fail is done. */
final class Response
{
    /**
     * @param array<string, string> $headers
     * @param ChatAddress|null $chat whose script the page loads; without it no script runs at all
     */
    public function __construct(
        private readonly int $status,
        private readonly string $body,
        private readonly array $headers = [],
        private readonly ?ChatAddress $chat = null,
    ) {
    }

    /**
     * 303: the browser fetches the page with GET, so that a reload does not send the form again.
     *
     * @param array<string, string> $headers
     */
    public static function seeHome(array $headers = []): self
    {
        return new self(303, '', ['Location' => '/'] + $headers);
    }

    public function send(bool $https): void
    {
        http_response_code($this->status);
        header_remove('X-Powered-By');
        foreach ($this->headers + SecurityHeaders::for($https, $this->chat) as $name => $value) {
            header("$name: $value");
        }
        echo $this->body;
    }
}
