<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * Stores sessions in memcached. The key is prefix + session ID, the item flags are 0, and items are not compressed, so
 * that programs in any language can read them without ext-memcached. For locks and errors see StoreHandler.
 *
 *     session_set_save_handler(new MemcachedHandler([['127.0.0.1', 11211]], 'sessions/'), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * With several servers, each session is on one of them. While a server is down, only its sessions are unavailable.
 *
 * memcached has no notifications for deletions. When a session ends or its ID is replaced, the handler therefore stores
 * a logout marker for 30 seconds, which the chat server polls: an empty item with the key `chat.ended.` + the first 32
 * hexadecimal digits of the ID's SHA-256.
 */
final class MemcachedHandler extends StoreHandler
{
    /** The values of `distribution=` in a store URL: how sessions are distributed over several servers. */
    public const DISTRIBUTIONS = [
        'modula' => [],
        'ketama' => [\Memcached::OPT_DISTRIBUTION => \Memcached::DISTRIBUTION_CONSISTENT],
        'ketama_weighted' => [\Memcached::OPT_LIBKETAMA_COMPATIBLE => true],
    ];

    /** The maximum key length of memcached. */
    private const KEY_BYTES = 250;

    /** memcached interprets a larger expiry time as a Unix time. */
    private const RELATIVE_SECONDS = 30 * 24 * 60 * 60;

    /** Short, because the server is near, and a page must not hang if a server is down. */
    private const CONNECT_MS = 250;

    private const MARKER_SECONDS = 30;

    /** Writes items, and chooses the server of a session. */
    private readonly \Memcached $memcached;

    private readonly MemcachedReader $reader;

    /** The CAS value of the last loaded record, which changes with every write. */
    private string $version = '0';

    /**
     * Connects at the first use.
     *
     * @param list<array{string, int, 2?: int}> $servers host, port and weight, in the same order on every web server
     * @param string $prefix put before the session ID
     * @param string $distribution a key of DISTRIBUTIONS
     * @param int $timeout for each response, in ms
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
        // If the lock expires now, cas() does not overwrite the data of another request.
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
        // Set after the deletion, because the chat server checks the session when it finds the marker. If setting the
        // marker fails, the regular check finds the end of the session later.
        $marker = 'chat.ended.' . substr(hash('sha256', $id), 0, 32);
        $this->memcached->setByKey($this->prefix . $id, $marker, '', self::MARKER_SECONDS);
        return $existed;
    }

    /** Stores the lock on the server of its session, so that it does not depend on other servers. */
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
            // Expires the lock now, unless another request has taken it. A delete could not check that.
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
     * @return array{value: string, flags: int, cas: string}|null null if the item does not exist
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

    /** The same key as in ext-memcached's own session handler. */
    private function lockKey(string $id): string
    {
        return "{$this->prefix}lock.$id";
    }

    /**
     * @param int|null $gone the result code that means the record no longer exists
     * @return bool false for that code
     * @throws SessionDataError
     * @throws SessionUnavailable
     */
    private function stored(string $command, #[\SensitiveParameter] string $record, ?int $gone = null): bool
    {
        if ($this->memcached->getResultCode() === \Memcached::RES_E2BIG) {
            // memcached has also deleted the old record, so the session is lost. Report that.
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
     * @param int|null $no the result code that means the item does not exist, or already exists
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
