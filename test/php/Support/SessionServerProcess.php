<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real session server for the tests, on a free loopback port and on the Unix socket `socket` in its folder. */
final class SessionServerProcess extends ServerProcess
{
    public readonly int $port;

    private static ?self $shared = null;

    /** Shared by all tests that do not stop it. Ends with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /**
     * @param array<string, string> $settings by name, without `SESSION_SERVER_`
     * @param int|null $port the port of a server that has ended
     */
    public function __construct(array $settings = [], ?int $port = null)
    {
        $this->port = $port ?? self::ownPort();
        $folder = self::folder();
        $settings += ['HOST' => '127.0.0.1', 'PORT' => (string) $this->port, 'SOCKET' => "$folder/socket"];
        $environment = [];
        foreach ($settings as $name => $value) {
            $environment[] = "SESSION_SERVER_$name=$value";
        }
        parent::__construct(self::program('session-server', $environment), $folder, '"msg":"listening"');
    }
}
