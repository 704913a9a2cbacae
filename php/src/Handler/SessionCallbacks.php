<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

/**
 * Converts a handler to callbacks, for sites that pass callbacks to session_set_save_handler() (deprecated since
 * PHP 8.4).
 *
 *     session_set_save_handler(...SessionCallbacks::of($handler));
 *     session_start(['use_strict_mode' => true]);
 *
 * Pass all nine callbacks. PHP accepts the first six alone, but then cannot check whether an ID exists, so visitors
 * could choose their ID. The handlers of this library reject that.
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
