<?php

/**
 * Runs many requests of one session at the same moment, each in a process of its own: all have opened it before the first
 * one saves. Arguments: how many, the database's URL, the key file, the table, the cookie's value. Prints what fails.
 */

declare(strict_types=1);

use PhpSessionChat\Session\TableSession;

require __DIR__ . '/autoload.php';

[, $count, $url, $keyFile, $table, $_COOKIE['SESSION']] = $argv;
[$wait, $go] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
[$opened, $tell] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
for ($n = 0; $n < $count; $n++) {
    if (pcntl_fork() === 0) {
        fclose($go);
        fclose($opened);
        $session = TableSession::open($url, $keyFile, table: $table);
        fclose($tell);
        // Returns when no process has the other end any more.
        fread($wait, 1);
        $session->storeValue("key $n", $n);
        $session->save() || print("$n: gone\n");
        exit;
    }
}
fclose($tell);
fread($opened, 1);
fclose($go);
while (pcntl_wait($status) > 0) {
}
