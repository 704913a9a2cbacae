<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

/**
 * A handler as the callbacks that session_set_save_handler() takes in place of an object (deprecated since PHP 8.4).
 *
 *     session_set_save_handler(...SessionCallbacks::of($handler));
 *     session_start(['use_strict_mode' => true]);
 *
 * To the six that it needs come the three without which PHP could not ask whether an ID is known: with the six alone
 * visitors could choose their ID, so that the handlers of this library refuse to work.
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
