<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** The response of a page of Site or NativeSite. */
final class SiteAnswer
{
    /**
     * @param string $id the session ID at the end of the page
     * @param array<mixed> $session the values at the end of the page
     * @param string $error class and message of the exception that ended the page, or ''
     * @param list<string> $cookies the Set-Cookie headers, without their name
     */
    public function __construct(
        public readonly string $id,
        public readonly array $session,
        public readonly string $error,
        public readonly array $cookies,
    ) {
    }
}
