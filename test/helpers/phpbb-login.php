<?php
// Returns what phpBB creates at a login: the ID of the session, the columns of its row, and with `remember` a key for
// the browser. Input: browser (the User-Agent) and remember.
$key = $in['remember'] ? bin2hex(random_bytes(8)) : '';
$browser = htmlspecialchars(trim(str_replace("\u{FEFF}", '', $in['browser'])), ENT_COMPAT, 'UTF-8');
return [
    'sid' => md5(bin2hex(random_bytes(8))),
    'browser' => trim(substr($browser, 0, 149)),
    'key' => $key,
    'keyId' => md5($key),
    'time' => time(),
];
