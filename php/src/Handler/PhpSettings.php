<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;

/**
 * Changes PHP's session settings to match a store URL.
 *
 * With session.upload_progress.enabled, PHP starts and stores the session of an upload before the page runs, with the
 * settings of php.ini. If its format differs from the page's format, a text from the visitor could become a session
 * value, such as the ID of another user. With the setting on, newer versions of PHP reject all changes of session
 * settings.
 */
final class PhpSettings
{
    /** The values of session.save_handler that may refer to the same sessions as a URL with this scheme. */
    private const SAVE_HANDLERS = [
        'memcached' => ['memcached', 'memcache'],
        'redis' => ['redis'],
        'rediss' => ['redis'],
        'file' => ['files'],
    ];

    /** @var array<string, string> the settings before this class changed them; .user.ini may have set them */
    private static array $before = [];

    /**
     * Rejects upload progress if it would store the sessions of a URL in another format than the URL's.
     *
     * @param string $format for session.serialize_handler
     * @param string $scheme of the URL
     * @param string $prefix precedes the session ID
     * @param string $path of the URL; for files, the folder
     * @throws InvalidSettings
     */
    public static function checkUploads(string $format, string $scheme, string $prefix, string $path): void
    {
        if (!self::hasUploads() || array_diff(self::beforePage('session.serialize_handler'), [$format]) === []) {
            return;
        }
        $handlers = array_intersect(self::SAVE_HANDLERS[$scheme] ?? [], self::beforePage('session.save_handler'));
        foreach ($handlers as $handler) {
            $prefixes = match ($handler) {
                'memcached' => self::beforePage('memcached.sess_prefix'),
                'memcache' => self::beforePage('memcache.session_prefix_static_key'),
                'redis' => array_merge(...array_map(self::redisPrefixes(...), self::beforePage('session.save_path'))),
                'files' => self::isFolderOfPhp($path) ? ['sess_'] : [],
            };
            foreach ($prefixes as $phps) {
                // If one prefix starts with the other, a visitor's ID can supply the difference. PHP accepts nearly any
                // ID, and this library accepts letters, digits, comma and minus.
                $more = str_starts_with($phps, $prefix) ? substr($phps, strlen($prefix)) : '/';
                if (str_starts_with($prefix, $phps) || preg_match('/^[A-Za-z0-9,-]*\z/', $more) === 1) {
                    throw self::refusal();
                }
            }
        }
    }

    /**
     * @param array<string, string> $settings
     * @return string|null the setting that PHP rejects, if any
     * @throws InvalidSettings
     */
    public static function change(#[\SensitiveParameter] array $settings): ?string
    {
        foreach ($settings as $name => $value) {
            self::$before[$name] ??= (string) ini_get($name);
            try {
                if (@ini_set($name, $value) === false) {
                    return $name;
                }
            } catch (\Error $error) {
                throw self::hasUploads() ? self::refusal() : $error;
            }
        }
        return null;
    }

    private static function hasUploads(): bool
    {
        return filter_var(ini_get('session.upload_progress.enabled'), FILTER_VALIDATE_BOOL);
    }

    /**
     * Returns the values that upload progress may have used. PHP does not report whether the page or .user.ini has
     * changed the value of php.ini.
     *
     * @return list<string>
     */
    private static function beforePage(string $name): array
    {
        $current = self::$before[$name] ?? (string) ini_get($name);
        return [(string) (ini_get_all()[$name]['global_value'] ?? ''), $current];
    }

    /** @return list<string> the prefix of each server in a save path of phpredis */
    private static function redisPrefixes(#[\SensitiveParameter] string $savePath): array
    {
        $prefixes = [];
        foreach (preg_split('/[\s,]+/', $savePath) as $server) {
            parse_str(explode('?', $server, 2)[1] ?? '', $options);
            $prefixes[] = $options['prefix'] ?? RedisHandler::PREFIX;
        }
        return $prefixes;
    }

    private static function isFolderOfPhp(string $folder): bool
    {
        $own = @stat($folder);
        foreach (self::beforePage('session.save_path') as $savePath) {
            // In a save path, the depth and mode precede a semicolon.
            $phps = @stat(substr(strrchr(";$savePath", ';'), 1) ?: sys_get_temp_dir());
            // Compares inodes, because a folder can have several paths. If stat() fails, the folders may be the same.
            if (!$own || !$phps || [$own['dev'], $own['ino']] === [$phps['dev'], $phps['ino']]) {
                return true;
            }
        }
        return false;
    }

    private static function refusal(): InvalidSettings
    {
        return new InvalidSettings('session.upload_progress.enabled must be Off in php.ini: otherwise PHP stores the'
            . ' session of an upload with the settings of php.ini instead of the store URL');
    }
}
