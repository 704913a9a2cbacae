<?php

declare(strict_types=1);

// What Composer would generate for composer.json in this folder, for sites that do without it.
spl_autoload_register(static function (string $class): void {
    $prefix = 'PhpSessionChat\\Session\\';
    if (str_starts_with($class, $prefix)) {
        $file = __DIR__ . '/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
