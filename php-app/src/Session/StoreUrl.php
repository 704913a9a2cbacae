<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\ConfigurationError;

/** Makes the session handler that a store's URL describes. */
final class StoreUrl
{
    /**
     * @param string $url `memcached://HOST:PORT?prefix=sessions/&format=json&timeout=250ms`, as the chat server
     *        takes it
     * @throws ConfigurationError quoting only the wrong part: a URL may hold a password
     */
    public static function handler(string $url): StrictIdHandler
    {
        if (preg_match('~^([a-z][a-z0-9+.-]*):(?://)?([^/?#]*)([^?#]*)(?:\?([^#]*))?\z~i', $url, $part) !== 1) {
            throw new ConfigurationError('not a URL such as memcached://127.0.0.1:11211?prefix=sessions/&format=json');
        }
        if (strtolower($part[1]) !== 'memcached') {
            throw new ConfigurationError("$part[1] sessions are not supported by this version; memcached is");
        }
        if (!in_array($part[3], ['', '/'], true)) {
            throw new ConfigurationError('memcached has no path; options follow a ?');
        }
        parse_str($part[4] ?? '', $options);
        foreach ($options as $name => $value) {
            if (!in_array($name, ['prefix', 'format', 'timeout'], true) || !is_string($value)) {
                throw new ConfigurationError("option $name is not one of prefix, format and timeout");
            }
        }
        if (($options['format'] ?? null) !== 'json') {
            throw new ConfigurationError('format must be json, the only one that this version writes');
        }
        $prefix = $options['prefix'] ?? '';
        // With an ID of PHP's usual lengths (26 or 32) the key must stay within memcached's 250 bytes.
        if (preg_match('/^[\x21-\x7e]{0,200}\z/', $prefix) !== 1) {
            throw new ConfigurationError('prefix must be at most 200 visible ASCII characters');
        }
        if (preg_match('/^(\d{2,4})ms\z/', $options['timeout'] ?? '1000ms', $timeout) !== 1) {
            throw new ConfigurationError('timeout must be 10ms to 9999ms');
        }
        [$host, $port] = self::server($part[2]);
        return new MemcachedHandler($host, $port, $prefix, (int) $timeout[1]);
    }

    /** @return array{string, int} */
    private static function server(string $text): array
    {
        if (
            preg_match('/^([a-z0-9._-]+|\[[0-9a-f:]+\])(?::(\d{1,5}))?\z/i', $text, $part) !== 1
            || ($port = (int) ($part[2] ?? 11211)) < 1 || $port > 65535
        ) {
            throw new ConfigurationError('the server must be HOST:PORT; this version takes one');
        }
        return [trim($part[1], '[]'), $port];
    }
}
