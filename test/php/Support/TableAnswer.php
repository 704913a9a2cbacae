<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** The response of a page of TableSite. */
final class TableAnswer
{
    /**
     * @param mixed $value what the page's code returned
     * @param string $error class and message of the exception that ended the page, or ''
     * @param string $trace everything that a log may show of this exception
     * @param list<string> $cookies the Set-Cookie headers, without their name
     */
    public function __construct(
        public readonly mixed $value,
        public readonly string $error,
        public readonly string $trace,
        public readonly array $cookies,
    ) {
    }

    /** The last value of the session cookie that the page sent, '' if it deleted the cookie, or null without a cookie. */
    public function cookie(): ?string
    {
        $value = null;
        foreach ($this->cookies as $header) {
            if (preg_match('/^SESSION=([^;]*)/', $header, $part) === 1) {
                $value = $part[1] === 'deleted' ? '' : $part[1];
            }
        }
        return $value;
    }
}
