<?php
// Runs scripts of this folder, one after another. A line on standard input contains the name of a script and its input.
// The script's return value is written as a line to standard output. The scripts must not print anything, because PHP
// cannot start a session after output.
function answer(string $script, mixed $in): mixed
{
    return require __DIR__ . "/$script";
}
while (($line = fgets(STDIN)) !== false) {
    [$script, $in] = json_decode($line, true);
    fwrite(STDOUT, json_encode(answer($script, $in)) . "\n");
}
