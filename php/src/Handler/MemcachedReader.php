<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\SessionUnavailable;

/**
 * Reads items of memcached as bytes. Memcached::get() unserializes items with certain flags, and has no option to turn
 * that off. A writer to memcached could thus create objects in PHP.
 *
 * Keeps one connection to each server that it has queried.
 */
final class MemcachedReader
{
    /** The first line of a response contains the key, of up to 250 bytes, and three numbers. */
    private const LINE_BYTES = 1024;

    /** Key, flags, length, CAS value. */
    private const VALUE = '/^VALUE (\S+) (\d{1,10}) (\d{1,10})(?: (\d{1,20}))?\r\n\z/';

    /** Only the first word is reported, because the rest is text from the server. */
    private const ERROR = '/^(ERROR|CLIENT_ERROR|SERVER_ERROR)(?: [ -~]{1,200})?\r\n\z/';

    private const END = "END\r\n";

    /** @var array<string, resource> idle connections by address */
    private array $sockets = [];

    /**
     * @param int $connectTimeout in ms
     * @param int $timeout for each response, in ms
     */
    public function __construct(private readonly int $connectTimeout, private readonly int $timeout)
    {
    }

    /**
     * @param string $host a name, an address, or the path of a Unix socket
     * @return array{value: string, flags: int, cas: string}|null null if the item does not exist
     * @throws SessionUnavailable
     */
    public function read(string $host, int $port, #[\SensitiveParameter] string $key): ?array
    {
        if (preg_match('/[\x00-\x20\x7f]/', $key) === 1) {
            // A line break would start another command.
            throw self::failed('a key must not contain blanks or control characters');
        }
        $place = str_starts_with($host, '/')
            ? "unix://$host"
            : 'tcp://' . (str_contains($host, ':') ? "[$host]" : $host) . ":$port";
        $kept = isset($this->sockets[$place]);
        [$socket, $line, $until] = $this->ask($place, $key);
        if ($line === '' && $kept) {
            // The server closed the connection since its last use, for example by a restart.
            [$socket, $line, $until] = $this->ask($place, $key);
        }
        if ($line === self::END) {
            $this->sockets[$place] = $socket;
            return null;
        }
        if (preg_match(self::VALUE, $line, $found) === 1 && $found[1] === $key) {
            $bytes = (int) $found[3];
            $rest = "\r\n" . self::END;
            $answer = self::receive($socket, $bytes + strlen($rest), $until);
            if (strlen($answer) === $bytes + strlen($rest) && str_ends_with($answer, $rest)) {
                $this->sockets[$place] = $socket;
                return ['value' => substr($answer, 0, $bytes), 'flags' => (int) $found[2], 'cas' => $found[4] ?? '0'];
            }
        }
        throw self::failed(preg_match(self::ERROR, $line, $found) === 1 ? $found[1] : 'incomplete response');
    }

    /**
     * Sends a request. The connection is not idle until the response is complete, because the rest of a response would
     * be read as the next response.
     *
     * @return array{resource, string, int} the connection; the first line of the response, '' if the connection is
     * closed; the deadline of the response in nanoseconds of hrtime()
     */
    private function ask(string $place, #[\SensitiveParameter] string $key): array
    {
        $socket = $this->sockets[$place] ?? $this->connect($place);
        unset($this->sockets[$place]);
        stream_set_timeout($socket, intdiv($this->timeout, 1000), $this->timeout % 1000 * 1000);
        $until = hrtime(true) + $this->timeout * 1_000_000;
        @fwrite($socket, "gets $key\r\n");
        $line = (string) @fgets($socket, self::LINE_BYTES);
        if ($line === '' && stream_get_meta_data($socket)['timed_out']) {
            throw self::failed("no response within $this->timeout ms");
        }
        return [$socket, $line, $until];
    }

    /**
     * @param resource $socket
     * @param int $until the deadline in nanoseconds of hrtime()
     * @return string fewer bytes after the deadline or a closed connection
     */
    private static function receive($socket, int $bytes, int $until): string
    {
        $received = '';
        while (strlen($received) < $bytes) {
            // The timeout of a stream applies to each read.
            $left = max(0, intdiv($until - hrtime(true), 1000));
            stream_set_timeout($socket, intdiv($left, 1_000_000), $left % 1_000_000);
            $piece = (string) @fread($socket, $bytes - strlen($received));
            if ($piece === '') {
                break;
            }
            $received .= $piece;
        }
        return $received;
    }

    /** @return resource */
    private function connect(string $place)
    {
        $socket = @stream_socket_client($place, $code, $reason, $this->connectTimeout / 1000);
        if ($socket === false) {
            throw self::failed($reason ?: 'no connection');
        }
        return $socket;
    }

    private static function failed(string $reason): SessionUnavailable
    {
        return new SessionUnavailable("memcached: get: $reason");
    }
}
