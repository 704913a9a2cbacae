<?php

declare(strict_types=1);

namespace PhpSessionChat;

use InvalidArgumentException;
use SensitiveParameter;

/**
 * Creates tickets, which log users in to a chat server that cannot read the site's sessions. The page at `ticket-url`
 * responds with `{"ticket": "…"}`, or with 401 if the visitor is not logged in. See docs/sites/tickets.md.
 *
 * A ticket is a JSON Web Token (RFC 7519), signed with HS256.
 */
final class Ticket
{
    /** The default of `exp` − `iat`, in seconds. CHAT_TICKET_TTL is the maximum. */
    private const LIFETIME = 600;
    private const MIN_KEY_BYTES = 32;

    /**
     * Returns a ticket.
     *
     * @param string $keys the content of CHAT_TICKET_KEY_FILE: keys of 32 bytes or more in base64, one a line. The
     *                     first key signs.
     * @param array<string, mixed> $claims `aud` (CHAT_TICKET_AUDIENCE) and `sub`, the ID of the user, an integer or a
     *                                     string. Optional: `name`,
     *                                     `roles`, `rooms`, `mail`. `sid` identifies the login. Default: loginId().
     *                                     `iat` and `exp` have defaults.
     * @throws InvalidArgumentException if the key is invalid, or a required claim is missing
     */
    public static function make(#[SensitiveParameter] string $keys, array $claims): string
    {
        $key = base64_decode(strtok(trim($keys), "\r\n") ?: '', true);
        if ($key === false || strlen($key) < self::MIN_KEY_BYTES) {
            throw new InvalidArgumentException('The key must have 32 bytes or more, in base64.');
        }
        // JSON numbers above 2^53 are not exact, and floats are not exact already.
        if (is_float($claims['sub'] ?? null)) {
            throw new InvalidArgumentException('The claim sub must be an integer or a string, not float.');
        }
        $text = static fn (mixed $value): mixed => is_int($value) ? (string) $value : $value;
        foreach (array_intersect(['sub', 'sid', 'name'], array_keys($claims)) as $claim) {
            $claims[$claim] = $text($claims[$claim]);
        }
        if (is_array($claims['rooms'] ?? null)) {
            $claims['rooms'] = array_map($text, $claims['rooms']);
        }
        $now = time();
        $claims += ['sid' => self::loginId(), 'iat' => $now, 'exp' => $now + self::LIFETIME];
        foreach (['aud', 'sub', 'sid'] as $claim) {
            if (($claims[$claim] ?? '') === '') {
                throw new InvalidArgumentException("The ticket needs the claim $claim.");
            }
        }
        // A name in another encoding must not lock its user out.
        $flags = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;
        $signed = self::encode('{"typ":"JWT","alg":"HS256"}') . '.' . self::encode(json_encode($claims, $flags));
        return $signed . '.' . self::encode(hash_hmac('sha256', $signed, $key, true));
    }

    /**
     * Returns the default `sid`: a digest of the session ID, because scripts of the page can read a ticket. At the
     * logout, pass it to ChatClient::endLogin() before the session is destroyed. Empty without a session.
     */
    public static function loginId(): string
    {
        $id = (string) session_id();
        return $id === '' ? '' : self::encode(hash('sha256', $id, true));
    }

    private static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}
