<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\TableSession;

use PhpSessionChat\Session\SessionDataError;

/**
 * The JSON in a session's row: one object with a value for each key.
 *
 * It is pure ASCII, so that no character set of a table or connection can change it. Only values that JSON does not
 * change are stored: null, booleans, integers, floats, UTF-8 strings, and arrays of them.
 */
final class TableJson
{
    /** MariaDB's functions support 32 levels in total, and return NULL for deeper values. */
    private const DEPTH = 30;

    /** @throws SessionDataError */
    public static function ofKey(string $key): string
    {
        $json = self::encode($key);
        if ($json === null || str_contains($key, "\0")) {
            throw new SessionDataError('A key of a session must be UTF-8 without NUL.');
        }
        return $json;
    }

    /** @throws SessionDataError with the key */
    public static function ofValue(string $key, #[\SensitiveParameter] mixed $value): string
    {
        $name = self::ofKey($key);
        $json = self::encode($value);
        if ($json === null) {
            throw new SessionDataError("The session cannot store $name as JSON: " . json_last_error_msg() . '.');
        }
        if (json_decode($json, true) !== $value) {
            throw new SessionDataError("The session cannot store $name: JSON would change the value, as it changes objects.");
        }
        return $json;
    }

    /** @param array<string, string> $entries the JSON of each key's value */
    public static function object(#[\SensitiveParameter] array $entries): string
    {
        $members = [];
        foreach ($entries as $key => $json) {
            $members[] = self::ofKey((string) $key) . ":$json";
        }
        return '{' . implode(',', $members) . '}';
    }

    /**
     * @return array<mixed>
     * @throws SessionDataError
     */
    public static function decode(#[\SensitiveParameter] string $json): array
    {
        $values = json_decode($json, true);
        if (!is_array($values) || ltrim($json)[0] !== '{') {
            throw new SessionDataError('The stored session is not a JSON object. Does another program write here?');
        }
        return $values;
    }

    /** Writes a backslash as `\u005c`, so that each `\u` starts an escaped character: see TableRows::HIDDEN. */
    private static function encode(#[\SensitiveParameter] mixed $value): ?string
    {
        $json = json_encode($value, JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION, self::DEPTH);
        return $json === false ? null : strtr($json, ['\\\\' => '\u005c']);
    }
}
