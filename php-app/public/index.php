<?php

declare(strict_types=1);

// PHP's built-in web server also runs this script for requests of static files.
if (PHP_SAPI === 'cli-server' && preg_match('~^/([a-z]+/)?[a-z0-9]+\.(css|js|svg)(\?|\z)~', $_SERVER['REQUEST_URI']) === 1) {
    if (is_file(__DIR__ . strtok($_SERVER['REQUEST_URI'], '?'))) {
        return false;
    }
}

require __DIR__ . '/../src/autoload.php';

PhpSessionChat\FrontController::run();
