<?php

declare(strict_types=1);

// Loads the classes of the site and the library without Composer, so that a checkout runs without installation.
require __DIR__ . '/../../php/autoload.php';
spl_autoload_register(static function (string $class): void {
    $prefix = 'PhpSessionChat\\';
    if (str_starts_with($class, $prefix)) {
        $file = __DIR__ . '/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
