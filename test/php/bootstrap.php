<?php

declare(strict_types=1);

use PhpSessionChat\Tests\Support\MemcachedProcess;

require __DIR__ . '/../../php-app/src/autoload.php';
spl_autoload_register(static function (string $class): void {
    $name = str_replace('PhpSessionChat\\Tests\\', '', $class);
    if ($name !== $class) {
        require __DIR__ . '/' . strtr($name, '\\', '/') . '.php';
    }
});

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

// The tests share this one; those that stop or end a memcached start their own.
if (getenv('MEMCACHED_PORT') === false) {
    $memcached = new MemcachedProcess();
    putenv("MEMCACHED_PORT=$memcached->port");
}
