<?php

/**
 * The code that a PHP developer would write: rooms over WebSocket with workerman, in one process like the others,
 * without login and storage. Prints its port and the process that serves it. WORKERMAN is a folder in which `composer
 * require workerman/workerman` was run.
 */

declare(strict_types=1);

use Workerman\Connection\TcpConnection;
use Workerman\Worker;

require getenv('WORKERMAN') . '/vendor/autoload.php';

$free = stream_socket_server('tcp://127.0.0.1:0');
$address = stream_socket_get_name($free, false);
fclose($free);

Worker::$pidFile = tempnam(sys_get_temp_dir(), 'workerman-');
Worker::$logFile = '/dev/null';
$worker = new Worker("websocket://$address");
$worker->onWorkerStart = static function () use ($address): void {
    fwrite(STDERR, 'port ' . substr(strrchr($address, ':'), 1) . ' process ' . getmypid() . "\n");
};
/** @var array<string, array<int, TcpConnection>> $rooms */
$rooms = [];
$worker->onMessage = static function (TcpConnection $connection, string $data) use (&$rooms): void {
    ['id' => $id, 'name' => $name, 'payload' => $payload] = json_decode($data, true);
    if ($name === 'room:join') {
        $rooms[$payload['room']][$connection->id] = $connection;
    } else {
        $sent = $payload + ['user' => ['id' => '1', 'name' => 'Alice'], 'sentAt' => (int) (microtime(true) * 1000)];
        $message = json_encode(['event' => 'message:new', 'data' => $sent]);
        foreach ($rooms[$payload['room']] ?? [] as $member) {
            $member->send($message);
        }
    }
    $connection->send(json_encode(['id' => $id, 'ok' => true]));
};
$worker->onClose = static function (TcpConnection $connection) use (&$rooms): void {
    foreach ($rooms as &$members) {
        unset($members[$connection->id]);
    }
};
Worker::runAll();
