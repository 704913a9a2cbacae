<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** An application of a framework, served by PHP, with a chat server that accepts its tickets and sends it events. */
final class FrameworkSite
{
    public const WEBHOOK_KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

    public readonly string $url;
    public readonly string $folder;
    public readonly ChatServerProcess $chat;
    private readonly ServerProcess $server;
    /** @var array<string, string> the environment variables of the application */
    private readonly array $settings;
    /** @var array<string, string> cookies of the visitor, as in the header */
    private array $cookies = [];

    /**
     * @param string $name the subfolder of this folder that contains the application
     * @param array<string, string> $settings further environment variables of the application
     */
    public function __construct(private readonly string $name, array $settings = [])
    {
        $port = ServerProcess::ownPort();
        $this->url = "http://127.0.0.1:$port";
        $this->folder = ServerProcess::folder();
        file_put_contents("$this->folder/webhook-key", self::WEBHOOK_KEY);
        $this->chat = new ChatServerProcess([
            "CHAT_ORIGINS=$this->url",
            "CHAT_WEBHOOK_URL=$this->url/php-chat/webhook",
            "CHAT_WEBHOOK_KEY_FILE=$this->folder/webhook-key",
        ]);
        $this->settings = $settings + [
            'SITE_FOLDER' => $this->folder,
            'APP_URL' => $this->url,
            'PHP_CHAT_API_URL' => $this->chat->url,
            'PHP_CHAT_API_KEY' => ChatServerProcess::KEY,
            'PHP_CHAT_TICKET_KEY' => ChatServerProcess::TICKET_KEY,
            'PHP_CHAT_TICKET_AUDIENCE' => ChatServerProcess::TICKET_AUDIENCE,
            'PHP_CHAT_WEBHOOK_KEY' => self::WEBHOOK_KEY,
        ];
        $this->server = new ServerProcess(
            ['env', ...$this->environment([]), PHP_BINARY, '-S', "127.0.0.1:$port", __DIR__ . "/$name/index.php"],
            $this->folder,
            'started',
        );
    }

    /**
     * Sends a request with the cookies of the visitor.
     *
     * @param list<string> $headers
     * @return array{int, string, string} the status, the body and the response headers
     */
    public function request(string $path, array $headers = [], ?string $body = null): array
    {
        $cookies = implode('; ', array_map(fn ($name, $value) => "$name=$value", array_keys($this->cookies), $this->cookies));
        [$status, $answer, $all] = self::fetch("$this->url$path", ["Cookie: $cookies", ...$headers], $body);
        preg_match_all('/^Set-Cookie: ([^=]+)=([^;]*)/mi', $all, $found, PREG_SET_ORDER);
        foreach ($found as [, $name, $value]) {
            $this->cookies[$name] = $value;
        }
        return [$status, $answer, $all];
    }

    public function end(): void
    {
        $this->chat->end();
        $this->server->end();
    }

    public function forgetVisitor(): void
    {
        $this->cookies = [];
    }

    /** Returns the user of a ticket from the chat server; empty if it rejects the ticket. @return array<string, mixed> */
    public function userOf(string $ticket): array
    {
        $answer = self::fetch("{$this->chat->url}/me", ["Authorization: Ticket $ticket", "Origin: $this->url"])[1];
        return json_decode($answer, true)['user'] ?? [];
    }

    /**
     * Waits for an event that the application has recorded.
     *
     * @param callable(array<string, mixed>): bool $isWanted
     * @return array<string, mixed>
     */
    public function event(callable $isWanted): array
    {
        for ($until = microtime(true) + 30; microtime(true) < $until; usleep(10_000)) {
            foreach ($this->events() as $event) {
                if ($isWanted($event)) {
                    return $event;
                }
            }
        }
        throw new \RuntimeException("The event was not received:\n" . substr((string) file_get_contents("$this->folder/log"), -2000));
    }

    /** @return list<array<string, mixed>> the events that the application has recorded */
    public function events(): array
    {
        $lines = @file("$this->folder/events") ?: [];
        return array_map(static fn (string $line) => json_decode($line, true), $lines);
    }

    /**
     * Runs a command of the application.
     *
     * @param array<string, string> $settings
     * @return array{int, string} the exit code and the output
     */
    public function command(string $command, array $settings = []): array
    {
        $run = ['env', ...$this->environment($settings), PHP_BINARY, __DIR__ . "/$this->name/artisan.php", $command];
        $process = proc_open($run, [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
        $output = stream_get_contents($pipes[1]);
        return [proc_close($process), $output];
    }

    /** @param array<string, string> $settings @return list<string> */
    private function environment(array $settings): array
    {
        $all = $settings + $this->settings;
        return array_map(static fn ($name, $value) => "$name=$value", array_keys($all), $all);
    }

    /** @param list<string> $headers @return array{int, string, string} */
    private static function fetch(string $url, array $headers, ?string $body = null): array
    {
        $stream = fopen($url, 'rb', false, stream_context_create(['http' => [
            'method' => $body === null ? 'GET' : 'POST', 'header' => [...$headers, 'Content-Type: application/json'],
            'content' => $body ?? '', 'ignore_errors' => true, 'timeout' => 20, 'follow_location' => 0,
        ]]));
        $all = stream_get_meta_data($stream)['wrapper_data'];
        return [(int) explode(' ', $all[0])[1], (string) stream_get_contents($stream), implode("\n", $all)];
    }
}
