<?php
// Creates a session as Magento does: in PHP's own encoding, for Framework/Session/SaveHandler/DbTable.php, in PHP's
// files, or as the handler of colinmollenhour/php-redis-session-abstract stores it.
ini_set('session.use_cookies', '0');
ini_set('session.save_path', $in['folder']);
session_id($in['id']);
session_start();
$_SESSION = $in['session'];
$text = session_encode();
if ($in['save'] === 'files') {
    session_write_close();
    touch($in['folder'] . '/sess_' . $in['id'], time() - $in['age']);
} else {
    session_destroy();
}
if ($in['save'] === 'redis') {
    $key = 'sess_' . $in['id'];
    if (strlen($text) >= $in['threshold']) {
        $text = $in['library'] === 'gzip' ? ':gz:' . gzcompress($text, 1) : ':lz:' . $text;
    }
    $redis = new Redis();
    $redis->connect('127.0.0.1', $in['port']);
    $redis->select(2);
    $redis->hMSet($key, ['data' => $text, 'lock' => 0]);
    $redis->hIncrBy($key, 'writes', 1);
    $redis->expire($key, 3600);
}
return [
    'id' => $in['key'] === '' ? $in['id'] : hash_hmac('sha256', $in['id'], $in['key']),
    'data' => base64_encode($text),
];
