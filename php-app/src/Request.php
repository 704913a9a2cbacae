<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The parts of an HTTP request that the pages need. */
final class Request
{
    /** A host name, IPv4 address or IPv6 address in brackets, without characters that end a header or an attribute. */
    public const HOST = '[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]';

    /** @param array<mixed> $fields the form, as PHP parsed it */
    private function __construct(
        public readonly string $method,
        public readonly string $path,
        public readonly bool $https,
        public readonly string $address,
        public readonly string $languages,
        private readonly string $hostHeader,
        private readonly array $fields,
    ) {
    }

    /**
     * Ignores proxy headers (X-Forwarded-…), because any visitor can send them. Behind a proxy, the web server must set
     * REMOTE_ADDR and HTTPS, as Apache's mod_remoteip and SetEnvIf do.
     */
    public static function fromGlobals(): self
    {
        return new self(
            $_SERVER['REQUEST_METHOD'],
            explode('?', $_SERVER['REQUEST_URI'], 2)[0],
            !in_array(strtolower($_SERVER['HTTPS'] ?? ''), ['', 'off'], true),
            $_SERVER['REMOTE_ADDR'] ?? '',
            $_SERVER['HTTP_ACCEPT_LANGUAGE'] ?? '',
            $_SERVER['HTTP_HOST'] ?? '',
            $_POST,
        );
    }

    /**
     * Returns a form field; '' if it is missing.
     *
     * @throws HttpError 400 for `name[]=`, which PHP turns into an array
     */
    public function field(string $name): string
    {
        $value = $this->fields[$name] ?? '';
        return is_string($value) ? $value : throw new HttpError(400, 'error.request');
    }

    /**
     * Returns the host that the browser requested, without the port.
     *
     * @throws HttpError 400 if the Host header is missing or malformed
     */
    public function host(): string
    {
        if (preg_match('/^(' . self::HOST . ')(?::\d{1,5})?\z/i', $this->hostHeader, $part) !== 1) {
            throw new HttpError(400, 'error.request');
        }
        return strtolower($part[1]);
    }
}
