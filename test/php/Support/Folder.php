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
            // Other users may enter it, so that servers which run as another user reach their folders in it.
            mkdir(self::$all, 0711);
            chmod(self::$all, 0711);
            $all = self::$all;
            // In a function that is registered by the last one, so that it runs after those that end the servers.
            register_shutdown_function(static fn () => register_shutdown_function(
                static fn () => ServerProcess::run(['rm', '-rf', $all], 'coreutils'),
            ));
        }
        $folder = self::$all . '/' . bin2hex(random_bytes(8));
        mkdir($folder, 0700);
        return $folder;
    }
}
