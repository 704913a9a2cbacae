<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Native;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Session\StoreUrl;

/**
 * ext-memcache's session handler. Each session is on two of the servers, or on the number in `redundancy=`. While a
 * server is down, other servers have its sessions. After a restart it is empty. Then ext-memcache 8.2 and later read
 * its sessions from the next server. Earlier versions lose a session if they read it from the empty server first.
 *
 * Options: `weight=`, `distribution=`, `redundancy=`, `timeout=` for each response, `retry_interval=` in seconds,
 * `persistent=1`. The chat server also uses `past_misses=` and `prefix=`. PHP reads the prefix only from
 * `memcache.session_prefix_static_key` in php.ini.
 */
final class NativeMemcache extends NativeHandler
{
    protected const NAME = 'memcache';
    protected const STRICT = false;

    /** The values of memcache.hash_strategy and memcache.hash_function. */
    private const DISTRIBUTIONS = [
        'memcache' => ['consistent', 'crc32'],
        'memcache_fnv' => ['consistent', 'fnv'],
        'memcache_standard' => ['standard', 'crc32'],
        'memcache_standard_fnv' => ['standard', 'fnv'],
    ];

    /** ECONNREFUSED on Linux: the server is down. */
    private const REFUSED = 111;

    /** @var list<array{string, int, int}> host, port and weight */
    private array $servers;
    private string $distribution;
    private int $redundancy;
    private int $timeout;
    private string $retryInterval;
    private string $persistent;

    protected function configure(#[\SensitiveParameter] StoreUrl $url): void
    {
        $this->servers = $url->servers(11211);
        $this->distribution = $url->choice('distribution', array_keys(self::DISTRIBUTIONS)) ?? 'memcache';
        $this->redundancy = (int) ($url->take('redundancy', '[1-9]', '1 to 9') ?? 2);
        $url->take('past_misses', '[01]', '0 or 1');
        $this->prefix = $url->prefix('');
        if ($this->prefix !== (string) ini_get('memcache.session_prefix_static_key')) {
            // ini_set() would change the setting, but not the actual keys.
            throw new InvalidSettings('prefix= must equal memcache.session_prefix_static_key in php.ini');
        }
        $this->timeout = $url->milliseconds('timeout', 1000);
        // With 0, PHP writes an empty session to a server that it has just failed to read from.
        $this->retryInterval = $url->take('retry_interval', '[1-9]\d{0,3}', '1 to 9999 seconds') ?? '15';
        $this->persistent = $url->take('persistent', '[01]', '0 or 1') ?? '0';
    }

    protected function settings(): array
    {
        $servers = array_map(fn (array $server): string => self::address($server) . '?' . http_build_query([
            'persistent' => $this->persistent,
            'weight' => $server[2],
            'timeout' => $this->timeout / 1000,
            'retry_interval' => $this->retryInterval,
        ]), $this->servers);
        [$strategy, $function] = self::DISTRIBUTIONS[$this->distribution];
        return [
            'session.save_path' => implode(',', $servers),
            'memcache.session_redundancy' => (string) $this->redundancy,
            'memcache.hash_strategy' => $strategy,
            'memcache.hash_function' => $function,
        ];
    }

    protected function copies(#[\SensitiveParameter] string $id): array
    {
        [$copies, $silent, $down] = $this->ask($id);
        $silent += $down;
        return $silent < $this->redundancy() ? $copies : $this->fail('get', "$silent servers do not respond");
    }

    /** A silent server may not have received the deletion. A server that is down has lost its sessions. */
    protected function remains(#[\SensitiveParameter] string $id): bool
    {
        [$copies, $silent] = $this->ask($id);
        return $copies !== [] || $silent > 0;
    }

    protected function longestId(): int
    {
        return self::MEMCACHED_KEY_BYTES - strlen("$this->prefix.lock");
    }

    protected function redundancy(): int
    {
        return min($this->redundancy, count($this->servers));
    }

    /**
     * @return array{list<string>, int, int} the copies, the number of silent servers, and the number of down servers
     */
    private function ask(#[\SensitiveParameter] string $id): array
    {
        $copies = [];
        $silent = $down = 0;
        foreach ($this->servers as $server) {
            $connection = @stream_socket_client(self::address($server), $code, $reason, $this->timeout / 1000);
            $answer = '';
            if ($connection !== false) {
                stream_set_timeout($connection, 0, $this->timeout * 1000);
                fwrite($connection, "get {$this->prefix}$id\r\n");
                $answer = (string) fgets($connection);
            }
            if (preg_match('/^VALUE \S+ \d+ (\d+)\r\n\z/', $answer, $found) === 1) {
                $copies[] = (string) stream_get_contents($connection, (int) $found[1]);
            } elseif ($code === self::REFUSED) {
                $down++;
            } elseif ($answer !== "END\r\n") {
                $silent++;
            }
        }
        return [$copies, $silent, $down];
    }

    /** @param array{string, int, int} $server */
    private static function address(array $server): string
    {
        if ($server[1] === 0) {
            return "unix://$server[0]";
        }
        return 'tcp://' . (str_contains($server[0], ':') ? "[$server[0]]" : $server[0]) . ":$server[1]";
    }
}
