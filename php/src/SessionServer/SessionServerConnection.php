<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\SessionServer;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/** A connection to the session server. The server sends one reply for each line, and events of watched sessions. */
final class SessionServerConnection
{
    /** Only printable characters, because a space or line feed would change the command. */
    private const TOKEN = '/^[\x21-\x7e]{1,512}\z/';

    /** After these errors the server closes the connection. */
    private const FINAL_ERRORS = '/^err (Line too long|Out of memory|Timed out|Too many connections)\.\z/';

    private const EVENT = 'event ';

    /** The maximum number of queued events. Beyond it, a single `lost` replaces all of them. */
    private const MOST_EVENTS = 10_000;

    private ?LineSocket $socket = null;

    /** @var list<string> events that arrived before a reply and were not yet fetched */
    private array $events = [];

    /**
     * Connects at the first use.
     *
     * @param string $host a name, an address, or the path of a Unix socket
     * @param array<string, mixed>|null $tls PHP's SSL context options, such as `cafile`; null: no TLS
     * @param int $timeout to connect, and for each reply, in ms
     */
    public function __construct(
        private readonly string $host,
        private readonly int $port,
        #[\SensitiveParameter] private ?string $token,
        private readonly ?array $tls,
        private readonly int $timeout,
    ) {
        if ($host === '' || preg_match('/[\s\0]/', $host) === 1 || $port < 1 || $port > 65535) {
            throw new InvalidSettings('the session server needs a HOST and PORT, or the path of a Unix socket');
        }
        if ($timeout < 1) {
            throw new InvalidSettings('the timeout of the session server must be at least 1 ms');
        }
        if ($tls !== null && str_starts_with($host, '/')) {
            throw new InvalidSettings('a Unix socket cannot use TLS');
        }
        self::checkToken($token);
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['server' => $this->name()];
    }

    public function isConnected(): bool
    {
        return $this->socket !== null;
    }

