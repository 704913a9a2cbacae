<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\SessionServer;

/** A socket that sends and receives lines, with timeouts. */
final class LineSocket
{
    private const READ_BYTES = 65536;

    /** Received bytes that were not yet returned as a line. */
    private string $arrived = '';

    /** @param resource $socket */
    private function __construct(private $socket)
    {
    }

    /**
     * @param string $place `tcp://HOST:PORT`, `tls://HOST:PORT` or `unix:///PATH`
     * @param array<string, mixed> $tls PHP's SSL context options
     * @param int $timeout in ms
     * @throws \RuntimeException with the reason if it cannot connect
     */
    public static function open(string $place, array $tls, int $timeout): self
    {
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true], 'ssl' => $tls]);
        $warning = null;
        // PHP reports a bad certificate only in a warning.
        set_error_handler(static function (int $level, string $message) use (&$warning): bool {
            $warning ??= preg_replace('/^stream_socket_client\(\): /', '', $message);
            return true;
        });
        try {
            $socket = stream_socket_client($place, $code, $error, $timeout / 1000, STREAM_CLIENT_CONNECT, $context);
        } finally {
            restore_error_handler();
        }
        return $socket !== false
            ? new self($socket)
            : throw new \RuntimeException(strtr($error ?: $warning ?? 'no connection', "\r\n", '  '));
    }

    /**
     * @param list<string> $lines sent in one write
     * @param int $timeout in ms
     * @return bool whether all lines were sent
     */
    public function send(#[\SensitiveParameter] array $lines, int $timeout): bool
    {
        $text = implode("\r\n", $lines) . "\r\n";
        stream_set_timeout($this->socket, intdiv($timeout, 1000), $timeout % 1000 * 1000);
        return @fwrite($this->socket, $text) === strlen($text);
    }

    /** @return string|null a line without its end; '' after the timeout; null if the connection is closed */
    public function line(int $milliseconds): ?string
    {
        $end = hrtime(true) + $milliseconds * 1_000_000;
        for ($searched = 0; ($at = strpos($this->arrived, "\n", $searched)) === false;) {
            $searched = strlen($this->arrived);
            $left = max(1, intdiv($end - hrtime(true), 1000));
            stream_set_timeout($this->socket, intdiv($left, 1_000_000), $left % 1_000_000);
            $more = (string) @fread($this->socket, self::READ_BYTES);
            $this->arrived .= $more;
            // Checked first, because feof() would wait again.
            if (hrtime(true) > $end || stream_get_meta_data($this->socket)['timed_out']) {
                return '';
            }
            if ($more === '' && feof($this->socket)) {
                return null;
            }
        }
        $line = rtrim(substr($this->arrived, 0, $at), "\r");
        $this->arrived = substr($this->arrived, $at + 1);
        return $line;
    }

    /** Returns the received bytes after the last read line. */
    public function arrived(): string
    {
        return $this->arrived;
    }

    public function close(): void
    {
        @fclose($this->socket);
    }
}
