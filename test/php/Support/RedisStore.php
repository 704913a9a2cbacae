<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** @see Store */
final class RedisStore extends Store
{
    public function __construct(private readonly int $port)
    {
    }

    public function url(): string
    {
        return "redis://127.0.0.1:$this->port?prefix=siam_&timeout=5";
    }

    public function deadUrl(): string
    {
        return 'redis://127.0.0.1:1?prefix=siam_';
    }

    public function get(string $id): ?string
    {
        $record = $this->client()->get("siam_$id");
        return $record === false ? null : $record;
    }

    public function put(string $id, string $record): void
    {
        $this->client()->set("siam_$id", $record, ['KEEPTTL']);
    }

    public function remaining(string $id): int
    {
        return $this->client()->ttl("siam_$id");
    }

    public function setRemaining(string $id, int $seconds): void
    {
        $this->client()->expire("siam_$id", $seconds);
    }

    public function remove(string $id): void
    {
        $this->client()->del("siam_$id");
    }

    public function lockRemaining(string $id): ?int
    {
        $seconds = $this->client()->ttl("siam_{$id}_LOCK");
        return $seconds === -2 ? null : $seconds;
    }

    public function endLock(string $id): void
    {
        $this->client()->del("siam_{$id}_LOCK");
    }

    private function client(): \Redis
    {
        $client = new \Redis();
        $client->connect('127.0.0.1', $this->port);
        return $client;
    }
}
