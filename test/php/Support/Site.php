<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A site with a session handler of the library, whose pages run the code of the tests: pages/site.php. */
final class Site
{
    /** For php.ini. */
    public const SETTINGS = [
        'session.use_strict_mode' => '1',
        'session.gc_maxlifetime' => '1440',
        'session.gc_probability' => '0',
    ];

    /**
     * A request of a visitor.
     *
     * @param Store|string $store or its URL
     * @param string|null $id the session ID in the browser's cookie
     * @param string $code runs after session_start(), with `$store`, and with the `$handler` of the sessions in it
     * @param string $options of the store's URL, each with its `&`
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
