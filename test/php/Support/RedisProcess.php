<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real Redis of the tests' own, on a free port of the loopback. */
final class RedisProcess
{
    private static ?self $shared = null;

    public readonly int $port;
    /** Holds its unix socket `redis.sock`. */
    public readonly string $folder;

    private readonly ServerProcess $server;

    /** The one that all tests use that do not stop it; ended with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /** @param list<string> $options of redis-server */
    public function __construct(array $options = [])
    {
        $this->port = ServerProcess::freePort();
        $this->folder = ServerProcess::folder('redis', 'root');
        $this->server = new ServerProcess([
            'redis-server', '--port', (string) $this->port, '--bind', '127.0.0.1', '--save', '',
            '--dir', $this->folder, '--unixsocket', "$this->folder/redis.sock", ...$options,
        ], $this->folder, 'Ready to accept connections');
    }

    /** Stops it without ending it: connections are accepted by the kernel, and nothing answers. */
    public function pause(): void
    {
        $this->server->pause();
    }

    public function resume(): void
    {
        $this->server->resume();
    }

    public function end(): void
    {
        $this->server->end();
    }
}
