<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * A URL, an option, a key file or a setting of php.ini cannot be used as it is. The message is for the operator: it
 * names the setting and never quotes a secret.
 */
final class InvalidSettings extends \InvalidArgumentException
{
}
