<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\TableSession;

use PhpSessionChat\Session\TableSession;

/**
 * What is still to be done when a request ends: an object that is there until then would be destroyed too late for a
 * cookie, and not at all after a fatal error. It keeps none of them for that, as a process may have very many.
 *
 * @internal
 */
final class AtTheEnd
{
    /** @var \WeakMap<TableSession, true>|null */
    private static ?\WeakMap $sessions = null;

    public static function save(TableSession $session): void
    {
        if (self::$sessions === null) {
            self::$sessions = new \WeakMap();
            register_shutdown_function(static function (): void {
                foreach (self::$sessions as $session => $_) {
                    $session->__destruct();
                }
            });
        }
        self::$sessions[$session] = true;
    }
}
