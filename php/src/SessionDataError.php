<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * A single session cannot be stored or read, and a retry does not help. For example, it contains a value without a JSON
 * form, it is too large for the store, or its record is not JSON or cannot be decrypted.
 */
final class SessionDataError extends \UnexpectedValueException
{
}
