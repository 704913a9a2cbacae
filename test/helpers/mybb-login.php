<?php
// Makes what MyBB makes: the key of a user's logins, the id of a session, and the cookie. Its input: uid, loginkey (of a user who has one, else null).
$letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
$random = '';
while (strlen($random) < 50) $random .= $letters[random_int(0, 61)];
$loginkey = $in['loginkey'] ?? $random;
return [
    'loginkey' => $loginkey,
    'sid' => md5(random_bytes(50)),
    'cookie' => urlencode("{$in['uid']}_$loginkey"),
];
