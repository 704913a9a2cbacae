<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * A URL, option, key file or php.ini setting is invalid. The message is for the operator: it names the setting, and
 * never contains a secret.
 */
final class InvalidSettings extends \InvalidArgumentException
{
}
