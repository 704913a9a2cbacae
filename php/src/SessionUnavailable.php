<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * The store failed, other requests held the session's lock for too long, or this request lost the session or its lock.
 *
 * The session may still be valid, so respond with status 503 and do not set a cookie. The message may contain the
 * server, but never the session ID. On PHP 8.1 the stack trace contains the ID, unless php.ini sets
 * `zend.exception_ignore_args = On`, as php.ini-production does.
 */
final class SessionUnavailable extends \RuntimeException
{
}
