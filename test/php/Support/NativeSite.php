<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A site in a web server of PHP's own, whose sessions are kept by PHP's own handlers: see native-site.php. */
final class NativeSite
{
    private static ?int $port = null;

    /**
     * One request of a visitor.
     *
     * @param string $url of the sessions
     * @param string|null $cookie the session ID that the browser sends
     * @param string $code with `$session`, the handler of that URL
     */
    public static function request(
        string $url,
        ?string $cookie,
        string $code = '$session->start(); $session->close();',
    ): SiteAnswer {
        self::$port ??= self::start();
        $cookies = $cookie === null ? [] : ["Cookie: PHPSESSID=$cookie"];
        $context = stream_context_create(['http' => [
            'method' => 'POST',
            'header' => ['Content-Type: application/octet-stream', ...$cookies],
            'content' => serialize(compact('url', 'code')),
            'ignore_errors' => true,
        ]]);
        $answer = file_get_contents('http://127.0.0.1:' . self::$port . '/', false, $context);
        $result = @unserialize($answer);
        if ($result === false) {
            throw new \RuntimeException("The page failed:\n$answer");
        }
        return new SiteAnswer(...$result);
    }

    private static function start(): int
    {
        $port = ServerProcess::freePort();
        new ServerProcess(
            [PHP_BINARY, '-S', "127.0.0.1:$port", __DIR__ . '/native-site.php'],
            ServerProcess::folder('site', 'root'),
            'started',
        );
        return $port;
    }
}
