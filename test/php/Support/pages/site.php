<?php

/** A page of Site. Runs the code of a test with the handler and returns the session. */

declare(strict_types=1);

use PhpSessionChat\Session\Handler\SessionCallbacks;
use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Tests\Support\Site;

require __DIR__ . '/../autoload.php';
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
echo serialize(['id' => session_id(), 'session' => $session, 'error' => $error]);
