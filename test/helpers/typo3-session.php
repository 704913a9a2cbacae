<?php
// Returns the cookie and the ID in the table that TYPO3 creates for a session. Input: version, key (the encryptionKey),
// identifier and payload (further claims of the token).
$class = 'TYPO3\CMS\Core\Session\UserSession';
$key = version_compare($in['version'], '14.3', '>=')
    ? hash_hkdf(algo: 'sha256', key: $in['key'], length: 32, info: $class)
    : hash('sha256', $in['key']) . '/' . $class;
$encoded = fn (string $text) => str_replace('=', '', strtr(base64_encode($text), '+/', '-_'));
$payload = ['identifier' => $in['identifier'], 'time' => date(DATE_RFC3339)] + $in['payload'];
$signed = $encoded(json_encode(['typ' => 'JWT', 'alg' => 'HS256'])) . '.' . $encoded(json_encode($payload));
$joined = $in['key'] . 'core-session-backend';
return [
    'cookie' => $signed . '.' . $encoded(hash_hmac('sha256', $signed, $key, true)),
    'id' => version_compare($in['version'], '14', '>=')
        ? hash_hmac('sha3-256', $in['identifier'], $joined)
        : hash_hmac('sha256', $in['identifier'], sha1($joined)),
];
