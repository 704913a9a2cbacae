<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * The session's data cannot be stored or read as they are: an object, bytes that are not UTF-8, a value
 * over the server's limit, a record that is not JSON. Trying again will not help.
 */
final class SessionDataError extends \UnexpectedValueException
{
}
