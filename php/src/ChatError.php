<?php

declare(strict_types=1);

namespace PhpSessionChat;

use RuntimeException;

/** The chat server rejected a call of ChatClient, or gave no valid response. */
final class ChatError extends RuntimeException
{
    /**
     * @param string $errorCode a code from docs/protocol.md; `no_answer` without a valid response
     * @param int $status the HTTP status; 0 without a response
     */
    public function __construct(private readonly string $errorCode, string $message, private readonly int $status)
    {
        parent::__construct("{$errorCode}: {$message}");
    }

    public function getErrorCode(): string
    {
        return $this->errorCode;
    }

    public function getStatus(): int
    {
        return $this->status;
    }

    /** Whether the same call may succeed later. */
    public function isTemporary(): bool
    {
        return $this->status === 0 || $this->status === 429 || $this->status >= 500;
    }
}
