<?php

declare(strict_types=1);

// Loads the library and its packages for frameworks without Composer, and the classes of these tests.
require __DIR__ . '/../../../php/autoload.php';
spl_autoload_register(static function (string $class): void {
    foreach (['Laravel', 'Symfony'] as $framework) {
        if (str_starts_with($class, "PhpSessionChat\\$framework\\")) {
            $path = strtr(substr($class, strlen("PhpSessionChat\\$framework\\")), '\\', '/');
            require __DIR__ . '/../../../php/' . strtolower($framework) . "/src/$path.php";
            return;
        }
    }
    $name = str_replace('PhpSessionChat\\Tests\\', '', $class);
    if ($name !== $class) {
        require dirname(__DIR__) . '/' . strtr($name, '\\', '/') . '.php';
    }
});
