<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The headers of every page. */
final class SecurityHeaders
{
    private const YEAR = 365 * 24 * 60 * 60;

    /**
     * @param ChatAddress|null $chat where script may come from and connect to; null allows none
     * @return array<string, string>
     */
    public static function for(bool $https, ?ChatAddress $chat): array
    {
        $policy = [
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ];
        if ($chat !== null) {
            $policy[] = "script-src $chat->origin";
            $policy[] = "connect-src $chat->origin " . $chat->socketOrigin();
        }
        $headers = [
            'Content-Type' => 'text/html; charset=utf-8',
            'Content-Security-Policy' => implode('; ', $policy),
            'X-Content-Type-Options' => 'nosniff',
            'Referrer-Policy' => 'same-origin',
            'Cross-Origin-Opener-Policy' => 'same-origin',
            // Pages carry names and CSRF tokens: not even the Back button may show them after a logout.
            'Cache-Control' => 'no-store',
        ];
        // Browsers ignore it on plain http, where it would promise what this host does not offer.
        return $headers + ($https ? ['Strict-Transport-Security' => 'max-age=' . self::YEAR] : []);
    }
}
