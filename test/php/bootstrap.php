<?php

declare(strict_types=1);

use PhpSessionChat\Tests\Support\MemcachedProcess;

require __DIR__ . '/../../php-app/src/autoload.php';
require __DIR__ . '/Support/MemcachedProcess.php';
require __DIR__ . '/Support/SessionScript.php';

foreach (['memcached' => 'php-memcached', 'pdo_sqlite' => 'php-sqlite3'] as $extension => $package) {
    if (!extension_loaded($extension)) {
        fwrite(STDERR, "The PHP extension $extension is missing: install the Debian package $package.\n");
        exit(69);
    }
}

// The tests share this one; those that stop or end a memcached start their own.
if (getenv('MEMCACHED_PORT') === false) {
    $memcached = new MemcachedProcess();
    putenv("MEMCACHED_PORT=$memcached->port");
    register_shutdown_function($memcached->end(...));
}
