<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * PHP sessions in memcached: key = prefix + session ID, item flags 0, never compressed, so that programs in any
 * language can read them without knowing ext-memcached. For locks and errors see StoreHandler.
 *
 *     session_set_save_handler(new MemcachedHandler([['127.0.0.1', 11211]], 'sessions/'), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * With several servers, each session is on one of them. While a server is down, its sessions are unavailable; the
 * others are not affected.
 *
 * memcached notifies nobody of a deletion. So when a session ends or its ID is replaced, the handler stores a logout
 * marker for 30 seconds, which the chat server sees at once: an empty item, whose key is `chat.ended.` and the first 32
 * hexadecimal digits of the ID's SHA-256.
 */
final class MemcachedHandler extends StoreHandler
{
    /** How sessions are distributed over several servers: the values of `distribution=` in a store URL. */
    public const DISTRIBUTIONS = [
        'modula' => [],
        'ketama' => [\Memcached::OPT_DISTRIBUTION => \Memcached::DISTRIBUTION_CONSISTENT],
        'ketama_weighted' => [\Memcached::OPT_LIBKETAMA_COMPATIBLE => true],
    ];

    /** memcached refuses longer keys. */
    private const KEY_BYTES = 250;

    /** memcached takes a longer expiry time for a Unix time. */
    private const RELATIVE_SECONDS = 30 * 24 * 60 * 60;

    /** Short, since the server is near: a page should not hang because one is gone. */
    private const CONNECT_MS = 250;

    private const MARKER_SECONDS = 30;

    /** Writes, and knows which server has which session. */
    private readonly \Memcached $memcached;

    private readonly MemcachedReader $reader;

    /** memcached's CAS value of the record that was loaded last. Every write changes it. */
    private string $version = '0';

    /**
     * Connects at the first use.
     *
     * @param list<array{string, int, 2?: int}> $servers host, port and weight, in the same order on every web server
     * @param string $prefix put before the session ID
     * @param string $distribution a key of DISTRIBUTIONS
     * @param int $timeout milliseconds for one answer
     */
    public function __construct(
        array $servers,
        private readonly string $prefix = '',
        string $distribution = 'modula',
        int $timeout = 1000,
        HandlerSettings $settings = new HandlerSettings(),
    ) {
        parent::__construct($settings);
        $this->memcached = new \Memcached();
        $this->memcached->setOptions([
            \Memcached::OPT_COMPRESSION => false,
            \Memcached::OPT_TCP_NODELAY => true,
            \Memcached::OPT_CONNECT_TIMEOUT => self::CONNECT_MS,
            \Memcached::OPT_POLL_TIMEOUT => $timeout,
            \Memcached::OPT_SEND_TIMEOUT => $timeout * 1000,
            \Memcached::OPT_RECV_TIMEOUT => $timeout * 1000,
        ] + self::DISTRIBUTIONS[$distribution]);
        $this->memcached->addServers($servers);
        $this->reader = new MemcachedReader(self::CONNECT_MS, $timeout);
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['servers' => $this->memcached->getServerList(), 'prefix' => $this->prefix];
    }

    protected function load(#[\SensitiveParameter] string $id): ?string
    {
        $key = $this->prefix . $id;
        if (strlen($key) > self::KEY_BYTES) {
            return null;
        }
        $item = $this->item($key, $key);
        if ($item === null) {
            return null;
        }
        if ($item['flags'] !== 0) {
            throw new SessionDataError('The stored session is not a string. Does another program write here?');
        }
        $this->version = $item['cas'];
        return $item['value'];
    }

    protected function store(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): void
    {
        $this->memcached->set($this->prefix . $id, $record, self::expiry($this->lifetime));
        $this->stored('set', $record);
    }

    protected function replace(
        #[\SensitiveParameter] string $id,
        #[\SensitiveParameter] string $record,
        ?string $token,
    ): bool {
        if ($token === null) {
            $this->memcached->replace($this->prefix . $id, $record, self::expiry($this->lifetime));
            return $this->stored('replace', $record, \Memcached::RES_NOTSTORED);
        }
        if (!$this->holds($id, $token)) {
            throw self::lockLost();
        }
        // With the CAS value, in case the lock ends right now and another request writes first.
        $this->memcached->cas($this->version, $this->prefix . $id, $record, self::expiry($this->lifetime));
        if ($this->memcached->getResultCode() === \Memcached::RES_DATA_EXISTS) {
            throw self::lockLost();
        }
        return $this->stored('cas', $record, \Memcached::RES_NOTFOUND);
    }

    protected function renew(#[\SensitiveParameter] string $id): void
    {
        $this->memcached->touch($this->prefix . $id, self::expiry($this->lifetime));
        $this->succeeded('touch', \Memcached::RES_NOTFOUND);
    }

    protected function remove(#[\SensitiveParameter] string $id): bool
    {
        $this->memcached->delete($this->prefix . $id);
        $existed = $this->succeeded('delete', \Memcached::RES_NOTFOUND);
        // Only now, since the chat server checks the session when it sees the marker. If setting it fails, the regular
        // check finds the end of the session a little later.
        $marker = 'chat.ended.' . substr(hash('sha256', $id), 0, 32);
        $this->memcached->setByKey($this->prefix . $id, $marker, '', self::MARKER_SECONDS);
        return $existed;
    }

    /** A lock is on the server of its session, so that no other server has to be up. */
    protected function acquire(#[\SensitiveParameter] string $id, string $token, int $lease): bool
    {
        if (strlen($this->lockKey($id)) > self::KEY_BYTES) {
            throw new InvalidSettings(
                'session.sid_length and prefix= are too long for the key of a lock in memcached (250 bytes).',
            );
        }
        $this->memcached->addByKey($this->prefix . $id, $this->lockKey($id), $token, self::expiry($lease));
        return $this->succeeded('add', \Memcached::RES_NOTSTORED);
    }

    protected function holds(#[\SensitiveParameter] string $id, string $token): bool
    {
        return ($this->lockOf($id)['value'] ?? null) === $token;
    }

    protected function release(#[\SensitiveParameter] string $id, string $token): void
    {
        $lock = $this->lockOf($id);
        if ($lock !== null && $lock['value'] === $token) {
            // Expires the lock at once, unless another request has taken it. A delete could not check that.
            $this->memcached->casByKey($lock['cas'], $this->prefix . $id, $this->lockKey($id), '', -1);
        }
    }

    /** @return array{value: string, flags: int, cas: string}|null */
    private function lockOf(#[\SensitiveParameter] string $id): ?array
    {
        return $this->item($this->prefix . $id, $this->lockKey($id));
    }

    /**
     * @param string $session the key that chooses the server
     * @return array{value: string, flags: int, cas: string}|null null when there is none
     * @throws SessionUnavailable
     */
    private function item(#[\SensitiveParameter] string $session, #[\SensitiveParameter] string $key): ?array
    {
        $server = $this->memcached->getServerByKey($session);
        if ($server === false) {
            throw new SessionUnavailable('memcached: get: ' . $this->memcached->getResultMessage());
        }
        return $this->reader->read($server['host'], $server['port'], $key);
    }

    /** As ext-memcached's own session handler names it. */
    private function lockKey(string $id): string
    {
        return "{$this->prefix}lock.$id";
    }

    /**
     * @param int|null $gone the result code for "there is no record any more"
     * @return bool false for that code
     * @throws SessionDataError
     * @throws SessionUnavailable
     */
    private function stored(string $command, #[\SensitiveParameter] string $record, ?int $gone = null): bool
    {
        if ($this->memcached->getResultCode() === \Memcached::RES_E2BIG) {
            // memcached has deleted the old record too: the session is lost, and that must not go unnoticed.
            $bytes = strlen($record);
            throw new SessionDataError("A session of $bytes bytes is over memcached's item limit (-I).");
        }
        return $this->succeeded($command, $gone);
    }

    private static function expiry(int $lifetime): int
    {
        return $lifetime > self::RELATIVE_SECONDS ? time() + $lifetime : $lifetime;
    }

    /**
     * @param int|null $no the result code for "there is none", or for "there is one already"
     * @return bool false for that code
     * @throws SessionUnavailable
     */
    private function succeeded(string $command, ?int $no = null): bool
    {
        $code = $this->memcached->getResultCode();
        if ($code !== \Memcached::RES_SUCCESS && $code !== $no) {
            throw new SessionUnavailable("memcached: $command: " . $this->memcached->getResultMessage(), $code);
        }
        return $code === \Memcached::RES_SUCCESS;
    }
}
