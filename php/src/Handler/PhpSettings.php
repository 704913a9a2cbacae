<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;

/**
 * Changes PHP's session settings to those of a store URL.
 *
 * With session.upload_progress.enabled, PHP starts the session of an upload before the page runs, and stores it again,
 * as php.ini says. In another format than the page's, a text of the visitor could become a value, such as the ID of
 * another user. Newer versions of PHP then refuse all changes.
 */
final class PhpSettings
{
    /** The values of session.save_handler with which php.ini may mean the same sessions as a URL of that scheme. */
    private const SAVE_HANDLERS = [
        'memcached' => ['memcached', 'memcache'],
        'redis' => ['redis'],
        'rediss' => ['redis'],
        'file' => ['files'],
    ];

    /** @var array<string, string> what the page had before this class changed it, which .user.ini may have set */
    private static array $before = [];

    /**
     * Refuses upload progress if it stores the sessions of a URL in another format than the URL's.
     *
     * @param string $format for session.serialize_handler
     * @param string $scheme of the URL
     * @param string $prefix before the session ID
     * @param string $path of the URL: for files, their folder
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
                // A visitor's ID can begin with what one prefix has more: PHP takes nearly any ID, this library letters.
                $more = str_starts_with($phps, $prefix) ? substr($phps, strlen($prefix)) : '/';
                if (str_starts_with($prefix, $phps) || preg_match('/^[A-Za-z0-9,-]*\z/', $more) === 1) {
                    throw self::refusal();
                }
            }
        }
    }

    /**
     * @param array<string, string> $settings
     * @return string|null the setting that PHP refuses, if there is one
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
     * Upload progress has used one of these values. PHP does not say whether the page or .user.ini has set another one
     * than php.ini's.
     *
     * @return list<string>
     */
    private static function beforePage(string $name): array
    {
        $current = self::$before[$name] ?? (string) ini_get($name);
        return [(string) (ini_get_all()[$name]['global_value'] ?? ''), $current];
    }

    /** @return list<string> of each server in a save path of phpredis */
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
            // Before a semicolon are the depth and the mode.
            $phps = @stat(substr(strrchr(";$savePath", ';'), 1) ?: sys_get_temp_dir());
            // Compared so, since a folder has several names. Without an answer, the two may be the same.
            if (!$own || !$phps || [$own['dev'], $own['ino']] === [$phps['dev'], $phps['ino']]) {
                return true;
            }
        }
        return false;
    }

    private static function refusal(): InvalidSettings
    {
        return new InvalidSettings('session.upload_progress.enabled must be Off in php.ini: with On, PHP stores the'
            . ' session of an upload as php.ini says, and not as the store URL says');
    }
}
