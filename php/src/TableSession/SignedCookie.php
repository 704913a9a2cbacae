<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\TableSession;

use PhpSessionChat\Session\InvalidSettings;

/**
 * The cookie of a TableSession: `ID.SIGNATURE`.
 *
 * The ID is 32 hexadecimal digits (128 random bits). The signature is the HMAC-SHA-256 of `NAME.ID`, as 64 lower-case
 * hexadecimal digits. NAME is the name of the cookie, so that a value signed for one cookie is invalid in another. The
 * newest key signs, and all keys verify. The chat server reads the cookie with `CHAT_SESSION_COOKIE=signed:KEYFILE`.
 */
final class SignedCookie
{
    private const VALUE = '/^([0-9a-f]{32})\.[0-9a-f]{64}\z/';

    /**
     * @param non-empty-list<string> $keys the newest first
     * @param string $domain '' for the page's host only
     * @throws InvalidSettings
     */
    public function __construct(
        public readonly string $name,
        #[\SensitiveParameter] private readonly array $keys,
        private readonly string $domain,
        private readonly bool $secure,
    ) {
        if (preg_match('/^[\w-]{1,128}\z/', $name) !== 1) {
            throw new InvalidSettings('the name of the cookie may contain only letters, digits, _ and -');
        }
        if (preg_match('/^(\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?\z/i', $domain) !== 1) {
            throw new InvalidSettings('the domain of the cookie must be a host name such as example.org');
        }
    }

    public static function newId(): string
    {
        return bin2hex(random_bytes(16));
    }

    /** Returns the cookie's value for an ID, signed with the newest key. */
    public function value(#[\SensitiveParameter] string $id): string
    {
        return $id . '.' . $this->signature($id, $this->keys[0]);
    }

    /** @return string|null the ID; null if no key has signed it for this cookie */
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
     * Call it before storing a change that needs a new cookie.
     *
     * @throws \LogicException if output has started, so no cookie can be sent
     */
    public function mustBeInTime(): void
    {
        if (headers_sent($file, $line)) {
            $where = $file === '' ? '' : " in $file:$line";
            throw new \LogicException("The session's cookie must be sent before any output, but output has started$where.");
        }
    }

    public function send(#[\SensitiveParameter] string $id): void
    {
        setcookie($this->name, $this->value($id), $this->attributes());
    }

    /** Deletes the cookie in the browser. */
    public function clear(): void
    {
        setcookie($this->name, '', ['expires' => 1] + $this->attributes());
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['name' => $this->name];
    }

    private function signature(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $key): string
    {
        return hash_hmac('sha256', "$this->name.$id", $key);
    }

    /** @return array<string, string|bool> without a lifetime, so the cookie ends when the browser closes */
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
