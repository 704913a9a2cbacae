<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** What became of a page. */
final class SiteAnswer
{
    /**
     * @param string $id of the session at its end
     * @param array<mixed> $session what was in it then
     * @param string $error class and message of the exception that ended it, or ''
     * @param list<string> $cookies that it sends
     */
    public function __construct(
        public readonly string $id,
        public readonly array $session,
        public readonly string $error,
        public readonly array $cookies,
    ) {
    }
}
