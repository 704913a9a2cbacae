<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A site in a web server of PHP's own, whose pages are what the tests make them: see site.php. */
final class Site
{
    /** Of php.ini. */
    public const SETTINGS = [
        'session.use_strict_mode' => '1',
        'session.gc_maxlifetime' => '1440',
        'session.gc_probability' => '0',
    ];

    private static ?self $shared = null;

    private readonly int $port;

    private function __construct()
    {
        $this->port = ServerProcess::freePort();
        new ServerProcess(
            [PHP_BINARY, '-S', "127.0.0.1:$this->port", __DIR__ . '/site.php'],
            ServerProcess::folder('site', 'root'),
            'started',
        );
    }

    /**
     * One request of a visitor.
     *
     * @param Store|string $store or its URL
     * @param string|null $cookie the session ID that the browser sends
     * @param string $code runs after session_start(), with `$store`, and `$handler` for the sessions in it
     * @param string $options of the store's URL, each with its `&`
     * @param string $registration `object`, `callbacks` (all of them) or `six callbacks`
     * @param array<string, string> $settings given to session_start()
     */
    public static function request(
        Store|string $store,
        ?string $cookie,
        string $code = '',
        string $options = '',
        string $registration = 'object',
        array $settings = [],
    ): SiteAnswer {
        self::$shared ??= new self();
        $page = compact('store', 'code', 'options', 'registration', 'settings');
        $context = stream_context_create(['http' => [
            'method' => 'POST',
            'header' => ['Content-Type: application/octet-stream']
                + ($cookie === null ? [] : [1 => 'Cookie: PHPSESSID=' . rawurlencode($cookie)]),
            'content' => serialize($page),
            'ignore_errors' => true,
        ]]);
        $answer = file_get_contents('http://127.0.0.1:' . self::$shared->port . '/', false, $context);
        $result = @unserialize($answer);
        if ($result === false) {
            throw new \RuntimeException("The page failed:\n$answer");
        }
        return new SiteAnswer(...$result);
    }
}
