<?php

declare(strict_types=1);

namespace PhpSessionChat;

/**
 * An event of the chat server, which the packages for Laravel and Symfony dispatch. It may arrive more than once with
 * the same ID. See docs/api.md.
 */
final class ChatEvent
{
    /**
     * @param string $type such as `message.reported`
     * @param array<string, mixed> $data
     */
    public function __construct(
        public readonly string $id,
        public readonly string $type,
        public readonly string $timestamp,
        public readonly array $data,
    ) {
    }
}
