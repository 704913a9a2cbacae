<?php

declare(strict_types=1);

namespace PhpSessionChat;

/**
 * A sample user, who logs in to the site and uses the chat like a browser, by Socket.IO over HTTP polling
 * (docs/protocol.md).
 *
 * The sample conversation needs it, because the API supports neither pictures nor reactions.
 */
final class ChatVisitor
{
    private const TIMEOUT = 20;
    /** Separates the packets of a response. */
    private const SEPARATOR = "\x1e";

    private string $cookie = '';
    private string $socket;
    private int $requests = 0;
    /** @var list<string> received, but not yet read packets */
    private array $packets = [];

    public function __construct(string $site, private readonly string $chat, string $name)
    {
        preg_match('/name="csrf" value="(\w+)"/', $this->http('GET', "$site/"), $csrf);
        $form = ['username' => $name, 'password' => $name, 'csrf' => $csrf[1] ?? ''];
        $this->http('POST', "$site/login", http_build_query($form), ['Content-Type: application/x-www-form-urlencoded']);
        $address = "$chat/socket.io/?EIO=4&transport=polling";
        $opened = json_decode(substr($this->http('GET', $address), 1), true, 4, JSON_THROW_ON_ERROR);
        $this->socket = "$address&sid={$opened['sid']}";
        $this->http('POST', $this->socket, '40');
        $this->await('42["session:ready",');
    }

    /**
     * @param array<string, mixed> $payload
     * @return array<string, mixed> the data of the response
     */
    public function ask(string $event, array $payload): array
    {
        return $this->answer($this->send($event, $payload));
    }

    /**
     * Sends a request without waiting for the response.
     *
     * @param array<string, mixed> $payload
     * @return int the number of the request
     */
    public function send(string $event, array $payload): int
    {
        $number = $this->requests++;
        $this->http('POST', $this->socket, "42$number" . json_encode([$event, $payload], JSON_THROW_ON_ERROR));
        return $number;
    }

    /** @return array<string, mixed> the data of the response to the request with this number */
    public function answer(int $number): array
    {
        $packet = $this->await("43{$number}[");
        $answer = json_decode(substr($packet, strpos($packet, '[')), true, 32, JSON_THROW_ON_ERROR)[0];
        return $answer['ok']
            ? $answer['data']
            : throw new \RuntimeException("{$answer['error']['code']}: {$answer['error']['message']}");
    }

    /** @param string $peaks of a voice message @return string the ID of the file */
    public function upload(string $room, string $name, string $bytes, string $peaks = ''): string
    {
        $query = http_build_query(['room' => $room, 'name' => $name] + ($peaks === '' ? [] : ['peaks' => $peaks]));
        // A request with only the cookie would also need an Origin header.
        $login = 'Authorization: Session ' . substr($this->cookie, strlen('PHPSESSID='));
        $answer = $this->http('POST', "$this->chat/files?$query", $bytes, [$login]);
        return json_decode($answer, true, 8, JSON_THROW_ON_ERROR)['file']['id'];
    }

    public function leave(): void
    {
        $this->http('POST', $this->socket, '1');
    }

    private function await(string $start): string
    {
        for (;;) {
            while (($packet = array_shift($this->packets)) !== null) {
                if ($packet === '2') {
                    $this->http('POST', $this->socket, '3');
                }
                if (str_starts_with($packet, '44')) {
                    throw new \RuntimeException("The chat server rejected the connection: $packet");
                }
                if (str_starts_with($packet, $start)) {
                    return $packet;
                }
            }
            $this->packets = explode(self::SEPARATOR, $this->http('GET', $this->socket));
        }
    }

    /** @param list<string> $more headers */
    private function http(string $method, string $url, string $body = '', array $more = []): string
    {
        $headers = ["Cookie: $this->cookie", 'Connection: close', ...$more];
        if ($method === 'POST') {
            array_push($headers, 'Content-Length: ' . strlen($body), ...($more === [] ? ['Content-Type: text/plain'] : []));
        }
        $answer = @fopen($url, 'rb', false, stream_context_create(['http' => [
            'method' => $method,
            'header' => $headers,
            'content' => $body,
            'timeout' => self::TIMEOUT,
            'ignore_errors' => true,
            'follow_location' => 0,
        ]]));
        $headers = $answer === false ? [] : stream_get_meta_data($answer)['wrapper_data'];
        $status = (int) (explode(' ', $headers[0] ?? '')[1] ?? 0);
        $path = parse_url($url, PHP_URL_PATH);
        if ($answer === false || $status < 200 || $status >= 400) {
            throw new \RuntimeException("$method $path: " . ($status === 0 ? 'no response' : "HTTP $status"));
        }
        foreach ($headers as $header) {
            if (preg_match('/^Set-Cookie: (PHPSESSID=[^;]+)/i', $header, $part) === 1) {
                $this->cookie = $part[1];
            }
        }
        return (string) stream_get_contents($answer);
    }
}
