<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Handler\EncryptedHandler;
use PhpSessionChat\Session\Handler\FilesHandler;
use PhpSessionChat\Session\Handler\HandlerSettings;
use PhpSessionChat\Session\Handler\JsonHandler;
use PhpSessionChat\Session\Handler\MemcachedHandler;
use PhpSessionChat\Session\Handler\PdoHandler;
use PhpSessionChat\Session\Handler\PhpSettings;
use PhpSessionChat\Session\Handler\RedisHandler;
use PhpSessionChat\Session\Handler\SessionServerHandler;

/**
 * Creates a handler from a store URL. The chat server accepts the same URL in `CHAT_SESSION_STORE`.
 *
 *     $handler = HandlerFactory::fromUrl('redis://127.0.0.1:6379?prefix=siam_&format=json&lock=10');
 *     session_set_save_handler($handler, false);
 *     session_start(['use_strict_mode' => true]);
 *
 * | URL | handler |
 * | --- | --- |
 * | `memcached://HOST:PORT[,HOST:PORT…]?prefix=&distribution=&weight=&timeout=`, `memcached:///SOCKET` | MemcachedHandler |
 * | `redis://[[USER]:PASSWORD@]HOST:PORT[/DATABASE]?prefix=&database=&timeout=`, `redis:///SOCKET` | RedisHandler |
 * | `rediss://…?ca=FILE` | the same with TLS |
 * | `file:///FOLDER?prefix=` | FilesHandler |
 * | `session-server://HOST:PORT?timeout=&auth_file=&tls=on&ca=FILE`, `session-server:///SOCKET` | SessionServerHandler |
 * | `mysql://…`, `postgres://…`, `sqlite:PATH`, each `?table=&id=&data=&expires=&prefix=` | PdoHandler, see DatabaseUrl |
 *
 * Options of all stores:
 *
 * - `format=`: `json`, or a format of PHP, to which `session.serialize_handler` is set (default `php_serialize` in
 *   memcached, otherwise `php`)
 * - `layers=decrypt:KEYFILE`: encrypts the sessions, see EncryptedHandler
 * - `lifetime=` (default `session.gc_maxlifetime`)
 * - `lock=`: how many seconds a request waits for other requests of its session. Default `none`: the last request to
 *   write wins. Default in a session server: `20`
 * - `lease=`: the seconds after which a lock expires even if its request is still running (default `60`; not for files,
 *   and not for a session server, which has its own setting)
 */
final class HandlerFactory
{
    private const FORMATS = ['json', 'php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'];

    /** The default of `prefix=`, the same as in PHP's own handlers. Other stores have no default prefix. */
    private const PREFIXES = ['file' => 'sess_', 'redis' => RedisHandler::PREFIX, 'rediss' => RedisHandler::PREFIX];

    /** @throws InvalidSettings that quotes only the invalid part, because the URL may contain a password */
    public static function fromUrl(#[\SensitiveParameter] string $url): \SessionHandlerInterface
    {
        $parts = StoreUrl::parse($url);
        $format = $parts->choice('format', self::FORMATS)
            ?? ($parts->scheme === 'memcached' ? 'php_serialize' : 'php');
        $layers = $parts->take('layers', 'decrypt:[^,]+', 'decrypt:KEYFILE, the only layer that PHP can write');
        $prefix = $parts->get('prefix') ?? self::PREFIXES[$parts->scheme] ?? '';
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
            default => throw new InvalidSettings('PHP cannot write sessions to this kind of store: see HandlerFactory'),
        };
        $parts->finish();
        // The chat server reads the sessions in the format that the URL names, so PHP must write that format.
        $serializer = $format === 'json' ? 'php_serialize' : $format;
        if ($format !== 'json' && $layers === null) {
            // With JSON or encryption, a session that PHP itself wrote is rejected when it is read.
            PhpSettings::checkUploads($serializer, $parts->scheme, $prefix, $parts->path);
        }
        if (
            ini_get('session.serialize_handler') !== $serializer
            && PhpSettings::change(['session.serialize_handler' => $serializer]) !== null
        ) {
            throw new InvalidSettings("PHP cannot write format=$format: install its extension, and create the handler before the session starts");
        }
        if ($layers !== null) {
            self::need('sodium');
            $handler = new EncryptedHandler($handler, KeyFile::read(substr($layers, strlen('decrypt:'))));
        }
        return $format === 'json' ? new JsonHandler($handler) : $handler;
    }

