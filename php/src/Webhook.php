<?php

declare(strict_types=1);

namespace PhpSessionChat;

use InvalidArgumentException;
use JsonException;
use SensitiveParameter;

/**
 * Verifies the events that the chat server sends to CHAT_WEBHOOK_URL, according to Standard Webhooks 1.0. See
 * docs/api.md.
 *
 * An event may arrive more than once with the same ID, and in any order.
 */
final class Webhook
{
    /** The maximum difference between the clocks of both servers, in seconds. */
    private const TOLERANCE = 300;

    /** @var list<string> the bytes of each key */
    private readonly array $keys;

    /**
     * @param string $keys the content of CHAT_WEBHOOK_KEY_FILE: whsec_ and base64. During a key change, one key a line:
     *                     an event signed with any of them is valid
     */
    public function __construct(#[SensitiveParameter] string $keys)
    {
        $all = [];
        // array_map() would show the keys in a stack trace.
        foreach (preg_split('/\s+/', trim($keys)) as $key) {
            $all[] = self::bytesOf($key);
        }
        $this->keys = $all;
    }

    /** Keeps the keys out of dumps. */
    public function __debugInfo(): array
    {
        return [];
    }

    /**
     * Returns the event in this request.
     *
     * @return array{id: string, type: string, timestamp: string, data: array<string, mixed>}
     * @throws WebhookError if the request is not from the chat server
     */
    public function fromRequest(): array
    {
        $header = static fn (string $name): string => (string) ($_SERVER["HTTP_WEBHOOK_$name"] ?? '');
        return $this->verify((string) file_get_contents('php://input'), [
            'webhook-id' => $header('ID'),
            'webhook-timestamp' => $header('TIMESTAMP'),
            'webhook-signature' => $header('SIGNATURE'),
        ]);
    }

    /**
     * Verifies a body and returns its event.
     *
     * @param array<string, string> $headers with names in lower case
     * @param int|null $now the current time in Unix seconds, for tests
     * @return array{id: string, type: string, timestamp: string, data: array<string, mixed>}
     * @throws WebhookError if the body is not from the chat server
     */
    public function verify(string $body, array $headers, ?int $now = null): array
    {
        $id = $headers['webhook-id'] ?? '';
        $time = $headers['webhook-timestamp'] ?? '';
        if ($id === '' || preg_match('/^\d{1,12}$/', $time) !== 1) {
            throw new WebhookError('The request is not an event: its headers are missing.');
        }
        $isSigned = false;
        foreach ($this->keys as $key) {
            $expected = base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
            foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
                // Compares all, so that the response time does not reveal a match.
                $isSigned = hash_equals("v1,$expected", $signature) || $isSigned;
            }
        }
        if (!$isSigned) {
            throw new WebhookError('No signature of the event is valid: compare the keys of both servers.');
        }
        if (abs(($now ?? time()) - (int) $time) > self::TOLERANCE) {
            throw new WebhookError('The time of the event differs by more than five minutes: compare the clocks of both servers.');
        }
        try {
            $event = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
        } catch (JsonException $cause) {
            throw new WebhookError('The body is not valid JSON.', 0, $cause);
        }
        if (!is_array($event)) {
            throw new WebhookError('The body is not an event.');
        }
        return ['id' => $id] + $event;
    }

    /**
     * Inserts spaces into a text of a user, such as the name of a room, so that no mail program turns an address in it
     * into a link. Invisible characters would not do: some programs ignore them.
     */
    public static function withoutLinks(string $text): string
    {
        return (string) preg_replace('/[.:@。．｡․：＠](?=\S)/u', '$0 ', $text);
    }

    private static function bytesOf(#[SensitiveParameter] string $key): string
    {
        $bytes = str_starts_with($key, 'whsec_') ? base64_decode(substr($key, 6), true) : false;
        if ($bytes === false || strlen($bytes) < 24) {
            throw new InvalidArgumentException('The key must be whsec_ followed by at least 24 bytes in base64.');
        }
        return $bytes;
    }
}
