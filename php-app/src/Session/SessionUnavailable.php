<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * The store did not answer, or did not do what it was asked.
 *
 * This says nothing about the session: answer 503 and set no cookie. The message names the server,
 * never the session ID.
 */
final class SessionUnavailable extends \RuntimeException
{
}
