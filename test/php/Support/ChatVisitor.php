<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A visitor with an open chat: a minimal Socket.IO client over HTTP long-polling. */
final class ChatVisitor
{
    private readonly string $cookie;
    private string $sid = '';

    public function __construct(private readonly ChatServerProcess $server, int|string $userId, string $name)
    {
        $id = bin2hex(random_bytes(16));
        $this->cookie = "PHPSESSID=$id";
        $session = json_encode(['user_id' => $userId, 'firstname' => $name], JSON_THROW_ON_ERROR);
        $port = MemcachedProcess::shared()->port;
        MemcachedProcess::ask($port, "set sessions/$id 0 0 " . strlen($session) . "\r\n$session");
    }

    /** @return array<string, mixed>|null the payload of `session:ready`, or null if the visitor is rejected */
    public function connect(): ?array
    {
        $this->sid = '';
        $this->sid = json_decode(substr($this->ask('GET'), 1), true, 8, JSON_THROW_ON_ERROR)['sid'];
        $this->ask('POST', '40');
        for ($polls = 0; $polls < 5; $polls++) {
            foreach ($this->packets() as $packet) {
                if (str_starts_with($packet, '44')) {
                    return null;
                }
                if (str_starts_with($packet, '42["session:ready"')) {
                    return json_decode(substr($packet, 2), true, 32, JSON_THROW_ON_ERROR)[1];
                }
            }
        }
        throw new \RuntimeException('The chat server neither accepted nor rejected the connection.');
    }

    /** @return array{string, mixed} the next event with this name, and its payload */
    public function event(string $name): array
    {
        for ($polls = 0; $polls < 5; $polls++) {
            foreach ($this->packets() as $packet) {
                $event = str_starts_with($packet, '42') ? json_decode(substr($packet, 2), true) : [];
                if (($event[0] ?? null) === $name) {
                    return $event;
                }
            }
        }
        throw new \RuntimeException("No event $name was received.");
    }

    /** Waits for packets. @return list<string> the server's packets */
    private function packets(): array
    {
        return explode("\x1e", $this->ask('GET'));
    }

    private function ask(string $method, string $content = ''): string
    {
        $sid = $this->sid === '' ? '' : "&sid=$this->sid";
        $answer = file_get_contents("{$this->server->url}/socket.io/?EIO=4&transport=polling$sid", false, stream_context_create([
            'http' => [
                'method' => $method,
                'header' => "Cookie: $this->cookie\r\nContent-Type: text/plain",
                'content' => $content,
                'timeout' => 10,
            ],
        ]));
        return $answer === false ? throw new \RuntimeException('The chat server does not answer.') : $answer;
    }
}
