<?php
// Creates the cookies that SMF sets at a login. Input: id, passwd (the hash of the password), salt, secret
// ($auth_secret) and backup (the hash of the second factor's code, or null without a second factor).
$cookie = function (string $hashed) use ($in) {
    $hash = hash_hmac('sha512', $hashed, $in['secret'] . $in['salt']);
    $parts = [$in['id'], $hash, time() + 3600, 'forum.example.org', '/'];
    return ['hash' => $hash, 'value' => rawurlencode(json_encode($parts, JSON_FORCE_OBJECT))];
};
return ['first' => $cookie($in['passwd']), 'second' => $in['backup'] === null ? null : $cookie($in['backup'])];
