<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\SessionUnavailable;

/**
 * Reads items of memcached as bytes. The get() of a Memcached object unserializes an item whose flags say so, and no
 * option turns that off: whoever can write to memcached could create objects in PHP.
 *
 * It keeps one connection to each server that it has asked.
 */
final class MemcachedReader
{
    /** The first line of an answer has the key, of up to 250 bytes, and three numbers. */
    private const LINE_BYTES = 1024;

    /** Key, flags, length, CAS value. */
    private const VALUE = '/^VALUE (\S+) (\d{1,10}) (\d{1,10})(?: (\d{1,20}))?\r\n\z/';

    /** The first word alone is passed on: the rest is a text of the server. */
    private const ERROR = '/^(ERROR|CLIENT_ERROR|SERVER_ERROR)(?: [ -~]{1,200})?\r\n\z/';

    private const END = "END\r\n";

    /** @var array<string, resource> by their addresses */
    private array $sockets = [];

    /**
     * @param int $connectTimeout milliseconds
     * @param int $timeout milliseconds for one answer
     */
    public function __construct(private readonly int $connectTimeout, private readonly int $timeout)
    {
    }

    /**
     * @param string $host a name, an address, or the path of a unix socket
     * @return array{value: string, flags: int, cas: string}|null null when there is no such item
     * @throws SessionUnavailable
     */
    public function read(string $host, int $port, #[\SensitiveParameter] string $key): ?array
    {
        if (preg_match('/[\x00-\x20\x7f]/', $key) === 1) {
            // Behind a line break there would be another command.
            throw self::failed('a key has no blanks and no control characters');
        }
        $place = str_starts_with($host, '/')
            ? "unix://$host"
            : 'tcp://' . (str_contains($host, ':') ? "[$host]" : $host) . ":$port";
        $kept = isset($this->sockets[$place]);
        [$socket, $line, $until] = $this->ask($place, $key);
        if ($line === '' && $kept) {
            // The connection has ended since its last use, as by a restart of the server.
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
        throw self::failed(preg_match(self::ERROR, $line, $found) === 1 ? $found[1] : 'no complete answer');
    }

    /**
     * Takes the connection out of the kept ones: until the answer is complete, the rest of it would be taken for the
     * next answer.
     *
     * @return array{resource, string, int} the connection; the first line of the answer, '' when the connection has
     * ended; when the answer has to be complete
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
            throw self::failed("no answer within $this->timeout ms");
        }
        return [$socket, $line, $until];
    }

    /**
     * @param resource $socket
     * @param int $until nanoseconds of hrtime()
     * @return string fewer bytes if no more come until then
     */
    private static function receive($socket, int $bytes, int $until): string
    {
        $received = '';
        while (strlen($received) < $bytes) {
            // The timeout of a stream is that of one piece.
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
