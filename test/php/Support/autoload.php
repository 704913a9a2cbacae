<?php

declare(strict_types=1);

// Loads the library without Composer, and the classes of these tests.
require __DIR__ . '/../../../php/autoload.php';
spl_autoload_register(static function (string $class): void {
    $name = str_replace('PhpSessionChat\\Tests\\', '', $class);
    if ($name !== $class) {
        require dirname(__DIR__) . '/' . strtr($name, '\\', '/') . '.php';
    }
});
