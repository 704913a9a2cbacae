<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * A URL, an option, a key file or a php.ini setting cannot be used. The message is for the operator: it names the
 * setting and never quotes a secret.
 */
final class InvalidSettings extends \InvalidArgumentException
{
}
