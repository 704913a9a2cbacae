<?php
// Returns what test/fixtures/laravel.php prints. Input: folder and jobs.
$argv = [null, $in['folder'], json_encode($in['jobs'])];
ob_start();
require __DIR__ . '/../fixtures/laravel.php';
return json_decode(ob_get_clean(), true);
