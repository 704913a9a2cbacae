<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

/**
 * A handler as a list of callbacks, for sites that pass callbacks to session_set_save_handler() (deprecated since
 * PHP 8.4).
 *
 *     session_set_save_handler(...SessionCallbacks::of($handler));
 *     session_start(['use_strict_mode' => true]);
 *
 * There are nine. PHP is content with the first six, but then it cannot ask whether an ID is known, and visitors could
 * choose their ID. The handlers of this library refuse to work that way.
 */
final class SessionCallbacks
{
    /** @return list<\Closure> */
    public static function of(
        \SessionHandlerInterface&\SessionIdInterface&\SessionUpdateTimestampHandlerInterface $handler,
    ): array {
        return [
            $handler->open(...),
            $handler->close(...),
            $handler->read(...),
            $handler->write(...),
            $handler->destroy(...),
            $handler->gc(...),
            $handler->create_sid(...),
            $handler->validateId(...),
            $handler->updateTimestamp(...),
        ];
    }
}
