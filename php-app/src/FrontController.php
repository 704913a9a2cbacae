<?php

declare(strict_types=1);

namespace PhpSessionChat;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/** Responds to a request even after a failure. Details of failures go only to PHP's error log. */
final class FrontController
{
    /** The Retry-After of responses while the store is down, in seconds. */
    private const RETRY_AFTER = '5';

    public static function run(): void
    {
        ini_set('display_errors', '0');
        // Converts warnings to exceptions, because a warning means a failure.
        set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
            if ((error_reporting() & $level) === 0) {
                return false;
            }
            throw new \ErrorException($message, 0, $level, $file, $line);
        }, E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
        $request = Request::fromGlobals();
        $texts = new Texts($request->languages);
        $view = new View($texts);
        try {
            $response = (new App(Config::fromEnvironment(), $request, $view, $texts))->answer();
        } catch (\Throwable $error) {
            SiteSession::abandon();
            [$status, $text, $headers] = self::explain($error);
            $response = new Response($status, $view->page('notice', [
                'text' => $texts->get($text),
                'csrf' => null,
            ]), $headers);
        }
        $response->send($request->https);
    }

    /** @return array{int, string, array<string, string>} status, key of the text, headers */
    private static function explain(\Throwable $error): array
    {
        if ($error instanceof HttpError) {
            return [$error->status, $error->text, $error->headers];
        }
        if ($error instanceof SessionUnavailable) {
            error_log("Session store unavailable: {$error->getMessage()}");
            return [503, 'page.down', ['Retry-After' => self::RETRY_AFTER]];
        }
        if ($error instanceof InvalidSettings) {
            error_log("Misconfigured: {$error->getMessage()}");
            return [500, 'error.configuration', []];
        }
        // Omits the stack trace, because its arguments may contain a session ID or a password.
        $place = $error->getFile() . ':' . $error->getLine();
        error_log($error::class . ": {$error->getMessage()} in $place");
        return [500, 'error.internal', []];
    }
}
