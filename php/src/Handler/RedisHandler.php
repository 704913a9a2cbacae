<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\SessionUnavailable;

/**
 * Stores sessions in Redis. The key is prefix + session ID. For locks and errors see StoreHandler.
 *
 *     $settings = new HandlerSettings(lifetime: 3600);
 *     session_set_save_handler(new RedisHandler('127.0.0.1', prefix: 'siam_', settings: $settings), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * With `notify-keyspace-events Egx`, Redis notifies the chat server of deletions.
 */
final class RedisHandler extends StoreHandler
{
    /** The default prefix of phpredis's own handler. */
    public const PREFIX = 'PHPREDIS_SESSION:';

    private const CONNECT_SECONDS = 0.25;

    /** Writes only if the lock is still held and the record still exists. Keys: record, lock. */
    private const REPLACE = <<<'LUA'
        if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lost' end
        return redis.call('SET', KEYS[1], ARGV[2], 'XX', 'EX', ARGV[3]) and 'written' or 'gone'
        LUA;

    private const RELEASE = <<<'LUA'
        return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
        LUA;

    private ?\Redis $redis = null;

    /**
     * Connects at the first use.
     *
     * @param string $host a name, an address, or the path of a Unix socket
     * @param string $prefix put before the session ID
     * @param string|null $user of an ACL; null: only the password
     * @param array<string, mixed>|null $tls PHP's SSL context options, such as `cafile`; null: no TLS
     * @param int $timeout for each response, in ms
     */
    public function __construct(
        private readonly string $host,
        private readonly int $port = 6379,
        private readonly string $prefix = self::PREFIX,
        private readonly ?string $user = null,
        #[\SensitiveParameter] private readonly ?string $password = null,
        private readonly int $database = 0,
        private readonly ?array $tls = null,
        private readonly int $timeout = 1000,
        HandlerSettings $settings = new HandlerSettings(),
    ) {
        parent::__construct($settings);
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['host' => $this->host, 'port' => $this->port, 'prefix' => $this->prefix];
    }

    protected function load(#[\SensitiveParameter] string $id): ?string
    {
        $record = $this->ask('GET', fn (\Redis $redis) => $redis->get($this->prefix . $id));
        return $record === false ? null : $record;
    }

    protected function store(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): void
    {
        $this->ask('SET', fn (\Redis $redis) => $redis->setex($this->prefix . $id, $this->lifetime, $record));
    }

    protected function replace(
        #[\SensitiveParameter] string $id,
        #[\SensitiveParameter] string $record,
        ?string $token,
    ): bool {
        $key = $this->prefix . $id;
        if ($token === null) {
            return $this->ask('SET', fn (\Redis $redis) => $redis->set($key, $record, ['xx', 'ex' => $this->lifetime]));
        }
        $values = [$key, $this->lockKey($id), $token, $record, $this->lifetime];
        $done = $this->ask('EVAL', static fn (\Redis $redis) => $redis->eval(self::REPLACE, $values, 2));
        return $done === 'lost' ? throw self::lockLost() : $done === 'written';
    }

    protected function renew(#[\SensitiveParameter] string $id): void
    {
        $this->ask('EXPIRE', fn (\Redis $redis) => $redis->expire($this->prefix . $id, $this->lifetime));
    }

    protected function remove(#[\SensitiveParameter] string $id): bool
    {
        return $this->ask('DEL', fn (\Redis $redis) => $redis->del($this->prefix . $id)) === 1;
    }

    protected function acquire(#[\SensitiveParameter] string $id, string $token, int $lease): bool
    {
        $key = $this->lockKey($id);
        return $this->ask('SET', static fn (\Redis $redis) => $redis->set($key, $token, ['nx', 'px' => $lease * 1000]));
    }

    protected function holds(#[\SensitiveParameter] string $id, string $token): bool
    {
        return $this->ask('GET', fn (\Redis $redis) => $redis->get($this->lockKey($id))) === $token;
    }

    protected function release(#[\SensitiveParameter] string $id, string $token): void
    {
        $values = [$this->lockKey($id), $token];
        $this->ask('EVAL', static fn (\Redis $redis) => $redis->eval(self::RELEASE, $values, 1));
    }

    /** The same key as in phpredis's own session handler. */
    private function lockKey(string $id): string
    {
        return "$this->prefix{$id}_LOCK";
    }

    /**
     * Sends one command. phpredis throws only some errors. For others it returns false, as for a missing key.
     *
     * @param \Closure(\Redis): mixed $question
     * @throws SessionUnavailable
     */
    private function ask(string $command, #[\SensitiveParameter] \Closure $question): mixed
    {
        try {
            $this->redis ??= $this->connect();
            $this->redis->clearLastError();
            $answer = $question($this->redis);
            $error = $this->redis->getLastError();
        } catch (\RedisException $exception) {
            // A late reply on this connection would be read as the reply to the next command.
            $this->redis = null;
            $error = $exception->getMessage();
        }
        if ($error !== null) {
            // Reports only the code of an error from Redis, because the text may quote the command.
            $code = preg_match('/^[A-Z]+\b/', $error, $match) === 1 ? $match[0] : $error;
            throw new SessionUnavailable("redis: $command: $code");
        }
        return $answer;
    }

    /** @throws \RedisException */
    private function connect(): \Redis
    {
        $redis = new \Redis();
        $warning = null;
        // PHP reports a bad certificate only in a warning.
        set_error_handler(static function (int $level, string $message) use (&$warning): bool {
            $warning ??= $message;
            return true;
        });
        try {
            $connected = $redis->connect(
                $this->tls === null ? $this->host : "tls://$this->host",
                str_starts_with($this->host, '/') ? 0 : $this->port,
                self::CONNECT_SECONDS,
                null,
                0,
                $this->timeout / 1000,
                $this->tls === null ? [] : ['stream' => $this->tls],
            );
        } finally {
            restore_error_handler();
        }
        if (!$connected) {
            throw new \RedisException(strtr($warning ?? 'no connection', "\n", ' '));
        }
        if ($this->password !== null) {
            $redis->auth($this->user === null ? $this->password : [$this->user, $this->password]);
        }
        if ($this->database !== 0) {
            $redis->select($this->database);
        }
        if ($redis->getLastError() !== null) {
            throw new \RedisException($redis->getLastError());
        }
        return $redis;
    }
}
