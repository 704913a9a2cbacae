<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real memcached for the tests, on a loopback port. */
final class MemcachedProcess extends ServerProcess
{
    public readonly int $port;

    private static ?self $shared = null;

    /** Shared by all tests that do not stop it. Ends with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /**
     * @param list<string> $options memcached options
     * @param int|null $port the port of a memcached that has ended
     */
    public function __construct(array $options = [], ?int $port = null)
    {
        $port = $this->port = $port ?? self::ownPort();
        $user = posix_getuid() === 0 ? ['-u', 'nobody'] : [];
        parent::__construct(
            ['memcached', '-l', '127.0.0.1', '-p', (string) $port, '-U', '0', ...$user, ...$options],
            self::folder(),
            static fn (): bool => @fsockopen('127.0.0.1', $port) !== false,
        );
    }

    /** Sends a command of the text protocol. @return list<string> the lines of the response */
    public static function ask(int $port, string $command): array
    {
        $socket = stream_socket_client("tcp://127.0.0.1:$port");
        fwrite($socket, "$command\r\nquit\r\n");
        return explode("\r\n", rtrim(stream_get_contents($socket), "\r\n"));
    }
}
