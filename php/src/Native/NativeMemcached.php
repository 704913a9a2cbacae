<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Native;

use PhpSessionChat\Session\Handler\MemcachedHandler;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Session\StoreUrl;

/**
 * ext-memcached's session handler. Each session is on one of the servers. A user and password in the URL are for SASL.
 *
 * Options: `weight=`, `distribution=`, `prefix=` (`memcached.sess_prefix`), `timeout=` to connect, `persistent=1`.
 */
final class NativeMemcached extends NativeHandler
{
    protected const NAME = 'memcached';

    /** In seconds. The default is max_execution_time. On the command line that is 0, so a lock would never expire. */
    private const LOCK_LEASE = 30;

    /** @var list<array{string, int, int}> host, port and weight */
    private array $servers;
    private string $distribution;
    private int $timeout;
    private string $persistent;
    /** @var array{string, string}|null user and password */
    private ?array $login;

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['servers' => $this->servers, 'prefix' => $this->prefix];
    }

    protected function configure(#[\SensitiveParameter] StoreUrl $url): void
    {
        $this->servers = $url->servers(11211, login: true);
        if (($url->user === '') !== ($url->password === '')) {
            throw new InvalidSettings('a user of memcached needs a password: //USER:PASSWORD@HOST');
        }
        $this->login = $url->user === '' ? null : [$url->user, $url->password];
        $this->distribution = $url->choice('distribution', array_keys(MemcachedHandler::DISTRIBUTIONS)) ?? 'ketama';
        $this->prefix = $url->prefix('memc.sess.key.');
        $this->timeout = $url->milliseconds('timeout', 1000);
        $this->persistent = $url->take('persistent', '[01]', '0 or 1') ?? '0';
    }

    protected function settings(): array
    {
        $servers = array_map(
            static fn (array $server): string => match (true) {
                $server[1] === 0 => "$server[0]:0",
                str_contains($server[0], ':') => "[$server[0]]:$server[1]:$server[2]",
                default => implode(':', $server),
            },
            $this->servers,
        );
        $modula = $this->distribution === 'modula';
        return [
            'session.save_path' => implode(',', $servers),
            'memcached.sess_prefix' => $this->prefix,
            'memcached.sess_consistent_hash' => $modula ? '0' : '1',
            'memcached.sess_consistent_hash_type' => $modula ? 'ketama' : $this->distribution,
            'memcached.sess_connect_timeout' => (string) $this->timeout,
            'memcached.sess_persistent' => $this->persistent,
        ] + ($this->login === null ? [] : [
            'memcached.sess_sasl_username' => $this->login[0],
            'memcached.sess_sasl_password' => $this->login[1],
        ]) + (ini_get('memcached.sess_lock_expire') . ini_get('max_execution_time') === '00'
            ? ['memcached.sess_lock_expire' => (string) self::LOCK_LEASE]
            : []);
    }

    protected function copies(#[\SensitiveParameter] string $id): array
    {
        $memcached = new \Memcached();
        $memcached->setOptions([
            // As an option, the prefix does not affect the choice of the server, as in the session handler.
            \Memcached::OPT_PREFIX_KEY => $this->prefix,
            \Memcached::OPT_CONNECT_TIMEOUT => $this->timeout,
            \Memcached::OPT_POLL_TIMEOUT => $this->timeout,
        ] + MemcachedHandler::DISTRIBUTIONS[$this->distribution]);
        if ($this->login !== null) {
            $memcached->setOption(\Memcached::OPT_BINARY_PROTOCOL, true);
            $memcached->setSaslAuthData(...$this->login);
        }
        $memcached->addServers($this->servers);
        $stored = $memcached->get($id);
        if ($memcached->getResultCode() === \Memcached::RES_NOTFOUND) {
            // get() also reports "not found" if the server responds with an error. touch() distinguishes the two.
            $memcached->touch($id, time() + (int) ini_get('session.gc_maxlifetime'));
        }
        return match ($memcached->getResultCode()) {
            \Memcached::RES_SUCCESS => [(string) $stored],
            \Memcached::RES_NOTFOUND => [],
            default => $this->fail('get', $memcached->getResultMessage()),
        };
    }

    protected function longestId(): int
    {
        return self::MEMCACHED_KEY_BYTES - strlen("{$this->prefix}lock.");
    }
}
