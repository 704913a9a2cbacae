<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real chat server for the tests, on a free loopback port, with sessions in the shared memcached. */
final class ChatServerProcess extends ServerProcess
{
    public const KEY = 'a-key-of-more-than-16-characters';

    public readonly int $port;
    public readonly string $url;

    private static ?self $shared = null;

    /** Shared by all tests that do not stop it. Ends with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /** @param list<string> $settings more of them, as `NAME=VALUE` */
    public function __construct(array $settings = [])
    {
        $this->port = self::ownPort();
        $this->url = "http://127.0.0.1:$this->port";
        $folder = self::folder();
        $store = 'memcached://127.0.0.1:' . MemcachedProcess::shared()->port . '?prefix=sessions/&format=json';
        parent::__construct(
            self::program('run', [
                'CHAT_HOST=127.0.0.1',
                "CHAT_PORT=$this->port",
                "CHAT_SESSION_STORE=$store",
                "CHAT_HISTORY=sqlite:$folder/chat.db",
                'CHAT_API_KEY=' . self::KEY,
                ...$settings,
            ]),
            $folder,
            '"msg":"listening"',
        );
    }
}
