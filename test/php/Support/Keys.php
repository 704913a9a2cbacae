<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

final class Keys
{
    private static ?string $file = null;

    /** The key file that all tests share. */
    public static function file(): string
    {
        return self::$file ??= self::fileOf(random_bytes(32));
    }

    /** A key file with these keys, newest first. */
    public static function fileOf(string ...$keys): string
    {
        $file = Folder::temporary() . '/keys';
        file_put_contents($file, implode("\n", array_map('base64_encode', $keys)) . "\n");
        return $file;
    }
}
