<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real memcached of the tests' own, on a free port of the loopback; ended with the test run at the latest. */
final class MemcachedProcess
{
    public readonly int $port;

    /** @var resource */
    private $process;

    public function __construct(string ...$options)
    {
        $this->port = ServerProcess::freePort();
        $user = posix_getuid() === 0 ? ['-u', 'nobody'] : [];
        $command = ['memcached', '-l', '127.0.0.1', '-p', (string) $this->port, '-U', '0', ...$user, ...$options];
        // A list, not a string: no shell in between, so the process id is memcached's own.
        $process = @proc_open($command, [], $pipes);
        if ($process === false) {
            throw new \RuntimeException('memcached cannot be started: install the Debian package memcached.');
        }
        $this->process = $process;
        register_shutdown_function($this->end(...));
        for ($until = microtime(true) + 5; microtime(true) < $until; usleep(5000)) {
            if (@fsockopen('127.0.0.1', $this->port) !== false) {
                return;
            }
            if (!proc_get_status($process)['running']) {
                break;
            }
        }
        throw new \RuntimeException('memcached ended at once: is the Debian package memcached installed?');
    }

    /** Stops it without ending it: connections are accepted by the kernel, and nothing answers. */
    public function pause(): void
    {
        proc_terminate($this->process, SIGSTOP);
        // Its threads stop a moment after the signal is sent, and could still answer until then.
        while (!proc_get_status($this->process)['stopped']) {
            usleep(1000);
        }
    }

    public function resume(): void
    {
        proc_terminate($this->process, SIGCONT);
    }

    public function end(): void
    {
        if (is_resource($this->process)) {
            proc_terminate($this->process, SIGKILL);
            proc_close($this->process);
        }
    }

    /** Sends one command of the text protocol to the memcached on that port; the lines of its answer. */
    public static function ask(int $port, string $command): array
    {
        $socket = stream_socket_client("tcp://127.0.0.1:$port");
        fwrite($socket, "$command\r\nquit\r\n");
        return explode("\r\n", rtrim(stream_get_contents($socket), "\r\n"));
    }
}
