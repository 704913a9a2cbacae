<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\SessionServer;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/** The connection of a client of the session server: lines there, one line back for each of them, and events. */
final class SessionServerConnection
{
    /** Printable, since a blank or an end of line would make something else of its line. */
    private const TOKEN = '/^[\x21-\x7e]{1,512}\z/';

    /** After these the server takes nothing more. */
    private const LAST_WORDS = '/^err (Line too long|Out of memory|Timed out|Too many connections)\.\z/';

    private const EVENT = 'event ';

    private ?LineSocket $socket = null;

    /** @var list<string> that have come with answers, and that nobody has asked for yet */
    private array $events = [];

    /**
     * Connects at the first use, not here.
     *
     * @param string $host a name, an address, or the path of a unix socket
     * @param array<string, mixed>|null $tls null: none; else PHP's SSL context options, such as `cafile`
     * @param int $timeout milliseconds to connect, and for one answer
     */
    public function __construct(
        private readonly string $host,
        private readonly int $port,
        #[\SensitiveParameter] private ?string $token,
        private readonly ?array $tls,
        private readonly int $timeout,
    ) {
        if ($host === '' || preg_match('/[\s\0]/', $host) === 1 || $port < 1 || $port > 65535) {
            throw new InvalidSettings('the session server is at HOST and PORT, or at the path of a unix socket');
        }
        if ($timeout < 1) {
            throw new InvalidSettings('the timeout of the session server must be at least a millisecond');
        }
        if ($tls !== null && str_starts_with($host, '/')) {
            throw new InvalidSettings('a unix socket has no TLS');
        }
        self::checkToken($token);
    }

    /** What a dump of it shows. */
    public function __debugInfo(): array
    {
        return ['server' => $this->name()];
    }

    public function isConnected(): bool
    {
        return $this->socket !== null;
    }

    /** That it shows from the next connection on. */
    public function setToken(#[\SensitiveParameter] string $token): void
    {
        self::checkToken($token);
        $this->token = $token;
    }

    /**
     * Sends lines, all at once.
     *
     * @param list<string> $lines
     * @param int $wait milliseconds that the last answer may take in addition
     * @param bool $again whether it does no harm to send them twice. Then a connection that was cut since its last use,
     *        as by a server that was restarted, is made anew
     * @return non-empty-list<string> the answers, one for each line; none after one with which the server has closed
     *         the connection
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
     * The next event of what is watched on this connection.
     *
     * @param int $wait milliseconds
     * @return string|null null when none comes
     * @throws SessionUnavailable when the connection is lost, and with it everything that was watched
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
            throw $this->failed($line === null ? 'the connection was lost' : self::told($line));
        }
        return substr($line, strlen(self::EVENT));
    }

    public function disconnect(): void
    {
        $this->socket?->close();
        $this->socket = null;
        $this->events = [];
    }

    public function failed(string $what): SessionUnavailable
    {
        return new SessionUnavailable("session server {$this->name()}: $what");
    }

    private function name(): string
    {
        $host = str_contains($this->host, ':') ? "[$this->host]" : $this->host;
        return str_starts_with($this->host, '/') ? $this->host : "$host:$this->port";
    }

    private static function checkToken(#[\SensitiveParameter] ?string $token): void
    {
        if ($token !== null && preg_match(self::TOKEN, $token) !== 1) {
            throw new InvalidSettings('the token of the session server is up to 512 printable characters, no blanks');
        }
    }

    /**
     * @param list<string> $lines
     * @return non-empty-list<string>|null as ask(); null when the connection was lost
     * @throws SessionUnavailable
     */
    private function exchange(#[\SensitiveParameter] array $lines, int $wait = 0): ?array
    {
        // What is not taken may have been refused for its length: then the answer says so.
        $sent = $this->socket->send($lines, $this->timeout);
        $answers = [];
        foreach (array_keys($lines) as $n) {
            $isLast = $n === count($lines) - 1;
            while (($answer = $this->answer($this->timeout + ($isLast ? $wait : 0))) !== null) {
                if (!str_starts_with($answer, self::EVENT)) {
                    break;
                }
                $this->events[] = substr($answer, strlen(self::EVENT));
            }
            if ($answer === null || ($isLast && !$sent && !str_starts_with($answer, 'err '))) {
                $this->disconnect();
                return null;
            }
            $answers[] = $answer;
            if (preg_match(self::LAST_WORDS, $answer) === 1) {
                $this->disconnect();
                return $answers;
            }
        }
        // Nothing else comes unasked.
        $more = $this->socket->arrived();
        str_starts_with($more, substr(self::EVENT, 0, strlen($more))) || $this->disconnect();
        return $answers;
    }

    /** @return string|null null when the connection was lost */
    private function answer(int $milliseconds): ?string
    {
        $line = $this->socket->line($milliseconds);
        if ($line === '') {
            // It may still come, and would be taken for the answer to another line.
            $this->disconnect();
            throw $this->failed("no answer in $milliseconds ms");
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

    /** Without the encoding a line feed in a value would begin a command of whoever has typed it. */
    private function greet(): void
    {
        $encoding = 'encoding percent';
        $answers = $this->exchange($this->token === null ? ['hello 1', $encoding] : ['hello 1']) ?? [];
        $hello = array_shift($answers);
        if ($hello === 'err unknown command') {
            $this->disconnect();
            throw new InvalidSettings("the session server {$this->name()} is an old one, which not all bytes survive");
        }
        $isOne = $hello !== null && preg_match('/^ok 1 [a-z_,]*\bencoding\b/', $hello) === 1;
        if ($isOne && $this->token !== null) {
            // Not before it has said that it is one: it may be anybody who listens there.
            $answers = $this->exchange(["auth $this->token", $encoding]) ?? [];
        }
        $wrong = array_values(array_diff($isOne ? $answers : [$hello], ['ok']));
        if ($answers === [] || $wrong !== []) {
            $this->disconnect();
            throw $this->failed(isset($wrong[0]) ? self::told($wrong[0]) : 'the connection was lost');
        }
    }

    /** Of an answer that is no `ok` what may be in a log: the server's errors hold nothing of a session. */
    public static function told(#[\SensitiveParameter] string $answer): string
    {
        return preg_match('/^err ([A-Za-z ]{1,60}\.?)\z/', $answer, $match) === 1
            ? $match[1]
            : 'an answer that is none of a session server\'s';
    }
}
