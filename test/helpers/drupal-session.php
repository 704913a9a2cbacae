<?php
// Returns what Drupal stores of a session: the session as PHP encodes it, and its hashed ID. Input: id (of the
// session), attributes (of Symfony's bag), more (further variables) and meta (further metadata).
ini_set('session.save_path', sys_get_temp_dir());
ini_set('session.use_cookies', 0);
session_cache_limiter('');
session_start();
$_SESSION = [];
foreach ($in['more'] ?? [] as $name => $value) {
    $_SESSION[$name] = $value;
}
$_SESSION['_sf2_attributes'] = $in['attributes'];
$_SESSION['_symfony_flashes'] = [];
$_SESSION['_sf2_meta'] = ['u' => 1, 'c' => 1, 'l' => 2000000, 's' => "\x01\xff seed"] + ($in['meta'] ?? []);
$bytes = session_encode();
session_destroy();
return [
    'session' => bin2hex($bytes),
    'sid' => str_replace(['+', '/', '='], ['-', '_', ''], base64_encode(hash('sha256', $in['id'], true))),
];
