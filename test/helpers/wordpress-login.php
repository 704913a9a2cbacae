<?php
// Returns the cookie and the sessions in the user's row that WordPress creates at a login. Input: login, hash (of the
// password), secret (key and salt), expiration, token, new (6.8 or later), before (the earlier sessions) and session
// (further values of this session). With `out` it removes the session of that token, as a logout does.
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
// A value from the visitor that looks like serialized data.
$agent = 'Mozilla";s:10:"expiration";i:9999999999;}';
$sessions[$verifier] = ['expiration' => $in['expiration'], 'ip' => '::1', 'ua' => $agent, 'login' => 1] + ($in['session'] ?? []);
return [
    'cookie' => rawurlencode("$signed|$signature"),
    'signature' => $signature,
    'tokens' => serialize($sessions),
];
