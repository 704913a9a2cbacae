<?php

declare(strict_types=1);

// The library by the one file that a site without Composer requires, and the classes of these tests.
require __DIR__ . '/../../../php/autoload.php';
spl_autoload_register(static function (string $class): void {
    $name = str_replace('PhpSessionChat\\Tests\\', '', $class);
    if ($name !== $class) {
        require dirname(__DIR__) . '/' . strtr($name, '\\', '/') . '.php';
    }
});
