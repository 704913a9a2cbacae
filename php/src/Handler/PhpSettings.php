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

    /**
     * @param array<string, string> $settings
     * @param string|null $scheme of the URL; null: the handler refuses what PHP writes without it
     * @return string|null the setting that PHP refuses, if there is one
     * @throws InvalidSettings
     */
    public static function change(#[\SensitiveParameter] array $settings, ?string $scheme): ?string
    {
        $uploads = filter_var(ini_get('session.upload_progress.enabled'), FILTER_VALIDATE_BOOL);
        if (
            $uploads
            && in_array(ini_get('session.save_handler'), self::SAVE_HANDLERS[$scheme ?? ''] ?? [], true)
            && ini_get('session.serialize_handler') !== $settings['session.serialize_handler']
        ) {
            throw self::refusal();
        }
        foreach ($settings as $name => $value) {
            try {
                if (@ini_set($name, $value) === false) {
                    return $name;
                }
            } catch (\Error $error) {
                throw $uploads ? self::refusal() : $error;
            }
        }
        return null;
    }

    private static function refusal(): InvalidSettings
    {
        return new InvalidSettings('session.upload_progress.enabled must be Off in php.ini: with On, PHP stores the'
            . ' session of an upload as php.ini says, and not as the store URL says');
    }
}
