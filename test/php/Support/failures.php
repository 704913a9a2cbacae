<?php

/**
 * A site whose php.ini puts what functions were called with into traces. Reads a serialized list of codes and the
 * variables for them, and prints the serialized list of all that a log or an error page could show of the exceptions
 * that they end with; '' for one that ends without.
 */

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';
spl_autoload_register(static function (string $class): void {
    $name = str_replace('PhpSessionChat\\Tests\\', '', $class);
    if ($name !== $class) {
        require dirname(__DIR__) . '/' . strtr($name, '\\', '/') . '.php';
    }
});

['codes' => $codes, 'variables' => $variables] = unserialize(stream_get_contents(STDIN));
ini_set('zend.exception_ignore_args', '0');
ini_set('zend.exception_string_param_max_len', '10000');
ini_set('session.use_strict_mode', '1');
extract($variables);
$_COOKIE['PHPSESSID'] = $id;
$shown = [];
foreach ($codes as $code) {
    $told = '';
    try {
        // Not in a function, which would be in the traces, too.
        eval('use PhpSessionChat\Session\{DatabaseUrl, HandlerFactory, KeyFile, NativeHandler, SessionServerClient,
            SessionServerWatcher, StoreUrl};
            use PhpSessionChat\Session\Handler\{EncryptedHandler, JsonHandler, PdoHandler, RedisHandler, SessionServerHandler};
            use PhpSessionChat\Session\TableSession\SignedCookie; ' . $code);
    } catch (Throwable $error) {
        for ($cause = $error; $cause !== null; $cause = $cause->getPrevious()) {
            $told .= "$cause\n" . var_export($cause->getTrace(), true) . print_r($cause->getTrace(), true);
        }
    }
    $shown[] = $told;
}
echo serialize($shown);
