<?php

/** A page of TableSite. Opens the session, runs the code of a test and returns the result. */

declare(strict_types=1);

use PhpSessionChat\Session\DatabaseUrl;
use PhpSessionChat\Session\TableSession;
use PhpSessionChat\Tests\Support\CountedStatement;

require __DIR__ . '/../autoload.php';
set_error_handler(static function (int $level, string $message): bool {
    return (error_reporting() & $level) !== 0 && throw new ErrorException($message);
});

['open' => $open, 'as' => $as, 'before' => $before, 'code' => $code] = unserialize(file_get_contents('php://input'));
$value = null;
$error = $trace = '';
// Buffers the output like most servers, so that saving at the end of the request can still send a cookie.
ob_start();
try {
    $open['database'] = match ($as) {
        'URL' => $open['database'],
        'DatabaseUrl' => DatabaseUrl::parse($open['database']),
        'PDO' => DatabaseUrl::parse($open['database'])->connect(),
        'PDO by default' => new PDO(...$open['database']),
    };
    if ($as === 'PDO') {
        $open['database']->setAttribute(PDO::ATTR_STATEMENT_CLASS, [CountedStatement::class]);
    }
    eval($before);
    $session = TableSession::open(...$open);
    $value = eval($code);
} catch (Throwable $thrown) {
    $error = $thrown::class . ": {$thrown->getMessage()}";
    // Everything that an error page or a log may show of it.
    $trace = $thrown . print_r($thrown->getTrace(), true) . print_r($thrown->getPrevious(), true);
}
echo serialize(['value' => $value, 'error' => $error, 'trace' => $trace]);
