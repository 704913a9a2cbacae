<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * PHP sessions in memcached, as PHP writes them: key = prefix + session ID, item flags 0, never compressed, so that a
 * reader in any language needs no knowledge of ext-memcached. For locking and errors see StrictIdHandler.
 *
 *     session_set_save_handler(new MemcachedHandler([['127.0.0.1', 11211]], 'sessions/'), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * With JSON in it, as any language reads it: `new JsonHandler(new MemcachedHandler(…))`. Of several servers each has
 * the sessions whose keys fall to it; while one is down, its sessions are unavailable and no others.
 *
 * When a session is destroyed, and when its ID is replaced, a mark stays for 30 seconds: the key `chat.ended.` and the
 * first 32 hexadecimal digits of the ID's SHA-256, with nothing in it. memcached tells nobody of a deletion, but a chat
 * server that watches it sees the mark being set.
 */
final class MemcachedHandler extends StrictIdHandler
{
    /** How the servers share the sessions, by the names of the store URL's `distribution=`. */
    public const DISTRIBUTIONS = [
        'modula' => [],
        'ketama' => [\Memcached::OPT_DISTRIBUTION => \Memcached::DISTRIBUTION_CONSISTENT],
        'ketama_weighted' => [\Memcached::OPT_LIBKETAMA_COMPATIBLE => true],
    ];

    /** A longer key is refused by memcached, so no session can lie under it. */
    private const KEY_BYTES = 250;

    /** Above this memcached takes a lifetime for a date (and one in 1970 is over at once). */
    private const RELATIVE_SECONDS = 30 * 24 * 60 * 60;

    /** A server next door connects at once; a page should not hang on one that is gone. */
    private const CONNECT_MS = 250;

    private const MARK_SECONDS = 30;

    private readonly \Memcached $memcached;

    /** Changes with every write of the record that was loaded last. */
    private int|float|string $version = 0;

    /**
     * Connects at the first use, not here.
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
    }

    /** What a dump of it shows. */
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
        $item = $this->memcached->get($key, null, \Memcached::GET_EXTENDED);
        if (!$this->succeeded('get', \Memcached::RES_NOTFOUND)) {
            // ext-memcached says so of the server's errors as well, which would log the visitor out; not so here.
            $this->memcached->touch($key, self::expiry($this->lifetime));
            if ($this->succeeded('touch', \Memcached::RES_NOTFOUND)) {
                throw new SessionUnavailable('memcached: it did not hand out a session that it has.');
            }
            return null;
        }
        if (!is_string($item['value'])) {
            throw new SessionDataError('The stored session is not a string. Who else writes here?');
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
        // Were the lock to end just now, the next one could have written already.
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
        // Afterwards, since it makes the chat server look; without it that only happens a little later.
        $mark = 'chat.ended.' . substr(hash('sha256', $id), 0, 32);
        $this->memcached->setByKey($this->prefix . $id, $mark, '', self::MARK_SECONDS);
        return $existed;
    }

    /** Locks lie on the session's own server: while another is down, nothing else fails than its own sessions. */
    protected function acquire(#[\SensitiveParameter] string $id, string $token, int $lease): bool
    {
        if (strlen($this->lockKey($id)) > self::KEY_BYTES) {
            throw new InvalidSettings('session.sid_length and prefix= leave no room for the key of a lock in memcached.');
        }
        $this->memcached->addByKey($this->prefix . $id, $this->lockKey($id), $token, self::expiry($lease));
        return $this->succeeded('add', \Memcached::RES_NOTSTORED);
    }

    protected function holds(#[\SensitiveParameter] string $id, string $token): bool
    {
        return $this->lockOf($id)['value'] === $token;
    }

    protected function release(#[\SensitiveParameter] string $id, string $token): void
    {
        $lock = $this->lockOf($id);
        if ($lock['value'] === $token) {
            // A delete that spares what somebody else has put there meanwhile.
            $this->memcached->casByKey($lock['cas'], $this->prefix . $id, $this->lockKey($id), '', -1);
        }
    }

    /** @return array{value: mixed, cas: int|float|string} */
    private function lockOf(#[\SensitiveParameter] string $id): array
    {
        $key = $this->prefix . $id;
        $lock = $this->memcached->getByKey($key, $this->lockKey($id), null, \Memcached::GET_EXTENDED);
        return $this->succeeded('get', \Memcached::RES_NOTFOUND) ? $lock : ['value' => null, 'cas' => 0];
    }

    /** The one that ext-memcached's own session handler uses. */
    private function lockKey(string $id): string
    {
        return "{$this->prefix}lock.$id";
    }

    /**
     * @param int|null $gone the result that says that there was no record any more
     * @return bool false for that answer
     * @throws SessionDataError
     * @throws SessionUnavailable
     */
    private function stored(string $command, #[\SensitiveParameter] string $record, ?int $gone = null): bool
    {
        if ($this->memcached->getResultCode() === \Memcached::RES_E2BIG) {
            // memcached has dropped the old record too: the session is lost, and somebody must hear of it.
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
     * @param int|null $no the result that is an answer too: there was none, or there was one already
     * @return bool false for that answer
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
