<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A site with one of PHP's own session handlers, whose pages run the code of the tests: pages/native-site.php. */
final class NativeSite
{
    /**
     * A request of a visitor.
     *
     * @param string $url of the sessions
     * @param string|null $cookie the value of the session's cookie, as the browser sends it
     * @param string $code with `$session`, the handler of that URL
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
