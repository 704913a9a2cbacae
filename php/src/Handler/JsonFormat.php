<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\SessionDataError;

/**
 * Turns what PHP hands a session handler into JSON, and back.
 *
 * PHP serializes `$_SESSION` before a handler sees it. Of its formats, `php_serialize` is the one that is
 * a plain `serialize()` of the whole array: no key is dropped or forbidden, and it can be undone without
 * touching `$_SESSION`. JSON is stored because any language reads it, safely.
 *
 * What is kept: null, booleans, integers, floats, UTF-8 strings and arrays of them. As with json_encode(),
 * the float 1.0 comes back as the integer 1, and PHP references come back as copies. What JSON cannot hold
 * (objects, bytes that are not UTF-8, INF, NAN, more than 512 levels) is refused: replacing bytes would
 * change a site's data in silence.
 */
final class JsonFormat
{
    /** json_encode()'s own limit. json_decode() counts one more for the same text. */
    private const DEPTH = 512;

    /**
     * @param string $serialized `serialize($_SESSION)`
     * @return string what `json_encode($_SESSION)` gives; `{}` for an empty session, since it is a map
     * @throws SessionDataError naming the top-level key that cannot be stored
     */
    public static function fromPhp(#[\SensitiveParameter] string $serialized): string
    {
        // allowed_classes: nothing may run or be built here just to be refused below.
        $data = @unserialize($serialized, ['allowed_classes' => false]);
        if (!is_array($data)) {
            throw new SessionDataError('The session holds something that only PHP can store.');
        }
        if ($data === []) {
            return '{}';
        }
        foreach ($data as $key => $value) {
            if (self::holdsObject($value)) {
                throw self::refusal($key, 'an object; store arrays and scalars');
            }
        }
        $json = json_encode($data, 0, self::DEPTH);
        if ($json === false) {
            $reason = json_last_error_msg();
            foreach ($data as $key => $value) {
                if (json_encode([$key => $value], 0, self::DEPTH) === false) {
                    throw self::refusal($key, json_last_error_msg());
                }
            }
            throw new SessionDataError("The session cannot be stored as JSON: $reason.");
        }
        return $json;
    }

    /**
     * @return string `serialize()` of the stored array; only arrays and scalars can be in it
     * @throws SessionDataError when the record is not a JSON object or list
     */
    public static function toPhp(#[\SensitiveParameter] string $json): string
    {
        $data = json_decode($json, true, self::DEPTH + 1);
        if (!is_array($data)) {
            $reason = json_last_error_msg();
            throw new SessionDataError("The stored session is not a JSON object: $reason. Who else writes here?");
        }
        return serialize($data);
    }

    private static function holdsObject(mixed $value, int $depth = 0): bool
    {
        if (!is_array($value)) {
            return is_object($value);
        }
        // An array that contains itself has no end; json_encode() refuses it by its depth.
        if ($depth >= self::DEPTH) {
            return false;
        }
        foreach ($value as $item) {
            if (self::holdsObject($item, $depth + 1)) {
                return true;
            }
        }
        return false;
    }

    private static function refusal(int|string $key, string $reason): SessionDataError
    {
        $name = json_encode($key, JSON_INVALID_UTF8_SUBSTITUTE);
        return new SessionDataError("The session cannot be stored as JSON: key $name: $reason.");
    }
}
