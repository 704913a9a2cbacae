<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Console\Command;
use Illuminate\Contracts\Config\Repository;
use InvalidArgumentException;
use LogicException;
use PhpSessionChat\ChatClient;
use PhpSessionChat\ChatError;
use PhpSessionChat\Ticket;
use PhpSessionChat\Webhook;

/** Checks whether browsers and this application reach the chat server, and whether it can recognise the users. */
final class DoctorCommand extends Command
{
    /** The session drivers that the chat server reads. */
    private const DRIVERS = ['file', 'database', 'redis', 'memcached'];
    private const TIMEOUT = 5;

    protected $signature = 'php-chat:doctor';
    protected $description = 'Check the settings of the chat, and print what to change';

    /** The content of config/php-chat.php. @var array<string, mixed> */
    private array $chat;
    private ChatUserIds $ids;
    private SecondFactor $factor;
    private string $site;

    public function handle(Repository $config, ChatUserIds $ids, SecondFactor $factor): int
    {
        $this->ids = $ids;
        $this->factor = $factor;
        $this->chat = $config->get('php-chat');
        $this->site = (string) $config->get('app.url');
        $status = self::SUCCESS;
        foreach ($this->checks($config->get('session')) as [$claim, $isTrue, $fix]) {
            $this->line(($isTrue ? '<info>ok</info>    ' : '<error>FAIL</error>  ') . $claim);
            if (!$isTrue) {
                $this->line("      $fix");
                $status = self::FAILURE;
            }
        }
        return $status;
    }

    /**
     * @param array<string, mixed> $session the content of config/session.php
     * @return iterable<array{string, bool, string}> a claim, whether it is true, and how to make it true
     */
    private function checks(array $session): iterable
    {
        [$status, $body] = $this->fetch("{$this->api()}/readyz");
        $missing = implode(', ', json_decode($body, true)['missing'] ?? []);
        yield ["The chat server is ready: {$this->api()}", $status === 200, match ($status) {
            0 => 'It does not respond: start it, or set PHP_CHAT_API_URL.',
            503 => "See its log. It cannot use: $missing",
            default => "/readyz responds with $status: set PHP_CHAT_API_URL to the chat server.",
        }];
        if ($status === 200) {
            yield from $this->accessChecks();
        }
        $address = $this->address();
        [$status, $script] = $this->fetch("{$address}php-chat.js");
        yield [
            "Browsers get the chat: {$address}php-chat.js",
            $status === 200 && !str_starts_with(ltrim($script), '<'),
            'Add the block for the chat to the web server, or set PHP_CHAT_SERVER. APP_URL must be the address of the site.',
        ];
        if (!$this->chat['ticket_key']) {
            yield [
                "The chat server reads sessions of the driver {$session['driver']}",
                in_array($session['driver'], self::DRIVERS, true),
                'Set SESSION_DRIVER to ' . implode(', ', self::DRIVERS) . ', or use tickets: PHP_CHAT_TICKET_KEY.',
            ];
            yield from $this->cookieChecks($session, $address);
        } else {
            $fix = $this->factor->fix();
            yield ['Tickets need the second factor of each known package', $fix === null, (string) $fix];
        }
        yield $this->idCheck();
        if ($this->chat['webhook_key']) {
            yield [
                'The key for events is valid',
                $this->isDone(fn () => new Webhook($this->chat['webhook_key'])),
                'Set PHP_CHAT_WEBHOOK_KEY to the content of CHAT_WEBHOOK_KEY_FILE.',
            ];
        }
    }

    /** @return array{string, bool, string} */
    private function idCheck(): array
    {
        try {
            return ['The IDs of users in the chat: ' . implode(', ', $this->ids->forms()), true, ''];
        } catch (LogicException $error) {
            return ['The guards of the chat have clear providers', false, $error->getMessage()];
        }
    }

