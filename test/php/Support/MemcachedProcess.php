<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real memcached of the tests' own, on a free port of the loopback. */
final class MemcachedProcess extends ServerProcess
{
    public readonly int $port;

    private static ?self $shared = null;

    /** The one for all tests that do not stop it; ended with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /** @param list<string> $options of memcached */
    public function __construct(array $options = [])
    {
        $port = $this->port = self::ownPort();
        $user = posix_getuid() === 0 ? ['-u', 'nobody'] : [];
        parent::__construct(
            ['memcached', '-l', '127.0.0.1', '-p', (string) $port, '-U', '0', ...$user, ...$options],
            self::folder(),
            static fn (): bool => @fsockopen('127.0.0.1', $port) !== false,
        );
    }

    /** Sends one command of the text protocol to the memcached on that port; the lines of its answer. */
    public static function ask(int $port, string $command): array
    {
        $socket = stream_socket_client("tcp://127.0.0.1:$port");
        fwrite($socket, "$command\r\nquit\r\n");
        return explode("\r\n", rtrim(stream_get_contents($socket), "\r\n"));
    }
}
