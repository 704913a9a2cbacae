<?php

/**
 * A site under PHP's own web server: runs what a test sends it as one of its pages, with the handler set and the cookie
 * of the visitor, and answers with what became of it.
 */

declare(strict_types=1);

use PhpSessionChat\Session\Handler\SessionCallbacks;
use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Tests\Support\Site;

// The library alone, by the one file that a site without Composer requires.
require __DIR__ . '/../../../php/autoload.php';
spl_autoload_register(static function (string $class): void {
    $name = str_replace('PhpSessionChat\\Tests\\', '', $class);
    if ($name !== $class) {
        require dirname(__DIR__) . '/' . strtr($name, '\\', '/') . '.php';
    }
});
set_error_handler(static function (int $level, string $message): bool {
    return (error_reporting() & $level) !== 0 && throw new ErrorException($message);
});

['store' => $store, 'options' => $options, 'registration' => $registration, 'settings' => $settings, 'code' => $code]
    = unserialize(file_get_contents('php://input'));
$error = '';
$session = [];
try {
    foreach (Site::SETTINGS as $name => $value) {
        ini_set($name, $value);
    }
    $handler = HandlerFactory::fromUrl(is_string($store) ? $store : $store->url() . $options);
    session_set_save_handler(...match ($registration) {
        'object' => [$handler, false],
        'callbacks' => SessionCallbacks::of($handler),
        'six callbacks' => array_slice(SessionCallbacks::of($handler), 0, 6),
    });
    session_start($settings);
    eval($code);
    session_write_close();
    $session = $_SESSION;
} catch (Throwable $thrown) {
    $error = $thrown::class . ": {$thrown->getMessage()}";
}
$cookies = array_values(preg_grep('/^Set-Cookie:/i', headers_list()));
echo serialize(['id' => session_id(), 'session' => $session, 'error' => $error, 'cookies' => $cookies]);
