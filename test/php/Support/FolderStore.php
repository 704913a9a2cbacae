<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** @see Store */
final class FolderStore extends Store
{
    private const LIFETIME = 1440;

    public function __construct(public readonly string $folder)
    {
    }

    public function url(): string
    {
        return "file://$this->folder?depth=0";
    }

    public function deadUrl(): string
    {
        return "file://$this->folder/unmounted?depth=0";
    }

    public function get(string $id): ?string
    {
        $record = @file_get_contents($this->path($id));
        return $record === false ? null : $record;
    }

    public function put(string $id, string $record): void
    {
        $time = $this->remaining($id);
        file_put_contents($this->path($id), $record);
        $this->setRemaining($id, $time);
    }

    public function remaining(string $id): int
    {
        clearstatcache();
        return filemtime($this->path($id)) + self::LIFETIME - time();
    }

    public function setRemaining(string $id, int $seconds): void
    {
        // A file exactly as old as the lifetime has not expired.
        touch($this->path($id), time() - self::LIFETIME + $seconds - ($seconds < 1 ? 1 : 0));
    }

    public function remove(string $id): void
    {
        unlink($this->path($id));
    }

    public function lockRemaining(string $id): ?int
    {
        throw new \LogicException('The lock of a file has no lease.');
    }

    public function endLock(string $id): void
    {
        throw new \LogicException('The lock of a file has no lease.');
    }

    private function path(string $id): string
    {
        return "$this->folder/sess_$id";
    }
}
