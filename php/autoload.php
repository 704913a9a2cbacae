<?php

declare(strict_types=1);

// Loads the classes of this library without Composer. The prefixes are the same as in composer.json.
spl_autoload_register(static function (string $class): void {
    foreach (['PhpSessionChat\\Session\\', 'PhpSessionChat\\'] as $prefix) {
        if (str_starts_with($class, $prefix)) {
            $file = __DIR__ . '/src/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
            if (is_file($file)) {
                require $file;
            }
            return;
        }
    }
});
