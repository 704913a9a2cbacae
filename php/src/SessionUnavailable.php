<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * The store did not answer, or did not do what it was asked; or other requests held the session's lock for too long.
 *
 * This says nothing about the session: answer 503 and set no cookie. The message names the server, never the session
 * ID. With PHP 8.1 the trace has it, unless php.ini says `zend.exception_ignore_args = On`, as it does in production.
 */
final class SessionUnavailable extends \RuntimeException
{
}
