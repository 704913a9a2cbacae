<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** What became of a page of TableSite's. */
final class TableAnswer
{
    /**
     * @param mixed $value what its code returned
     * @param string $error class and message of the exception that ended it, or ''
     * @param string $trace all that a log could show of that exception
     * @param list<string> $cookies the Set-Cookie headers
     */
    public function __construct(
        public readonly mixed $value,
        public readonly string $error,
        public readonly string $trace,
        public readonly array $cookies,
    ) {
    }

    /** The value of the session's cookie that the browser has been given last; '' when it was taken back, null for none. */
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
