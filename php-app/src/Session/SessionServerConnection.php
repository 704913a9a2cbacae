<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/** The connection of a SessionServerClient: lines there, and one line back for each of them. */
final class SessionServerConnection
{
    /** Printable, since a blank or an end of line would make something else of its line. */
    private const TOKEN = '/^[\x21-\x7e]{1,512}\z/';

    /** After these the server takes nothing more. */
    private const LAST_WORDS = '/^err (Line too long|Out of memory|Timed out|Too many connections)\.\z/';

    private const READ_BYTES = 65536;

    /** @var resource|null */
    private $socket = null;

    /** What has arrived of the answers that nobody has read yet. */
    private string $arrived = '';

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
     * Sends a line, and others before it, all at once.
     *
     * @param int $wait milliseconds that the last answer may take in addition
     * @param list<string> $before what has to be done first; the server says `ok` to each of these at once
     * @param bool $again whether it does no harm to send it twice. Then a connection that was cut since its last use,
     *        as by a server that was restarted, is made anew
     * @return string the answer to the line
     * @throws SessionUnavailable
     */
    public function ask(
        #[\SensitiveParameter] string $line,
        int $wait = 0,
        #[\SensitiveParameter] array $before = [],
        bool $again = false,
    ): string {
        $used = $this->socket !== null;
        $used || $this->connect();
        $answer = $this->exchange($line, $wait, $before);
        if ($answer === null && $again && $used) {
            $this->connect();
            $answer = $this->exchange($line, $wait, $before);
        }
        return $answer ?? throw $this->failed('the connection was lost');
    }

    public function disconnect(): void
    {
        if ($this->socket !== null) {
            @fclose($this->socket);
        }
        $this->socket = null;
        $this->arrived = '';
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
     * @param list<string> $before
     * @return string|null the answer to the line; null when the connection was lost
     * @throws SessionUnavailable
     */
    private function exchange(
        #[\SensitiveParameter] string $line,
        int $wait = 0,
        #[\SensitiveParameter] array $before = [],
    ): ?string {
        $text = implode("\r\n", [...$before, $line]) . "\r\n";
        stream_set_timeout($this->socket, intdiv($this->timeout, 1000), $this->timeout % 1000 * 1000);
        // What is not taken at once may have been refused for its length: then the answer says so.
        $sent = @fwrite($this->socket, $text) === strlen($text);
        foreach ($before as $_) {
            $answer = $this->line($this->timeout);
            if ($answer === null || !str_starts_with($answer, 'ok')) {
                $this->disconnect();
                return $answer === null ? null : throw $this->failed(self::told($answer));
            }
        }
        $answer = $this->line($this->timeout + $wait);
        $complete = $answer !== null && ($sent || str_starts_with($answer, 'err '));
        if (!$complete || $this->arrived !== '' || preg_match(self::LAST_WORDS, $answer) === 1) {
            $this->disconnect();
        }
        return $complete ? $answer : null;
    }

    /** @return string|null null when the connection was lost */
    private function line(int $milliseconds): ?string
    {
        $end = hrtime(true) + $milliseconds * 1_000_000;
        for ($searched = 0; ($at = strpos($this->arrived, "\n", $searched)) === false;) {
            $searched = strlen($this->arrived);
            $left = max(1, intdiv($end - hrtime(true), 1000));
            stream_set_timeout($this->socket, intdiv($left, 1_000_000), $left % 1_000_000);
            $more = @fread($this->socket, self::READ_BYTES);
            // Not by feof() alone, which waits once more.
            if (hrtime(true) > $end || stream_get_meta_data($this->socket)['timed_out']) {
                // The answer may still come, and would be taken for that to another line.
                $this->disconnect();
                throw $this->failed("no answer in $milliseconds ms");
            }
            if (($more === '' || $more === false) && feof($this->socket)) {
                return null;
            }
            $this->arrived .= $more;
        }
        $line = rtrim(substr($this->arrived, 0, $at), "\r");
        $this->arrived = substr($this->arrived, $at + 1);
        return $line;
    }

    private function connect(): void
    {
        $this->disconnect();
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true], 'ssl' => $this->tls ?? []]);
        $place = str_starts_with($this->host, '/')
            ? "unix://$this->host"
            : ($this->tls === null ? 'tcp://' : 'tls://') . $this->name();
        $warning = null;
        // What is wrong with a certificate is in a warning only.
        set_error_handler(static function (int $level, string $message) use (&$warning): bool {
            $warning ??= preg_replace('/^stream_socket_client\(\): /', '', $message);
            return true;
        });
        try {
            $seconds = $this->timeout / 1000;
            $socket = stream_socket_client($place, $code, $error, $seconds, STREAM_CLIENT_CONNECT, $context);
        } finally {
            restore_error_handler();
        }
        if ($socket === false) {
            throw $this->failed(strtr($error ?: $warning ?? 'no connection', "\r\n", '  '));
        }
        $this->socket = $socket;
        $this->greet();
    }

    /** Without the encoding a line feed in a value would begin a command of whoever has typed it. */
    private function greet(): void
    {
        $hello = $this->exchange('hello 1');
        if ($hello === 'err unknown command') {
            $this->disconnect();
            throw new InvalidSettings("the session server {$this->name()} is an old one, which not all bytes survive");
        }
        // Not before it has said that it is one: it may be anybody who listens there.
        $isOne = $hello !== null && preg_match('/^ok 1 [a-z_,]*\bencoding\b/', $hello) === 1;
        $login = $this->token === null ? [] : ["auth $this->token"];
        $answer = $isOne ? $this->exchange('encoding percent', before: $login) : $hello;
        if (!$isOne || $answer !== 'ok') {
            $this->disconnect();
            throw $this->failed($answer === null ? 'the connection was lost' : self::told($answer));
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
