<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real session server of the tests' own, on a free port of the loopback; ended with the test run at the latest. */
final class SessionServerProcess
{
    private const ROOT = __DIR__ . '/../../..';

    public readonly int $port;
    /** Holds its unix socket `socket`. */
    public readonly string $folder;

    private readonly ServerProcess $server;

    /**
     * @param array<string, string> $settings without their `SESSION_SERVER_`
     * @param int|null $port of one that has ended, for another in its place
     */
    public function __construct(array $settings = [], ?int $port = null)
    {
        $this->port = $port ?? ServerProcess::freePort();
        $this->folder = ServerProcess::folder('session-server', 'root');
        $settings += ['HOST' => '127.0.0.1', 'PORT' => (string) $this->port, 'SOCKET' => "$this->folder/socket"];
        $environment = [];
        foreach ($settings as $name => $value) {
            $environment[] = "SESSION_SERVER_$name=$value";
        }
        $this->server = new ServerProcess(
            ['env', ...$environment, self::ROOT . '/node_modules/.bin/node', self::ROOT . '/session-server/main.ts'],
            $this->folder,
            '"msg":"listening"',
        );
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
