<?php
// Creates a session as OpenCart does in system/library/session.php, session/db.php, file.php and redis.php.
$id = substr(bin2hex(random_bytes(26)), 0, 26);
$data = $in['data'];
if ($in['engine'] === 'file') {
    $file = $in['folder'] . 'sess_' . basename($id);
    file_put_contents($file, $in['version'] === 3 ? serialize($data) : json_encode($data));
    touch($file, time() - $in['age']);
} elseif ($in['engine'] === 'redis') {
    $redis = new Redis();
    $redis->pconnect('127.0.0.1', $in['port']);
    $redis->set('shop' . '.session.' . $id, $data ? json_encode($data) : '', $in['expire']);
}
return [
    'id' => $id,
    'data' => $data || $in['version'] === 3 ? json_encode($data) : '',
    'expire' => gmdate('Y-m-d H:i:s', time() + $in['expire']),
];
