<?php

/**
 * A site whose php.ini includes function arguments in stack traces. Reads a serialized list of codes and their variables.
 * Each code ends with an exception. Prints a serialized list of everything that a log or an error page may show of it, or
 * '' without an exception.
 */

declare(strict_types=1);

require __DIR__ . '/autoload.php';

['codes' => $codes, 'variables' => $variables] = unserialize(stream_get_contents(STDIN));
ini_set('zend.exception_ignore_args', '0');
ini_set('zend.exception_string_param_max_len', '10000');
ini_set('session.use_strict_mode', '1');
extract($variables);
$_COOKIE['PHPSESSID'] = $id;
$shown = [];
foreach ($codes as $code) {
    $all = '';
    try {
        // Not in a function, because that would appear in the traces.
        eval('use PhpSessionChat\Session\{DatabaseUrl, HandlerFactory, KeyFile, NativeHandler, SessionServerClient,
            SessionServerWatcher, StoreUrl};
            use PhpSessionChat\Session\Handler\{EncryptedHandler, JsonHandler, PdoHandler, RedisHandler, SessionServerHandler};
            use PhpSessionChat\Session\TableSession\SignedCookie;
            use PhpSessionChat\Webhook; ' . $code);
    } catch (Throwable $error) {
        for ($cause = $error; $cause !== null; $cause = $cause->getPrevious()) {
            $all .= "$cause\n" . var_export($cause->getTrace(), true) . print_r($cause->getTrace(), true);
        }
    }
    $shown[] = $all;
}
echo serialize($shown);
