<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * Reads the keys that encrypt sessions or sign cookies: one key a line, in base64, the newest first. Blank lines and
 * lines that start with `#` are ignored. To create a key:
 *
 *     head -c 32 /dev/urandom | base64
 */
final class KeyFile
{
    public const KEY_BYTES = 32;

    /**
     * @return non-empty-list<string> keys of 32 bytes
     * @throws InvalidSettings without the contents of the file
     */
    public static function read(#[\SensitiveParameter] string $path): array
    {
        $text = is_readable($path) && !is_dir($path) ? @file_get_contents($path) : false;
        if ($text === false) {
            // The path may be a key, passed by mistake. A key must not appear in the log.
            $named = str_starts_with($path, '/') && self::decode($path) === null ? $path : 'given';
            throw new InvalidSettings("the key file $named cannot be read");
        }
        $keys = [];
        foreach (explode("\n", $text) as $n => $line) {
            if (preg_match('/^\s*(#|\z)/', $line) === 1) {
                continue;
            }
            $keys[] = self::decode($line) ?? throw new InvalidSettings(
                'line ' . ($n + 1) . " of the key file $path is not a key of " . self::KEY_BYTES . ' bytes in base64',
            );
        }
        return $keys === [] ? throw new InvalidSettings("the key file $path contains no key") : $keys;
    }

    private static function decode(#[\SensitiveParameter] string $text): ?string
    {
        $key = base64_decode(preg_replace('/^base64:/', '', trim($text)), true);
        return $key !== false && strlen($key) === self::KEY_BYTES ? $key : null;
    }
}
