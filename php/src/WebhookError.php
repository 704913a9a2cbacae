<?php

declare(strict_types=1);

namespace PhpSessionChat;

use RuntimeException;

/** A request that the chat server has not sent: answer 400. */
final class WebhookError extends RuntimeException
{
}
