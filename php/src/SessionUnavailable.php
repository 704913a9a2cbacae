<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * The store did not respond or reported an error, or other requests held the session's lock for too long.
 *
 * The session may still be valid, so respond with status 503 and do not set a cookie. The message contains the server,
 * but never the session ID. On PHP 8.1 the stack trace contains the ID, unless php.ini sets
 * `zend.exception_ignore_args = On`, as php.ini-production does.
 */
final class SessionUnavailable extends \RuntimeException
{
}
