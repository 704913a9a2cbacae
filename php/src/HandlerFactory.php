<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Handler\EncryptedHandler;
use PhpSessionChat\Session\Handler\FilesHandler;
use PhpSessionChat\Session\Handler\HandlerSettings;
use PhpSessionChat\Session\Handler\JsonHandler;
use PhpSessionChat\Session\Handler\MemcachedHandler;
use PhpSessionChat\Session\Handler\PdoHandler;
use PhpSessionChat\Session\Handler\RedisHandler;
use PhpSessionChat\Session\Handler\SessionServerHandler;

/**
 * Makes the handler of this library for the sessions at a store URL, the same URL as the chat server's
 * `CHAT_SESSION_STORE`:
 *
 *     $handler = HandlerFactory::fromUrl('redis://127.0.0.1:6379?prefix=siam_&format=json&lock=10');
 *     session_set_save_handler($handler, false);
 *     session_start(['use_strict_mode' => true]);
 *
 * | URL | handler |
 * | --- | --- |
 * | `memcached://HOST:PORT[,HOST:PORT…]?prefix=&distribution=&weight=&timeout=` | MemcachedHandler |
 * | `redis://[[USER]:PASSWORD@]HOST:PORT[/DATABASE]?prefix=&database=&timeout=`, `redis:///SOCKET` | RedisHandler |
 * | `rediss://…?ca=FILE` | the same with TLS |
 * | `file:///FOLDER?prefix=` | FilesHandler |
 * | `session-server://HOST:PORT?timeout=&auth_file=&tls=on&ca=FILE`, `session-server:///SOCKET` | SessionServerHandler |
 * | `mysql://…`, `mariadb://…`, `postgres://…`, `sqlite:PATH`, each `?table=&id=&data=&expires=&prefix=` | PdoHandler, see DatabaseUrl |
 *
 * All of them take `format=`, which is `json` or what `session.serialize_handler` becomes by it (default `php_serialize`
 * in memcached, else `php`), `layers=decrypt:KEYFILE`, `lifetime=` (default `session.gc_maxlifetime`), and `lock=` with
 * the seconds that a request waits for its lock (default `none`: the last to write wins; for a session server `20`).
 * With `lease=` a lock ends after so many seconds though its page has not (default `60`; not for files, nor for a
 * session server, which has a setting for that).
 */
final class HandlerFactory
{
    private const FORMATS = 'json|php|php_binary|php_serialize|igbinary|msgpack';

