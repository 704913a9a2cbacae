<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

final class Folder
{
    /** A new folder, removed at the end of the test run. */
    public static function temporary(): string
    {
        $folder = sys_get_temp_dir() . '/chat-php-' . bin2hex(random_bytes(8));
        mkdir($folder, 0700);
        register_shutdown_function(static fn () => ServerProcess::run(['rm', '-rf', $folder], 'coreutils'));
        return $folder;
    }
}
