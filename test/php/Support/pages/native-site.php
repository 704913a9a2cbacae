<?php

/** A page of NativeSite. Runs the code of a test and returns the session. */

declare(strict_types=1);

use PhpSessionChat\Session\NativeHandler;

require __DIR__ . '/../autoload.php';
set_error_handler(static function (int $level, string $message): bool {
    return (error_reporting() & $level) !== 0 && throw new ErrorException($message);
});

['url' => $url, 'code' => $code] = unserialize(file_get_contents('php://input'));
$error = '';
try {
    $session = NativeHandler::fromUrl($url);
    eval($code);
} catch (Throwable $thrown) {
    $error = $thrown::class . ": {$thrown->getMessage()}";
}
echo serialize(['id' => session_id(), 'session' => $_SESSION ?? [], 'error' => $error]);
