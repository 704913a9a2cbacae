<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A site with a session handler of the library. Its page pages/site.php runs the code of tests. */
final class Site
{
    /** Settings for php.ini. */
    public const SETTINGS = [
        'session.use_strict_mode' => '1',
        'session.gc_maxlifetime' => '1440',
        'session.gc_probability' => '0',
    ];

    /**
     * Sends a request as a visitor.
     *
     * @param Store|string $store the store or its URL
     * @param string|null $id the session ID in the browser's cookie
     * @param string $code runs after session_start() with `$store` and its `$handler`
     * @param string $options for the store's URL, each after `&`
     * @param string $registration `object`, `callbacks` (all of them) or `six callbacks`
     * @param array<string, string> $settings for session_start()
     */
    public static function request(
        Store|string $store,
        ?string $id,
        string $code = '',
        string $options = '',
        string $registration = 'object',
        array $settings = [],
    ): SiteAnswer {
        $input = compact('store', 'code', 'options', 'registration', 'settings');
        [$result, $cookies] = WebServer::call('site.php', $input, $id === null ? null : 'PHPSESSID=' . rawurlencode($id));
        return new SiteAnswer(...$result, cookies: $cookies);
    }
}
