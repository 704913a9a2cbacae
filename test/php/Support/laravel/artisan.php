<?php

/** Runs a command of the application. */

declare(strict_types=1);

use Illuminate\Console\Application;

$app = require __DIR__ . '/app.php';
exit((new Application($app, $app['events'], '8'))->run());
