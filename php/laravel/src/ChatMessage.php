<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

/** What a notification's `toPhpChat()` returns. */
final class ChatMessage
{
    private function __construct(
        public readonly ?string $room,
        public readonly int|string $userId,
        public readonly string $name,
        public readonly mixed $content,
    ) {
    }

    /** A message in a room, in the name of a user such as `shop`. */
    public static function post(string $room, int|string $userId, string $userName, string $text): self
    {
        return new self($room, $userId, $userName, $text);
    }

    /** An event `push` to the open pages of the notified user. It is lost if no page is open. */
    public static function push(string $name, mixed $data = null): self
    {
        return new self(null, '', $name, $data);
    }
}
