<?php

/**
 * A site whose php.ini puts the arguments of functions into stack traces. Reads a serialized list of codes and the
 * variables for them. Each code ends with an exception; prints a serialized list of everything that a log or an error page
 * could show of it, '' for a code that ends without.
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
        // Not in a function, which would be in the traces.
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
