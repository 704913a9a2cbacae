<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Native;

use PhpSessionChat\Session\Handler\RedisHandler;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Session\StoreUrl;

/**
 * phpredis's session handler, for a single Redis server.
 *
 * Options: `prefix=`, `database=` instead of the path, `timeout=` to connect and for each response, `persistent=1`.
 */
final class NativeRedis extends NativeHandler
{
    protected const NAME = 'redis';

    /** In the form of phpredis: `tcp://…`, `tls://…` or `unix://…`. */
    private string $address;
    private string $host;
    private int $port;
    /** @var list<string> user and password, only the password, or empty */
    private array $login;
    private int $database;
    private int $timeout;
    private string $persistent;

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['address' => $this->address, 'prefix' => $this->prefix];
    }

    /** Whether phpredis's handler can connect to the server in the URL. */
    public static function reaches(#[\SensitiveParameter] StoreUrl $url): bool
    {
        return !$url->has('ca') && !str_contains($url->hosts[0][0] ?? '', ':');
    }

    protected function configure(#[\SensitiveParameter] StoreUrl $url): void
    {
        if (count($url->hosts) > 1) {
            throw new InvalidSettings('the URL must name one Redis server, not several');
        }
        [[$host, $port]] = $url->hosts ?: [[null, null]];
        $tls = $url->scheme === 'rediss' ? 'tls://' : '';
        if ($host === null && ($tls !== '' || $url->path === '')) {
            throw new InvalidSettings('the URL of a Redis server needs a host or the path of a socket');
        }
        $this->host = $host === null ? $url->path : $tls . $host;
        $this->port = $host === null ? 0 : $port ?? 6379;
        $this->address = $host === null ? "unix://$url->path" : ($tls ?: 'tcp://') . "$host:$this->port";
        $this->login = array_slice([$url->user, $url->password], $url->user === '' ? 1 : 0);
        $this->login = $url->password === '' ? [] : $this->login;
        $this->database = $url->redisDatabase();
        $this->prefix = $url->prefix(RedisHandler::PREFIX);
        $this->timeout = $url->milliseconds('timeout', 1000);
        $this->persistent = $url->take('persistent', '[01]', '0 or 1') ?? '0';
    }

    protected function settings(): array
    {
        return ['session.save_path' => "$this->address?" . http_build_query([
            'auth' => $this->login,
            'database' => $this->database,
            'prefix' => $this->prefix,
            // Without these two, phpredis waits forever.
            'timeout' => $this->timeout / 1000,
            'read_timeout' => $this->timeout / 1000,
            'persistent' => $this->persistent,
        ])];
    }

    protected function copies(#[\SensitiveParameter] string $id): array
    {
        try {
            $redis = new \Redis();
            $redis->connect($this->host, $this->port, $this->timeout / 1000, null, 0, $this->timeout / 1000);
            if ($this->login !== []) {
                $redis->auth($this->login);
            }
            $redis->select($this->database);
            $stored = $redis->get($this->prefix . $id);
            // get() also returns false for an error. Then the session may exist.
            if ($redis->getLastError() !== null) {
                $this->fail('get', 'Redis reports an error');
            }
            return $stored === false ? [] : [$stored];
        } catch (\RedisException $error) {
            $this->fail('get', $error->getMessage());
        }
    }
}
