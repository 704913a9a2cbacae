<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/**
 * PHP sessions in memcached: key = prefix + session ID, value = JSON, item flags 0, never compressed, so
 * that a reader in any language needs no knowledge of PHP. For locking and errors see StrictIdHandler.
 */
final class MemcachedHandler extends StrictIdHandler
{
    /** A longer key is refused by memcached, so no session can lie under it. */
    private const KEY_BYTES = 250;

    /** Above this memcached takes a lifetime for a date (and one in 1970 is over at once). */
    private const RELATIVE_SECONDS = 30 * 24 * 60 * 60;

    /** A server next door connects at once; a page should not hang on one that is gone. */
    private const CONNECT_MS = 250;

    private readonly \Memcached $memcached;

    /**
     * Connects at the first use, not here.
     *
     * @param string $prefix put before the session ID
     * @param int $timeout milliseconds for one answer
     */
    public function __construct(
        string $host,
        int $port,
        private readonly string $prefix,
        int $timeout = 1000,
    ) {
        $this->memcached = new \Memcached();
        $this->memcached->setOptions([
            \Memcached::OPT_COMPRESSION => false,
            \Memcached::OPT_TCP_NODELAY => true,
            \Memcached::OPT_CONNECT_TIMEOUT => self::CONNECT_MS,
            \Memcached::OPT_POLL_TIMEOUT => $timeout,
            \Memcached::OPT_SEND_TIMEOUT => $timeout * 1000,
            \Memcached::OPT_RECV_TIMEOUT => $timeout * 1000,
        ]);
        $this->memcached->addServer($host, $port);
    }

    protected function load(string $id): ?string
    {
        $key = $this->prefix . $id;
        if (strlen($key) > self::KEY_BYTES) {
            return null;
        }
        $record = $this->memcached->get($key);
        if ($this->memcached->getResultCode() === \Memcached::RES_NOTFOUND) {
            return null;
        }
        $this->succeeded('get');
        if (!is_string($record)) {
            throw new SessionDataError('The stored session is not a string. Who else writes here?');
        }
        return $record;
    }

    protected function store(string $id, string $record, int $lifetime): void
    {
        $this->memcached->set($this->prefix . $id, $record, self::expiry($lifetime));
        $this->stored('set', $record);
    }

    protected function replace(string $id, string $record, int $lifetime): void
    {
        $this->memcached->replace($this->prefix . $id, $record, self::expiry($lifetime));
        if ($this->memcached->getResultCode() !== \Memcached::RES_NOTSTORED) {
            $this->stored('replace', $record);
        }
    }

    protected function renew(string $id, int $lifetime): void
    {
        $this->memcached->touch($this->prefix . $id, self::expiry($lifetime));
        if ($this->memcached->getResultCode() !== \Memcached::RES_NOTFOUND) {
            $this->succeeded('touch');
        }
    }

    protected function remove(string $id): void
    {
        $this->memcached->delete($this->prefix . $id);
        if ($this->memcached->getResultCode() !== \Memcached::RES_NOTFOUND) {
            $this->succeeded('delete');
        }
    }

    /**
     * @throws SessionDataError
     * @throws SessionUnavailable
     */
    private function stored(string $command, string $record): void
    {
        if ($this->memcached->getResultCode() === \Memcached::RES_E2BIG) {
            // memcached has dropped the old record too: the session is lost, and somebody must hear of it.
            $bytes = strlen($record);
            throw new SessionDataError("A session of $bytes bytes is over memcached's item limit (-I).");
        }
        $this->succeeded($command);
    }

    private static function expiry(int $lifetime): int
    {
        return $lifetime > self::RELATIVE_SECONDS ? time() + $lifetime : $lifetime;
    }

    /** @throws SessionUnavailable */
    private function succeeded(string $command): void
    {
        $code = $this->memcached->getResultCode();
        if ($code !== \Memcached::RES_SUCCESS) {
            throw new SessionUnavailable("memcached: $command: " . $this->memcached->getResultMessage(), $code);
        }
    }
}
