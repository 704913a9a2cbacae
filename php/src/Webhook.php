<?php

declare(strict_types=1);

namespace PhpSessionChat;

use InvalidArgumentException;
use JsonException;
use SensitiveParameter;

/**
 * Checks the events that the chat server sends (CHAT_WEBHOOK_URL), by Standard Webhooks 1.0: docs/api.md shows how.
 *
 * Each event may come more than once, under the same id, and in any order.
 */
final class Webhook
{
    /** Seconds by which the clocks of both sides may differ. */
    private const TOLERANCE = 300;

    /** @var list<string> the bytes of each key */
    private readonly array $keys;

    /**
     * @param string $keys the content of CHAT_WEBHOOK_KEY_FILE: whsec_ and base64; several, one a line, while one replaces
     *                     another: an event that is signed with any of them is taken
     */
    public function __construct(#[SensitiveParameter] string $keys)
    {
        $all = [];
        // Not with array_map(): a trace would show its arguments.
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
     * The event of this request.
     *
     * @return array{id: string, type: string, timestamp: string, data: array<string, mixed>}
     * @throws WebhookError if the chat server has not sent it
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
     * The same for a body and its headers, whose names are in lower case.
     *
     * @param array<string, string> $headers
     * @return array{id: string, type: string, timestamp: string, data: array<string, mixed>}
     * @throws WebhookError if the chat server has not sent it
     */
    public function verify(string $body, array $headers, ?int $now = null): array
    {
        $id = $headers['webhook-id'] ?? '';
        $time = $headers['webhook-timestamp'] ?? '';
        if ($id === '' || preg_match('/^\d{1,12}$/', $time) !== 1) {
            throw new WebhookError('The request is no event: its headers are missing.');
        }
        $isSigned = false;
        foreach ($this->keys as $key) {
            $expected = base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
            foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
                // All of them are compared, so that the time says nothing.
                $isSigned = hash_equals("v1,$expected", $signature) || $isSigned;
            }
        }
        if (!$isSigned) {
            throw new WebhookError('The event is signed with another key.');
        }
        if (abs(($now ?? time()) - (int) $time) > self::TOLERANCE) {
            throw new WebhookError('The event is older or newer than five minutes: compare the clocks of both servers.');
        }
        try {
            $event = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
        } catch (JsonException $cause) {
            throw new WebhookError('The body is no JSON.', 0, $cause);
        }
        if (!is_array($event)) {
            throw new WebhookError('The body is no event.');
        }
        return ['id' => $id] + $event;
    }

    private static function bytesOf(#[SensitiveParameter] string $key): string
    {
        $bytes = str_starts_with($key, 'whsec_') ? base64_decode(substr($key, 6), true) : false;
        if ($bytes === false || strlen($bytes) < 24) {
            throw new InvalidArgumentException('The key is whsec_ and 24 to 64 bytes in base64.');
        }
        return $bytes;
    }
}
