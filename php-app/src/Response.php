<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** A response. It is sent after all work that can fail. */
final class Response
{
    private const YEAR = 365 * 24 * 60 * 60;

    /**
     * @param array<string, string> $headers
     * @param ChatAddress|null $chat whose script the page loads, besides those of the site; null: the page must not run scripts
     */
    public function __construct(
        private readonly int $status,
        private readonly string $body,
        private readonly array $headers = [],
        private readonly ?ChatAddress $chat = null,
    ) {
    }

    /**
     * Returns a 303: the browser loads the page with GET, so that a reload does not send the form again.
     *
     * @param string $path of the site; never an unchecked path from a request
     * @param array<string, string> $headers
     */
    public static function seeOther(string $path, array $headers = []): self
    {
        return new self(303, '', ['Location' => $path] + $headers);
    }

    public function send(bool $https): void
    {
        http_response_code($this->status);
        header_remove('X-Powered-By');
        foreach ($this->headers + $this->securityHeaders($https) as $name => $value) {
            header("$name: $value");
        }
        echo $this->body;
    }

    /** @return array<string, string> */
    private function securityHeaders(bool $https): array
    {
        $policy = [
            "default-src 'none'",
            "style-src 'self'",
            'img-src' => "img-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ];
        if ($this->chat !== null) {
            $policy[] = "script-src 'self' {$this->chat->origin}";
            // Pictures, audio and video of users, and the user's own recording.
            $policy['img-src'] .= " {$this->chat->origin}";
            $policy[] = "media-src {$this->chat->origin} blob:";
            $policy[] = "connect-src {$this->chat->origin} " . $this->chat->socketOrigin();
        }
        $headers = [
            'Content-Type' => 'text/html; charset=utf-8',
            'Content-Security-Policy' => implode('; ', $policy),
            'X-Content-Type-Options' => 'nosniff',
            'Referrer-Policy' => 'same-origin',
            'Cross-Origin-Opener-Policy' => 'same-origin',
            // Pages contain names and CSRF tokens, so the Back button must not show them after a logout.
            'Cache-Control' => 'no-store',
        ];
        // Browsers ignore the header on plain http, and this host may not support https.
        return $headers + ($https ? ['Strict-Transport-Security' => 'max-age=' . self::YEAR] : []);
    }
}
