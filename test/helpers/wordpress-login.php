<?php
// Makes what WordPress makes at a login: the cookie, and the sessions in the row of its user. Its input: login, hash (of the password), secret (key and salt), expiration, token, new (6.8 or later), and
// before: the sessions that are there, and session: what else this one has. With `out` the session of that token is taken out, as at a logout.
$sessions = $in['before'] === null ? [] : unserialize($in['before']);
$verifier = hash('sha256', $in['token']);
if (isset($in['out'])) {
    unset($sessions[$verifier]);
    return ['tokens' => $sessions === [] ? null : serialize($sessions)];
}
$isOld = str_starts_with($in['hash'], '$P$') || str_starts_with($in['hash'], '$2y$');
$part = $in['new'] && !$isOld ? substr($in['hash'], -4) : substr($in['hash'], 8, 4);
$signed = "{$in['login']}|{$in['expiration']}|{$in['token']}";
$key = hash_hmac('md5', "{$in['login']}|$part|{$in['expiration']}|{$in['token']}", $in['secret']);
$signature = hash_hmac('sha256', $signed, $key);
// A text of the visitor's that looks like the rest.
$agent = 'Mozilla";s:10:"expiration";i:9999999999;}';
$sessions[$verifier] = ['expiration' => $in['expiration'], 'ip' => '::1', 'ua' => $agent, 'login' => 1] + ($in['session'] ?? []);
return [
    'cookie' => rawurlencode("$signed|$signature"),
    'signature' => $signature,
    'tokens' => serialize($sessions),
];
