<?php

/**
 * Runs concurrent requests, each in its own process. Reads a serialized list of [store URL, session ID, code] and prints a
 * serialized list of errors, or '' on success.
 */

declare(strict_types=1);

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Tests\Support\Site;

require __DIR__ . '/autoload.php';

[$wait, $go] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
$answers = [];
foreach (unserialize(stream_get_contents(STDIN)) as [$url, $id, $code]) {
    [$answer, $end] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
    if (pcntl_fork() === 0) {
        fclose($go);
        // Blocks until all processes have started, because only then no process holds the other end.
        fread($wait, 1);
        $error = '';
        try {
            foreach (Site::SETTINGS as $name => $value) {
                ini_set($name, $value);
            }
            session_set_save_handler(HandlerFactory::fromUrl($url), false);
            session_id($id);
            session_start(['use_cookies' => false, 'cache_limiter' => '']);
            eval($code);
            session_write_close();
        } catch (Throwable $thrown) {
            for ($cause = $thrown; $cause->getPrevious() !== null;) {
                $cause = $cause->getPrevious();
            }
            $error = $cause::class . ": {$cause->getMessage()}";
        }
        fwrite($end, $error);
        exit;
    }
    fclose($end);
    $answers[] = $answer;
}
fclose($wait);
fclose($go);
echo serialize(array_map('stream_get_contents', $answers));
while (pcntl_wait($status) > 0) {
}
