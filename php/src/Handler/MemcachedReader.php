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

    /** Flags, length, CAS value. */
    private const VALUE = '/^VALUE \S+ (\d{1,10}) (\d{1,10}) (\d{1,20})\r\n\z/';

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
        $line = $this->ask($place, $key);
        if ($line === '' && $kept) {
            // The connection has ended since its last use, as by a restart of the server.
            $line = $this->ask($place, $key);
        }
        if ($line === self::END) {
            return null;
        }
        if (preg_match(self::VALUE, $line, $found) === 1) {
            $bytes = (int) $found[2];
            $rest = "\r\n" . self::END;
            $answer = (string) @stream_get_contents($this->sockets[$place], $bytes + strlen($rest));
            if (strlen($answer) === $bytes + strlen($rest) && str_ends_with($answer, $rest)) {
                return ['value' => substr($answer, 0, $bytes), 'flags' => (int) $found[1], 'cas' => $found[3]];
            }
        }
        // If the rest came later, it would be taken for the next answer.
        unset($this->sockets[$place]);
        $isError = preg_match('/^(?:ERROR|(?:CLIENT|SERVER)_ERROR [ -~]{1,200})\r\n\z/', $line) === 1;
        throw self::failed($isError ? trim($line) : 'no complete answer');
    }

    /** @return string the first line of the answer; '' when the connection has ended */
    private function ask(string $place, #[\SensitiveParameter] string $key): string
    {
        $socket = $this->sockets[$place] ??= $this->connect($place);
        @fwrite($socket, "gets $key\r\n");
        $line = (string) @fgets($socket, self::LINE_BYTES);
        if ($line === '') {
            unset($this->sockets[$place]);
            if (stream_get_meta_data($socket)['timed_out']) {
                throw self::failed("no answer within $this->timeout ms");
            }
        }
        return $line;
    }

    /** @return resource */
    private function connect(string $place)
    {
        $socket = @stream_socket_client($place, $code, $reason, $this->connectTimeout / 1000);
        if ($socket === false) {
            throw self::failed($reason ?: 'no connection');
        }
        stream_set_timeout($socket, intdiv($this->timeout, 1000), $this->timeout % 1000 * 1000);
        return $socket;
    }

    private static function failed(string $reason): SessionUnavailable
    {
        return new SessionUnavailable("memcached: get: $reason");
    }
}
