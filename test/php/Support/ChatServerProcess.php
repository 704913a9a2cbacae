<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A real chat server for the tests, on a free loopback port, with sessions in the shared memcached, and tickets. */
final class ChatServerProcess extends ServerProcess
{
    public const KEY = 'a-key-of-more-than-16-characters';
    public const TICKET_KEY = 'dGhpcyBrZXkgaGFzIDMyIGJ5dGVzLCBvciBtb3JlISE=';
    public const TICKET_AUDIENCE = 'chat.example';

    public readonly int $port;
    public readonly string $url;

    private static ?self $shared = null;

    /** Shared by all tests that do not stop it. Ends with the test run. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /** @param list<string> $settings additional settings, as `NAME=VALUE` */
    public function __construct(array $settings = [])
    {
        $this->port = self::ownPort();
        $this->url = "http://127.0.0.1:$this->port";
        $folder = self::folder();
        file_put_contents("$folder/ticket-key", self::TICKET_KEY);
        $store = 'memcached://127.0.0.1:' . MemcachedProcess::shared()->port . '?prefix=sessions/&format=json';
        parent::__construct(
            self::program('run', [
                'CHAT_HOST=127.0.0.1',
                "CHAT_PORT=$this->port",
                "CHAT_SESSION_STORE=$store",
                "CHAT_HISTORY=sqlite:$folder/chat.db",
                'CHAT_API_KEY=' . self::KEY,
                'CHAT_TEAM=team',
                "CHAT_TICKET_KEY_FILE=$folder/ticket-key",
                'CHAT_TICKET_AUDIENCE=' . self::TICKET_AUDIENCE,
                ...$settings,
            ]),
            $folder,
            '"msg":"listening"',
        );
    }
}
