<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** Ends a request with an error page. */
final class HttpError extends \RuntimeException
{
    /**
     * @param string $text the key of the displayed text
     * @param array<string, string> $headers
     */
    public function __construct(
        public readonly int $status,
        public readonly string $text,
        public readonly array $headers = [],
    ) {
        parent::__construct("HTTP $status");
    }
}
