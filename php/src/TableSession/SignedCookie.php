<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\TableSession;

use PhpSessionChat\Session\InvalidSettings;

/**
 * The cookie of a session kept without PHP sessions: `ID.SIGNATURE`.
 *
 * The ID is 32 hexadecimal digits, 128 random bits. The signature is the HMAC-SHA-256 of `NAME.ID`, with the cookie's
 * name before the ID, as 64 lower-case hexadecimal digits: what is signed for one cookie does not pass as another.
 * The newest key signs, and all of them verify. The chat server reads it with `CHAT_SESSION_COOKIE=signed:KEYFILE`.
 */
final class SignedCookie
{
    private const VALUE = '/^([0-9a-f]{32})\.[0-9a-f]{64}\z/';

    /**
     * @param non-empty-list<string> $keys the newest first
     * @param string $domain '' for the page's own host only
     * @throws InvalidSettings
     */
    public function __construct(
        public readonly string $name,
        #[\SensitiveParameter] private readonly array $keys,
        private readonly string $domain,
        private readonly bool $secure,
    ) {
        if (preg_match('/^[\w-]{1,128}\z/', $name) !== 1) {
            throw new InvalidSettings('the name of the cookie is of letters, digits, _ and -');
        }
        if (preg_match('/^(\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?\z/i', $domain) !== 1) {
            throw new InvalidSettings('the domain of the cookie is a host name such as example.org');
        }
    }

    public static function newId(): string
    {
        return bin2hex(random_bytes(16));
    }

    /** The value for an ID, signed by the newest key. */
    public function value(#[\SensitiveParameter] string $id): string
    {
        return $id . '.' . $this->signature($id, $this->keys[0]);
    }

    /** @return string|null the ID, or null when none of the keys has signed it for this cookie */
    public function idIn(#[\SensitiveParameter] mixed $value): ?string
    {
        if (!is_string($value) || preg_match(self::VALUE, $value, $part) !== 1) {
            return null;
        }
        foreach ($this->keys as $key) {
            if (hash_equals($part[1] . '.' . $this->signature($part[1], $key), $value)) {
                return $part[1];
            }
        }
        return null;
    }

    /**
     * To be asked before anything is written that a cookie has to tell of.
     *
     * @throws \LogicException when it is too late for a cookie
     */
    public function mustBeInTime(): void
    {
        if (headers_sent($file, $line)) {
            $where = $file === '' ? '' : " in $file:$line";
            throw new \LogicException("The session's cookie must be sent before any output, which has begun$where.");
        }
    }

    public function send(#[\SensitiveParameter] string $id): void
    {
        setcookie($this->name, $this->value($id), $this->attributes());
    }

    /** Takes it back from the browser. */
    public function clear(): void
    {
        setcookie($this->name, '', ['expires' => 1] + $this->attributes());
    }

    /** What a dump of it shows. */
    public function __debugInfo(): array
    {
        return ['name' => $this->name];
    }

    private function signature(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $key): string
    {
        return hash_hmac('sha256', "$this->name.$id", $key);
    }

    /** @return array<string, string|bool> of a cookie that ends with the browser's session */
    private function attributes(): array
    {
        return [
            'path' => '/',
            'domain' => $this->domain,
            'secure' => $this->secure,
            'httponly' => true,
            'samesite' => 'Lax',
        ];
    }
}
