<?php

declare(strict_types=1);

namespace PhpSessionChat;

use PhpSessionChat\Session\InvalidSettings;

/** The address of the chat server. Safe to print in HTML and headers. */
final class ChatAddress
{
    private const DEFAULT_PORT = 7070;

    /**
     * @param string $url without a slash at the end
     * @param string $origin `scheme://host[:port]`
     */
    private function __construct(public readonly string $url, public readonly string $origin)
    {
    }

    /** @throws InvalidSettings */
    public static function configured(string $url): self
    {
        $pattern = '~^(https?://(?:' . Request::HOST . ')(?::\d{1,5})?)((?:/[a-z0-9._\~-]+)*)/?\z~i';
        if (preg_match($pattern, $url, $part) !== 1) {
            throw new InvalidSettings('CHAT_URL must be a URL such as https://chat.example.org');
        }
        $origin = strtolower($part[1]);
        return new self($origin . $part[2], $origin);
    }

    /** Returns an address on the page's host, where the browser sends the session cookie (cookies ignore the port). */
    public static function beside(Request $request): self
    {
        $origin = ($request->https ? 'https' : 'http') . '://' . $request->host() . ':' . self::DEFAULT_PORT;
        return new self($origin, $origin);
    }

    /** Returns the origin with `ws` instead of `http`. In the CSP of older browsers, `http:` does not include `ws:`. */
    public function socketOrigin(): string
    {
        return 'ws' . substr($this->origin, strlen('http'));
    }
}