    private static function memcached(
        #[\SensitiveParameter] StoreUrl $parts,
        HandlerSettings $settings,
    ): MemcachedHandler {
        self::need('memcached');
        if ($parts->has('handler')) {
            throw new InvalidSettings('handler= selects one of PHP\'s own session handlers: use NativeHandler');
        }
        return new MemcachedHandler(
            $parts->servers(11211),
            $parts->prefix(''),
            $parts->choice('distribution', array_keys(MemcachedHandler::DISTRIBUTIONS)) ?? 'modula',
            $parts->milliseconds('timeout', 1000),
            $settings,
        );
    }

    private static function redis(#[\SensitiveParameter] StoreUrl $parts, HandlerSettings $settings): RedisHandler
    {
        self::need('redis');
        if (count($parts->hosts) > 1 || ($parts->hosts === [] && $parts->path === '')) {
            throw new InvalidSettings('redis: needs one server, //HOST:PORT, or the path of a socket');
        }
        if ($parts->user !== '' && $parts->password === '') {
            throw new InvalidSettings('a user of Redis needs a password: //USER:PASSWORD@HOST');
        }
        [$host, $port] = $parts->hosts[0] ?? [$parts->path, null];
        return new RedisHandler(
            $host,
            $port ?? 6379,
            $parts->prefix(self::PREFIXES['redis']),
            $parts->user === '' ? null : $parts->user,
            $parts->password === '' ? null : $parts->password,
            $parts->redisDatabase(),
            $parts->scheme === 'rediss' ? self::tls($parts) : null,
            $parts->milliseconds('timeout', 1000),
            $settings,
        );
    }

    private static function sessionServer(
        #[\SensitiveParameter] StoreUrl $parts,
        HandlerSettings $settings,
    ): SessionServerHandler {
        $socket = $parts->hosts === [] && str_starts_with($parts->path, '/') && $parts->path !== '/';
        $host = count($parts->hosts) === 1 && in_array($parts->path, ['', '/'], true);
        if ((!$socket && !$host) || $parts->user . $parts->password !== '') {
            throw new InvalidSettings('session-server: needs one server, //HOST:PORT, or the path of a socket, and no user');
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

    /** @param string $file not in the error message, because it may be the token itself, passed by mistake */
    private static function token(#[\SensitiveParameter] string $file): string
    {
        $token = is_file($file) ? trim((string) @file_get_contents($file)) : '';
        return $token !== '' ? $token : throw new InvalidSettings(
            'the file in auth_file= is empty or cannot be read: it must contain the token of the session server',
        );
    }

    private static function files(#[\SensitiveParameter] StoreUrl $parts, HandlerSettings $settings): FilesHandler
    {
        if ($parts->hosts !== [] || !str_starts_with($parts->path, '/')) {
            throw new InvalidSettings('file: needs three slashes, as in file:///var/lib/php/sessions');
        }
        $parts->take('depth', '0', '0, because these handlers write into one folder');
        // Only the chat server uses these options.
        $parts->take('owner', '[^&]*', '');
        $parts->take('timeout', '[^&]*', '');
        return new FilesHandler($parts->path, $parts->prefix(self::PREFIXES['file']), $settings);
    }

    private static function table(#[\SensitiveParameter] StoreUrl $parts, HandlerSettings $settings): PdoHandler
    {
        $name = static fn (string $option): string => $parts->take($option, '[\w$#.]+', 'a name')
            ?? throw new InvalidSettings("$option= is missing: the store URL needs table=, id=, data= and expires=");
        $parts->take('expires_unit', 'unix', 'unix, because PHP writes Unix seconds');
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
    private static function tls(#[\SensitiveParameter] StoreUrl $parts): array
    {
        self::need('openssl');
        $file = $parts->take('ca', '.+', 'a file with certificates');
        if ($file !== null && @openssl_x509_read('file://' . $file) === false) {
            throw new InvalidSettings("ca=$file is not a file with a certificate");
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
