<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

final class Parallel
{
    /**
     * @param list<array{string, string, string}> $requests store URL, session ID, and code after session_start(), see
     * parallel-requests.php
     * @return list<string> their errors, or '' on success
     */
    public static function requests(array $requests): array
    {
        $input = Folder::temporary() . '/requests';
        file_put_contents($input, serialize($requests));
        $process = proc_open(
            [
                PHP_BINARY, '-d', 'memory_limit=64M', '-d', 'session.upload_progress.enabled=0',
                __DIR__ . '/parallel-requests.php',
            ],
            [0 => ['file', $input, 'r'], 1 => ['pipe', 'w'], 2 => ['redirect', 1]],
            $pipes,
        );
        $output = stream_get_contents($pipes[1]);
        proc_close($process);
        $errors = @unserialize($output);
        return is_array($errors) ? $errors : throw new \RuntimeException("The requests failed:\n$output");
    }
}
