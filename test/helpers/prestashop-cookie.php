<?php
// Creates a cookie as PrestaShop does in classes/Cookie.php, with Crypto::encrypt() of defuse/php-encryption.
$text = '';
foreach ($in['content'] as $name => $value) {
    $text .= $name . '|' . $value . '¤';
}
$text .= 'checksum|' . hash('sha256', $in['iv'] . $text);
$key = hex2bin($in['key']);
$salt = random_bytes(32);
$iv = random_bytes(16);
$derived = fn (string $what) => hash_hkdf('sha256', $key, 32, 'DefusePHP|V2|KeyFor' . $what, $salt);
$box = "\xDE\xF5\x02\x00" . $salt . $iv
    . openssl_encrypt($text, 'aes-256-ctr', $derived('Encryption'), OPENSSL_RAW_DATA, $iv);
return bin2hex($box . hash_hmac('sha256', $box, $derived('Authentication'), true));
