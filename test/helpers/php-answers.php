<?php
// Runs scripts of this folder, one after the other. A line of the standard input has the name of a script and its input;
// what the script returns is a line of the standard output. Nothing is printed, as PHP then starts no session any more.
function answer(string $script, mixed $in): mixed
{
    return require __DIR__ . "/$script";
}
while (($line = fgets(STDIN)) !== false) {
    [$script, $in] = json_decode($line, true);
    fwrite(STDOUT, json_encode(answer($script, $in)) . "\n");
}
