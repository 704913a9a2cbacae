<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** A setting is wrong. The message is for the operator: it names the setting and never quotes a secret. */
final class ConfigurationError extends \LogicException
{
}
