<?php
// Makes what MyBB makes: the key of a user's logins, the id of a session, and the cookie. Reads a JSON object from the
// standard input: uid, loginkey (of a user who has one, else null).
$in = json_decode(stream_get_contents(STDIN), true);
$letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
$random = '';
while (strlen($random) < 50) $random .= $letters[random_int(0, 61)];
$loginkey = $in['loginkey'] ?? $random;
echo json_encode([
    'loginkey' => $loginkey,
    'sid' => md5(random_bytes(50)),
    'cookie' => urlencode("{$in['uid']}_$loginkey"),
]);
