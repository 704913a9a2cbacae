<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** PHP's built-in web server with the pages in `pages`. */
final class WebServer
{
    private static ?int $port = null;

    /**
     * Calls a page.
     *
     * @param string $page the file name
     * @param array<string, mixed> $input
     * @param string|null $cookie the Cookie header
     * @return array{array<string, mixed>, list<string>} the page's return value, and the values of the Set-Cookie headers
     */
    public static function call(string $page, array $input, ?string $cookie): array
    {
        self::$port ??= self::start();
        $stream = @fopen('http://127.0.0.1:' . self::$port . "/$page", 'rb', false, stream_context_create(['http' => [
            'method' => 'POST',
            'header' => ['Content-Type: application/octet-stream', ...($cookie === null ? [] : ["Cookie: $cookie"])],
            'content' => serialize($input),
            'ignore_errors' => true,
        ]]));
        if ($stream === false) {
            // PHP crashed. The other tests get a new server.
            self::$port = null;
            throw new \RuntimeException('The web server ended without a response.');
        }
        $answer = (string) stream_get_contents($stream);
        $result = @unserialize(ltrim($answer));
        if ($result === false) {
            throw new \RuntimeException("The page failed:\n$answer");
        }
        $headers = stream_get_meta_data($stream)['wrapper_data'];
        $cookies = preg_replace('/^Set-Cookie: /i', '', preg_grep('/^Set-Cookie:/i', $headers));
        return [$result, array_values($cookies)];
    }

    private static function start(): int
    {
        $port = ServerProcess::ownPort();
        // Includes function arguments in stack traces, like a badly configured site.
        $settings = ['-d', 'zend.exception_ignore_args=0', '-d', 'session.upload_progress.enabled=0'];
        $command = [PHP_BINARY, ...$settings, '-S', "127.0.0.1:$port", '-t', __DIR__ . '/pages'];
        new ServerProcess($command, ServerProcess::folder(), 'started');
        return $port;
    }
}