    /** @throws InvalidSettings quoting only the wrong part: a URL may hold a password */
    public static function fromUrl(#[\SensitiveParameter] string $url): \SessionHandlerInterface
    {
        $parts = UrlParts::parse($url);
        $format = $parts->take('format', self::FORMATS, 'one of ' . strtr(self::FORMATS, '|', ' '))
            ?? ($parts->scheme === 'memcached' ? 'php_serialize' : 'php');
        $layers = $parts->take('layers', 'decrypt:[^,]+', 'decrypt:KEYFILE, the only layer that PHP writes');
        $lock = $parts->take('lock', 'none|[1-9]\d{0,2}', 'none or the seconds to wait');
        $lock ??= $parts->scheme === 'session-server' ? (string) SessionServerHandler::LOCK_WAIT : 'none';
        $lease = in_array($parts->scheme, ['file', 'session-server'], true) ? null : $parts->seconds('lease');
        $settings = new HandlerSettings(
            $parts->seconds('lifetime'),
            $lock === 'none' ? null : (int) $lock,
            $lease ?? HandlerSettings::LEASE,
            $format === 'json' ? null : $format,
        );
        $handler = match ($parts->scheme) {
            'memcached' => self::memcached($parts, $settings),
            'redis', 'rediss' => self::redis($parts, $settings),
            'file' => self::files($parts, $settings),
            'session-server' => self::sessionServer($parts, $settings),
            'mysql', 'mariadb', 'postgres', 'postgresql', 'sqlite' => self::table($parts, $settings),
            default => throw new InvalidSettings("sessions are not written to $parts->scheme:"),
        };
        $parts->finish();
        // By the same URL the chat server reads what PHP writes.
        $serializer = $format === 'json' ? 'php_serialize' : $format;
        if (
            ini_get('session.serialize_handler') !== $serializer
            && @ini_set('session.serialize_handler', $serializer) === false
        ) {
            throw new InvalidSettings("PHP cannot write format=$format: is its extension there, and no session begun?");
        }
        if ($layers !== null) {
            self::need('sodium');
            $handler = new EncryptedHandler($handler, KeyFile::read(substr($layers, strlen('decrypt:'))));
        }
        return $format === 'json' ? new JsonHandler($handler) : $handler;
    }

    private static function memcached(
        #[\SensitiveParameter] UrlParts $parts,
        HandlerSettings $settings,
    ): MemcachedHandler {
        self::need('memcached');
        if ($parts->has('handler')) {
            throw new InvalidSettings('handler= is for one of PHP\'s own session handlers: see NativeHandler');
        }
        $known = array_keys(MemcachedHandler::DISTRIBUTIONS);
        return new MemcachedHandler(
            $parts->servers(11211),
            $parts->prefix(''),
            $parts->take('distribution', implode('|', $known), 'here one of ' . implode(', ', $known)) ?? $known[0],
            $parts->milliseconds('timeout', 1000),
            $settings,
        );
    }

    private static function redis(#[\SensitiveParameter] UrlParts $parts, HandlerSettings $settings): RedisHandler
    {
        self::need('redis');
        if (count($parts->hosts) > 1 || ($parts->hosts === [] && $parts->path === '')) {
            throw new InvalidSettings('redis: takes one server, //HOST:PORT, or the path of a socket');
        }
        if ($parts->user !== '' && $parts->password === '') {
            throw new InvalidSettings('a user of Redis has a password: //USER:PASSWORD@HOST');
        }
        [$host, $port] = $parts->hosts[0] ?? [$parts->path, null];
        $inPath = $parts->hosts === [] ? '' : substr($parts->path, 1);
        $database = $parts->take('database', '\d{1,5}', 'a number') ?? $inPath;
        if (preg_match('/^\d{0,5}\z/', $database) !== 1 || !in_array($inPath, ['', $database], true)) {
            throw new InvalidSettings('the database of Redis is one number, as in redis://HOST:PORT/3');
        }
        return new RedisHandler(
            $host,
            $port ?? 6379,
            $parts->prefix(RedisHandler::PREFIX),
            $parts->user === '' ? null : $parts->user,
            $parts->password === '' ? null : $parts->password,
            (int) $database,
            $parts->scheme === 'rediss' ? self::tls($parts) : null,
            $parts->milliseconds('timeout', 1000),
            $settings,
        );
    }

    private static function sessionServer(
        #[\SensitiveParameter] UrlParts $parts,
        HandlerSettings $settings,
    ): SessionServerHandler {
        $socket = $parts->hosts === [] && str_starts_with($parts->path, '/') && $parts->path !== '/';
        $host = count($parts->hosts) === 1 && in_array($parts->path, ['', '/'], true);
        if ((!$socket && !$host) || $parts->user . $parts->password !== '') {
            throw new InvalidSettings('session-server: takes one server, //HOST:PORT, or the path of a socket, no user');
        }
        [$host, $port] = $parts->hosts[0] ?? [$parts->path, null];
        $token = $parts->take('auth_file', '.+', 'a file with the token of the session server');
        $tls = $parts->take('tls', 'on|off', 'on or off') === 'on';
        return new SessionServerHandler(new SessionServerClient(
            $host,
            $port ?? SessionServerClient::PORT,
            $token === null ? null : self::token($token),
            $tls ? self::tls($parts) : null,
            $parts->milliseconds('timeout', 1000),
        ), $settings);
    }

    /** @param string $file is not named in the error: by mistake it may be the token itself */
    private static function token(#[\SensitiveParameter] string $file): string
    {
        $token = is_file($file) ? trim((string) @file_get_contents($file)) : '';
        return $token !== '' ? $token : throw new InvalidSettings(
            'auth_file= is a file that holds the token of the session server: it cannot be read, or it is empty',
        );
    }

    private static function files(#[\SensitiveParameter] UrlParts $parts, HandlerSettings $settings): FilesHandler
    {
        if ($parts->hosts !== [] || !str_starts_with($parts->path, '/')) {
            throw new InvalidSettings('file: needs three slashes, as in file:///var/lib/php/sessions');
        }
        $parts->take('depth', '0', '0, since these handlers write into one folder');
        // The chat server's alone.
        $parts->take('owner', '[^&]*', '');
        $parts->take('timeout', '[^&]*', '');
        return new FilesHandler($parts->path, $parts->prefix('sess_'), $settings);
    }

    private static function table(#[\SensitiveParameter] UrlParts $parts, HandlerSettings $settings): PdoHandler
    {
        $name = static fn (string $option): string => $parts->take($option, '[\w$#.]+', 'a name')
            ?? throw new InvalidSettings("$option= is missing: the store URL names table=, id=, data= and expires=");
        $parts->take('expires_unit', 'unix', 'unix where PHP writes');
        return new PdoHandler(
            DatabaseUrl::fromParts($parts)->connect(...),
            $name('table'),
            $name('id'),
            $name('data'),
            $name('expires'),
            $parts->prefix(''),
            $settings,
        );
    }

    /** @return array<string, mixed> */
    private static function tls(#[\SensitiveParameter] UrlParts $parts): array
    {
        self::need('openssl');
        $file = $parts->take('ca', '.+', 'a file with certificates');
        if ($file !== null && @openssl_x509_read('file://' . $file) === false) {
            throw new InvalidSettings("ca=$file is no file with a certificate");
        }
        return ['verify_peer' => true, 'verify_peer_name' => true] + ($file === null ? [] : ['cafile' => $file]);
    }

    private static function need(string $extension): void
    {
        if (!extension_loaded($extension)) {
            throw new InvalidSettings("PHP has no extension $extension");
        }
    }
}
