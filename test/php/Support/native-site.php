<?php

/** A page of NativeSite: runs what a test sends it, and answers with what became of the session. */

declare(strict_types=1);

use PhpSessionChat\Session\NativeHandler;

require __DIR__ . '/../../../php/autoload.php';
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
$cookies = array_values(preg_grep('/^Set-Cookie:/i', headers_list()));
echo serialize(['id' => session_id(), 'session' => $_SESSION ?? [], 'error' => $error, 'cookies' => $cookies]);
