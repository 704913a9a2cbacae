<?php
// Returns what MyBB generates: the key of a user's logins, the ID of a session, and the cookie. Input: uid and loginkey
// (null if the user has none).
$letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
$random = '';
while (strlen($random) < 50) $random .= $letters[random_int(0, 61)];
$loginkey = $in['loginkey'] ?? $random;
return [
    'loginkey' => $loginkey,
    'sid' => md5(random_bytes(50)),
    'cookie' => urlencode("{$in['uid']}_$loginkey"),
];
