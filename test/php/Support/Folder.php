<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

final class Folder
{
    private static ?string $all = null;

    /** A new folder, removed at the end of the test run. */
    public static function temporary(): string
    {
        if (self::$all === null) {
            self::$all = sys_get_temp_dir() . '/chat-php-' . bin2hex(random_bytes(8));
            // Other users may enter it, because servers run as other users and have folders in it.
            mkdir(self::$all, 0711);
            chmod(self::$all, 0711);
            $all = self::$all;
            // Registered by the last shutdown function, so that it runs after the servers ended.
            register_shutdown_function(static fn () => register_shutdown_function(
                static fn () => ServerProcess::run(['rm', '-rf', $all], 'coreutils'),
            ));
        }
        $folder = self::$all . '/' . bin2hex(random_bytes(8));
        mkdir($folder, 0700);
        return $folder;
    }
}
