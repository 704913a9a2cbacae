<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * The session's data cannot be stored or read as they are: an object or bytes that are not UTF-8 on their way into
 * JSON, a value over the store's limit, a record that is not JSON, or one that no key opens. Trying again will not
 * help.
 */
final class SessionDataError extends \UnexpectedValueException
{
}
