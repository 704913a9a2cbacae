<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * This one session cannot be stored or read: it holds something that JSON cannot hold, it is larger than the store
 * allows, or what is stored is not JSON or opens with no key. Trying again does not help.
 */
final class SessionDataError extends \UnexpectedValueException
{
}
