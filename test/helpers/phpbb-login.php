<?php
// Makes what phpBB makes at a login: the id of the session, the columns of its row, and with `remember` a key of the
// browser. Its input: browser (the User-Agent), remember.
$key = $in['remember'] ? bin2hex(random_bytes(8)) : '';
$browser = htmlspecialchars(trim(str_replace("\u{FEFF}", '', $in['browser'])), ENT_COMPAT, 'UTF-8');
return [
    'sid' => md5(bin2hex(random_bytes(8))),
    'browser' => trim(substr($browser, 0, 149)),
    'key' => $key,
    'keyId' => md5($key),
    'time' => time(),
];
