<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;

/**
 * Stores sessions as JSON, so that programs in any language can read them.
 *
 *     ini_set('session.serialize_handler', 'php_serialize');
 *     session_set_save_handler(new JsonHandler(new RedisHandler('127.0.0.1', prefix: 'site_')), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * PHP serializes `$_SESSION` before it calls a handler. The format `php_serialize` is a plain `serialize()` of the
 * array: it supports all keys, and can be decoded without changing `$_SESSION`.
 *
 * JSON supports null, booleans, integers, floats, UTF-8 strings and arrays of them. As with json_encode(), the float
 * 1.0 becomes the integer 1, and references become copies. Other values are rejected: objects, bytes that are not
 * UTF-8, INF, NAN, and more than 512 levels. Replacing invalid bytes would silently change a site's data.
 */
final class JsonHandler extends WrappingHandler
{
    /** The depth limit of json_encode(). json_decode() counts one level more for the same text. */
    private const DEPTH = 512;

    public function open(string $path, string $name): bool
    {
        if (ini_get('session.serialize_handler') !== 'php_serialize') {
            throw new InvalidSettings('session.serialize_handler must be php_serialize for sessions in JSON.');
        }
        return parent::open($path, $name);
    }

    /**
     * @param string $data `serialize($_SESSION)`
     * @return string `json_encode($_SESSION)`; `{}` for an empty session, because a session is a map
     * @throws SessionDataError with the top-level key that cannot be stored
     */
    protected function wrap(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): string
    {
        // Creates no objects, because they could run code before they are rejected below.
        $values = @unserialize($data, ['allowed_classes' => false]);
        if (!is_array($values)) {
            throw new SessionDataError('The session contains a value that only PHP can store.');
        }
        if ($values === []) {
            return '{}';
        }
        foreach ($values as $key => $value) {
            if (self::holdsObject($value)) {
                throw self::refusal($key, 'an object; store arrays and scalars');
            }
        }
        $json = json_encode($values, 0, self::DEPTH);
        if ($json === false) {
            $reason = json_last_error_msg();
            foreach ($values as $key => $value) {
                if (json_encode([$key => $value], 0, self::DEPTH) === false) {
                    throw self::refusal($key, json_last_error_msg());
                }
            }
            throw new SessionDataError("The session cannot be stored as JSON: $reason.");
        }
        return $json;
    }

    /** @throws SessionDataError if the record is not a JSON object or array */
    protected function unwrap(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): string
    {
        if ($record === '') {
            return '';
        }
        $values = json_decode($record, true, self::DEPTH + 1);
        if (!is_array($values)) {
            throw new SessionDataError(
                'The stored session is not a JSON object: ' . json_last_error_msg() . '. Does another program write here?',
            );
        }
        return serialize($values);
    }

    private static function holdsObject(mixed $value, int $depth = 0): bool
    {
        if (!is_array($value)) {
            return is_object($value);
        }
        // An array may contain itself. json_encode() rejects it because of its depth.
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