    /** Returns the checks that need a running chat server. @return iterable<array{string, bool, string}> */
    private function accessChecks(): iterable
    {
        $origins = array_map($this->originOf(...), $this->chat['origins']);
        foreach ($origins as $origin) {
            [$status] = $this->fetch("{$this->api()}/me", ["Origin: $origin"]);
            yield ["The chat server accepts pages of $origin", $status !== 403, "Add $origin to CHAT_ORIGINS of the chat server."];
        }
        if ($this->chat['api_key']) {
            yield [
                'The chat server accepts the API key',
                $this->isDone(fn () => (new ChatClient($this->api(), trim($this->chat['api_key'])))->acts()),
                'Set PHP_CHAT_API_KEY to the key in CHAT_API_KEY_FILE of the chat server.',
            ];
        }
        if ($this->chat['ticket_key']) {
            yield [
                'The chat server accepts tickets',
                $this->isDone(function () use ($origins): bool {
                    $claims = ['aud' => (string) $this->chat['ticket_audience'], 'sub' => 'doctor', 'sid' => 'php-chat:doctor'];
                    $ticket = Ticket::make($this->chat['ticket_key'], $claims);
                    $headers = ["Authorization: Ticket $ticket", "Origin: $origins[0]"];
                    return isset(json_decode($this->fetch("{$this->api()}/me", $headers)[1], true)['user']);
                }),
                'Compare PHP_CHAT_TICKET_KEY with CHAT_TICKET_KEY_FILE, PHP_CHAT_TICKET_AUDIENCE with CHAT_TICKET_AUDIENCE, and the clocks.',
            ];
        }
    }

    /** @param array<string, mixed> $session @return iterable<array{string, bool, string}> */
    private function cookieChecks(array $session, string $address): iterable
    {
        ['scheme' => $scheme, 'host' => $host, 'path' => $path] = parse_url($address);
        $host = strtolower($host);
        $domain = ltrim(strtolower((string) ($session['domain'] ?? '')), '.');
        yield [
            "The domain of the session cookie includes $host",
            $host === ($domain ?: parse_url(strtolower($this->site), PHP_URL_HOST)) || ($domain !== '' && str_ends_with($host, ".$domain")),
            'Set SESSION_DOMAIN to a domain that includes both, serve the chat from a path of the site, or use tickets.',
        ];
        $cookiePath = rtrim((string) ($session['path'] ?? ''), '/') . '/';
        yield [
            "The path of the session cookie includes $path",
            str_starts_with($path, $cookiePath),
            "Set the path in config/session.php to /, or serve the chat below $cookiePath",
        ];
        yield [
            "Browsers send the session cookie over $scheme",
            $scheme === 'https' || !($session['secure'] ?? false),
            'Serve the site and the chat over https, or set SESSION_SECURE_COOKIE=false.',
        ];
    }

    private function api(): string
    {
        return rtrim($this->chat['api_url'], '/');
    }

    /** Returns the address of the chat server for browsers, with a slash at the end. */
    private function address(): string
    {
        $server = $this->chat['server'];
        return rtrim(str_starts_with($server, '/') ? $this->originOf($this->site) . $server : $server, '/') . '/';
    }

    private function originOf(string $url): string
    {
        return preg_match('~^https?://[^/]+~', trim($url), $found) === 1 ? $found[0] : 'http://localhost';
    }

    private function isDone(\Closure $call): bool
    {
        try {
            return $call() !== false;
        } catch (ChatError | InvalidArgumentException) {
            return false;
        }
    }

    /**
     * @param list<string> $headers
     * @return array{int, string} the status, 0 without a response, and the body
     */
    private function fetch(string $url, array $headers = []): array
    {
        $stream = @fopen($url, 'rb', false, stream_context_create(['http' => [
            'header' => $headers, 'timeout' => self::TIMEOUT, 'ignore_errors' => true, 'follow_location' => 0,
        ]]));
        if ($stream === false) {
            return [0, ''];
        }
        $line = stream_get_meta_data($stream)['wrapper_data'][0];
        return [(int) (explode(' ', $line)[1] ?? 0), (string) stream_get_contents($stream, 65_536)];
    }
}
