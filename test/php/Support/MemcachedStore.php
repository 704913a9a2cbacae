<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** @see Store */
final class MemcachedStore extends Store
{
    public function __construct(private readonly int $port)
    {
    }

    public function url(): string
    {
        return "memcached://127.0.0.1:$this->port?prefix=sessions/&timeout=5";
    }

    public function deadUrl(): string
    {
        return 'memcached://127.0.0.1:1?prefix=sessions/';
    }

    public function get(string $id): ?string
    {
        $record = $this->client()->get("sessions/$id");
        return $record === false ? null : $record;
    }

    public function put(string $id, string $record): void
    {
        $this->client()->set("sessions/$id", $record, $this->remaining($id));
    }

    public function remaining(string $id): int
    {
        [$line] = MemcachedProcess::ask($this->port, "mg sessions/$id t");
        return (int) substr($line, strlen('HD t'));
    }

    public function setRemaining(string $id, int $seconds): void
    {
        $this->client()->touch("sessions/$id", $seconds ?: -1);
    }

    public function remove(string $id): void
    {
        $this->client()->delete("sessions/$id");
    }

    public function lockRemaining(string $id): ?int
    {
        [$line] = MemcachedProcess::ask($this->port, "mg sessions/lock.$id t");
        return $line === 'EN' ? null : (int) substr($line, strlen('HD t'));
    }

    public function endLock(string $id): void
    {
        $this->client()->delete("sessions/lock.$id");
    }

    private function client(): \Memcached
    {
        $client = new \Memcached();
        $client->setOption(\Memcached::OPT_COMPRESSION, false);
        $client->addServer('127.0.0.1', $this->port);
        return $client;
    }
}