    /** Sets the token for the next connection. */
    public function setToken(#[\SensitiveParameter] string $token): void
    {
        self::checkToken($token);
        $this->token = $token;
    }

    /**
     * Sends lines in one write, and reads their replies.
     *
     * @param list<string> $lines
     * @param int $wait additional time for the last reply, in ms
     * @param bool $again whether the lines may be sent twice. If so, they are sent over a new connection if the
     *        connection was lost since its last use, for example by a restart of the server
     * @return non-empty-list<string> one for each line, up to an error after which the server closes the connection
     * @throws SessionUnavailable
     */
    public function ask(#[\SensitiveParameter] array $lines, int $wait = 0, bool $again = false): array
    {
        $used = $this->socket !== null;
        $used || $this->connect();
        $answers = $this->exchange($lines, $wait);
        if ($answers === null && $again && $used) {
            $this->connect();
            $answers = $this->exchange($lines, $wait);
        }
        return $answers ?? throw $this->failed('the connection was lost');
    }

    /**
     * Returns the next event of a watched session.
     *
     * @param int $wait in ms
     * @return string|null null if no event arrives in this time
     * @throws SessionUnavailable if the connection is lost, and all its subscriptions with it
     */
    public function event(int $wait): ?string
    {
        if ($this->events !== []) {
            return array_shift($this->events);
        }
        $line = $this->socket === null ? null : $this->socket->line($wait);
        if ($line === '') {
            return null;
        }
        if ($line === null || !str_starts_with($line, self::EVENT)) {
            $this->disconnect();
            throw $this->failed($line === null ? 'the connection was lost' : self::shown($line));
        }
        return substr($line, strlen(self::EVENT));
    }

    public function disconnect(): void
    {
        $this->socket?->close();
        $this->socket = null;
        $this->events = [];
    }

    /**
     * Returns the text after `ok` in a reply.
     *
     * @throws SessionUnavailable if the reply is an error
     */
    public function result(string $command, #[\SensitiveParameter] string $answer): string
    {
        if ($answer !== 'ok' && !str_starts_with($answer, 'ok ')) {
            throw $this->failed("$command: " . self::shown($answer));
        }
        return substr($answer, strlen('ok '));
    }

    public function failed(string $what): SessionUnavailable
    {
        return new SessionUnavailable("session server {$this->name()}: $what");
    }

    /**
     * Returns the text of an error reply, for logs. Any other reply could contain session data, so a fixed text
     * replaces it.
     */
    public static function shown(#[\SensitiveParameter] string $answer): string
    {
        return preg_match('/^err ([A-Za-z ]{1,60}\.?)\z/', $answer, $match) === 1
            ? $match[1]
            : 'the reply is not from a session server';
    }

    private function name(): string
    {
        $host = str_contains($this->host, ':') ? "[$this->host]" : $this->host;
        return str_starts_with($this->host, '/') ? $this->host : "$host:$this->port";
    }

    private static function checkToken(#[\SensitiveParameter] ?string $token): void
    {
        if ($token !== null && preg_match(self::TOKEN, $token) !== 1) {
            throw new InvalidSettings('the token of the session server must be 1 to 512 printable characters without blanks');
        }
    }

    /**
     * @param list<string> $lines
     * @return non-empty-list<string>|null as ask(); null if the connection was lost
     * @throws SessionUnavailable
     */
    private function exchange(#[\SensitiveParameter] array $lines, int $wait = 0): ?array
    {
        // If not all lines were sent, the server may have rejected a line as too long. Its reply then reports that.
        $sent = $this->socket->send($lines, $this->timeout);
        $answers = [];
        foreach (array_keys($lines) as $n) {
            $isLast = $n === count($lines) - 1;
            while (($answer = $this->answer($this->timeout + ($isLast ? $wait : 0))) !== null) {
                if (!str_starts_with($answer, self::EVENT)) {
                    break;
                }
                $this->events[] = substr($answer, strlen(self::EVENT));
                if (count($this->events) > self::MOST_EVENTS) {
                    $this->events = ['lost'];
                }
            }
            if ($answer === null || ($isLast && !$sent && !str_starts_with($answer, 'err '))) {
                $this->disconnect();
                return null;
            }
            $answers[] = $answer;
            if (preg_match(self::FINAL_ERRORS, $answer) === 1) {
                $this->disconnect();
                return $answers;
            }
        }
        // After the last reply, the server sends only events. Anything else means that replies are out of sync.
        $more = $this->socket->arrived();
        str_starts_with($more, substr(self::EVENT, 0, strlen($more))) || $this->disconnect();
        return $answers;
    }

    /** @return string|null null if the connection was lost */
    private function answer(int $milliseconds): ?string
    {
        $line = $this->socket->line($milliseconds);
        if ($line === '') {
            // The reply may arrive later, and would then be read as the reply to another line.
            $this->disconnect();
            throw $this->failed("no reply within $milliseconds ms");
        }
        return $line;
    }

    private function connect(): void
    {
        $this->disconnect();
        $place = str_starts_with($this->host, '/')
            ? "unix://$this->host"
            : ($this->tls === null ? 'tcp://' : 'tls://') . $this->name();
        try {
            $this->socket = LineSocket::open($place, $this->tls ?? [], $this->timeout);
        } catch (\RuntimeException $error) {
            throw $this->failed($error->getMessage());
        }
        $this->greet();
    }

    /** Turns on percent encoding. Without it, a line feed in a value would start another command. */
    private function greet(): void
    {
        $encoding = 'encoding percent';
        $answers = $this->exchange($this->token === null ? ['hello 1', $encoding] : ['hello 1']) ?? [];
        $hello = array_shift($answers);
        if ($hello === 'err unknown command') {
            $this->disconnect();
            throw new InvalidSettings("the session server {$this->name()} is too old: it cannot store arbitrary bytes");
        }
        $isOne = $hello !== null && preg_match('/^ok 1 [a-z_,]*\bencoding\b/', $hello) === 1;
        if ($isOne && $this->token !== null) {
            // Sent after the hello, so that no other program receives the token.
            $answers = $this->exchange(["auth $this->token", $encoding]) ?? [];
        }
        $wrong = array_values(array_diff($isOne ? $answers : [$hello], ['ok']));
        if ($answers === [] || $wrong !== []) {
            $this->disconnect();
            throw $this->failed(isset($wrong[0]) ? self::shown($wrong[0]) : 'the connection was lost');
        }
    }
}
