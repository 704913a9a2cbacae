<?php

declare(strict_types=1);

require __DIR__ . '/Support/autoload.php';
require __DIR__ . '/../../php-app/src/autoload.php';

$extensions = [
    'igbinary' => 'php-igbinary',
    'memcached' => 'php-memcached',
    'msgpack' => 'php-msgpack',
    'pdo_mysql' => 'php-mysql',
    'pdo_pgsql' => 'php-pgsql',
    'pdo_sqlite' => 'php-sqlite3',
    'redis' => 'php-redis',
];
foreach ($extensions as $extension => $package) {
    if (!extension_loaded($extension)) {
        fwrite(STDERR, "The PHP extension $extension is missing: install the Debian package $package.\n");
        exit(69);
    }
}
