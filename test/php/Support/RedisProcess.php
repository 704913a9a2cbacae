<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real Redis for the tests, on a free loopback port, and on the unix socket `redis.sock` in its folder. */
final class RedisProcess extends ServerProcess
{
    public readonly int $port;

    private static ?self $shared = null;

    /** Shared by all tests that do not stop it. Ends with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /** @param list<string> $options redis-server options */
    public function __construct(array $options = [])
    {
        $this->port = self::ownPort();
        $folder = self::folder();
        parent::__construct([
            'redis-server', '--port', (string) $this->port, '--bind', '127.0.0.1', '--save', '',
            '--dir', $folder, '--unixsocket', "$folder/redis.sock", ...$options,
        ], $folder, 'Ready to accept connections');
    }
}
