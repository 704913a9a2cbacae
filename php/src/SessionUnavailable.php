<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * The store did not answer or refused, or other requests held the session's lock for too long.
 *
 * This says nothing about the session: answer 503 and set no cookie. The message names the server, never the session
 * ID. On PHP 8.1 the stack trace has the ID, unless php.ini sets `zend.exception_ignore_args = On`, as PHP's
 * php.ini-production does.
 */
final class SessionUnavailable extends \RuntimeException
{
}
