<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A site with a native session handler of PHP. Its page pages/native-site.php runs the code of tests. */
final class NativeSite
{
    /**
     * Sends a request as a visitor.
     *
     * @param string $url the store URL
     * @param string|null $cookie the value of the session cookie as the browser sends it
     * @param string $code runs with `$session`, the handler for the URL
     */
    public static function request(
        string $url,
        ?string $cookie,
        string $code = '$session->start(); $session->close();',
    ): SiteAnswer {
        $header = $cookie === null ? null : "PHPSESSID=$cookie";
        [$result, $cookies] = WebServer::call('native-site.php', compact('url', 'code'), $header);
        return new SiteAnswer(...$result, cookies: $cookies);
    }
}
