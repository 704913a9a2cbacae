<?php

declare(strict_types=1);

namespace PhpSessionChat;

use RuntimeException;

/** The request is not an event of the chat server. Respond with status 400. */
final class WebhookError extends RuntimeException
{
}
