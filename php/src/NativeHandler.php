<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Native\NativeFiles;
use PhpSessionChat\Session\Native\NativeMemcache;
use PhpSessionChat\Session\Native\NativeMemcached;
use PhpSessionChat\Session\Native\NativeRedis;

/**
 * One of PHP's own session handlers: of ext-memcached, ext-memcache, phpredis, or PHP's files. It is set up by a URL
 * in place of php.ini, and its failures are exceptions.
 *
 *     $session = NativeHandler::fromUrl('memcached://127.0.0.1:11211?handler=memcached');
 *     $session->start();    // in place of session_start(), and so on
 *     $session->close();    // before any output
 *
 * Several of these handlers take a store that fails for one that does not know the session: PHP makes a new one, and
 * the visitor is logged out for good. So where PHP says that it knows nothing of an ID, or has deleted a session, the
 * store is asked whether that is so. This costs nothing as long as sessions are found.
 */
abstract class NativeHandler
{
    /** A longer key is refused by memcached, for both of its extensions. */
    protected const MEMCACHED_KEY_BYTES = 250;

    /** What PHP itself makes, up to that length. */
    private const ID = '/^[A-Za-z0-9,-]{22,%d}\z/';

    private const FORMATS = 'php|php_binary|php_serialize|igbinary|msgpack';

    /** Of the extension, too. */
    protected const NAME = '';

    /** Whether the handler itself refuses IDs that it does not know. */
    protected const STRICT = true;

    private readonly string $format;
    private readonly ?int $lifetime;

    /** @throws InvalidSettings */
    final protected function __construct(#[\SensitiveParameter] UrlParts $url)
    {
        if (static::NAME !== 'files' && !extension_loaded(static::NAME)) {
            throw new InvalidSettings('PHP has no extension ' . static::NAME);
        }
        $this->format = $url->take('format', self::FORMATS, 'one of ' . strtr(self::FORMATS, '|', ' ')) ?? 'php';
        $this->lifetime = $url->seconds('lifetime');
        $this->configure($url);
        $url->finish();
    }

    /**
     * PHP's own handler for the sessions at that URL, wherever it can do what the URL says. It cannot do `layers=`,
     * `lock=` and `format=json`, keep sessions in tables, name its files otherwise than `sess_…`, or reach a Redis with
     * a certificate of `ca=` or at an IPv6 address. In memcached it has to be asked for with `handler=`, since others
     * write there as well.
     *
     * @return self|null null: one of this library's handlers is meant, see HandlerFactory
     * @throws InvalidSettings
     */
    public static function fromUrl(#[\SensitiveParameter] string $url): ?self
    {
        $parts = UrlParts::parse($url);
        if ($parts->has('layers') || $parts->has('lock') || $parts->get('format') === 'json') {
            return null;
        }
        return match ($parts->scheme) {
            'memcached' => match ($parts->take('handler', 'memcached|memcache', 'memcached or memcache')) {
                'memcached' => new NativeMemcached($parts),
                'memcache' => new NativeMemcache($parts),
                default => null,
            },
            'redis', 'rediss' => NativeRedis::reaches($parts) ? new NativeRedis($parts) : null,
            'file' => in_array($parts->get('prefix'), [null, 'sess_'], true) ? new NativeFiles($parts) : null,
            default => null,
        };
    }

    /** Takes its own options. @throws InvalidSettings */
    abstract protected function configure(UrlParts $url): void;

    /** @return array<string, string> settings of php.ini, session.save_path among them */
    abstract protected function settings(): array;

    /**
     * What lies in the store under that ID, asked without PHP's handler: a copy from each server that has one.
     *
     * @return list<string>
     * @throws SessionUnavailable when that cannot be found out
     */
    abstract protected function copies(string $id): array;

    /** Whether a session that has been ended may still be there. */
    protected function remains(#[\SensitiveParameter] string $id): bool
    {
        return $this->copies($id) !== [];
    }

    /** How many characters an ID may have for the store to take it, and its lock. session.sid_length is 22 to 256. */
    protected function longestId(): int
    {
        return 256;
    }

    /** On how many servers a session is. One that is on fewer has been lost by the others. */
    protected function redundancy(): int
    {
        return 1;
    }

    /**
     * As session_start(), in strict mode.
     *
     * @param array<string, scalar> $options
     * @throws SessionUnavailable
     * @throws InvalidSettings
     */
    final public function start(array $options = []): bool
    {
        $this->apply();
        $name = (string) ($options['name'] ?? session_name());
        $given = $_COOKIE[$name] ?? null;
        if (!is_string($given) || preg_match(sprintf(self::ID, $this->longestId()), $given) !== 1) {
            // It has no session. Some stores would call it an error, and so at each visit until the cookie is deleted.
            unset($_COOKIE[$name]);
            $given = null;
        }
        $this->call('session_start', $options);
        if ($given === null || (session_id() === $given && (static::STRICT || $_SESSION !== []))) {
            return true;
        }
        $copies = $this->copies($given);
        $known = count($copies) >= $this->redundancy();
        if (session_id() !== $given) {
            return !$known ?: $this->fail('session_start', 'a session that is in the store was not found');
        }
        if (!$known) {
            // Perhaps the visitor's own invention. With read_and_close nothing is stored under it.
            return session_status() !== PHP_SESSION_ACTIVE || $this->call('session_regenerate_id', true);
        }
        return $copies[0] === (string) session_encode() ?: $this->fail('session_start', 'a session was not read');
    }

    /**
     * As session_regenerate_id(true).
     *
     * @throws SessionUnavailable
     */
    final public function regenerate(): bool
    {
        return $this->ending('session_regenerate_id', true);
    }

    /**
     * As session_destroy().
     *
     * @throws SessionUnavailable when the session may still be in the store
     */
    final public function destroy(): bool
    {
        return $this->ending('session_destroy');
    }

    /**
     * As session_write_close().
     *
     * @throws SessionUnavailable
     */
    final public function close(): bool
    {
        return $this->call('session_write_close');
    }

    /** Nothing more is written: what is in $_SESSION may not be what was stored. */
    protected function fail(string $function, #[\SensitiveParameter] string $reason): never
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            @session_abort();
        }
        self::takeBackCookie();
        // PHP quotes the file with the session ID, or the save path with its password: both in brackets.
        $told = preg_replace('/\s*\((?:[^()]|(?R))*\)/', '', preg_replace('/^session_\w+\(\): /', '', $reason));
        throw new SessionUnavailable(static::NAME . ": $function: $told");
    }

    /** PHP has perhaps made a new ID, with which the browser would lose a login that is still good. */
    private static function takeBackCookie(): void
    {
        $cookies = preg_grep('/^Set-Cookie:/i', headers_list());
        if ($cookies === [] || headers_sent()) {
            return;
        }
        header_remove('Set-Cookie');
        foreach ($cookies as $cookie) {
            if (!str_starts_with(substr($cookie, strlen('Set-Cookie: ')), session_name() . '=')) {
                header($cookie, false);
            }
        }
    }

    private function apply(): void
    {
        $settings = [
            'session.save_handler' => static::NAME,
            // Else visitors could choose their ID.
            'session.use_strict_mode' => '1',
            'session.serialize_handler' => $this->format,
            'session.gc_maxlifetime' => (string) ($this->lifetime ?? ini_get('session.gc_maxlifetime')),
        ] + $this->settings();
        foreach ($settings as $name => $value) {
            if (@ini_set($name, $value) === false) {
                throw new InvalidSettings("PHP refuses $name as the URL has it, or to change it once there is output.");
            }
        }
    }

    /** ext-memcached says that it has deleted a session when its server is gone, too. */
    private function ending(string $function, mixed ...$arguments): bool
    {
        $id = session_id();
        $this->call($function, ...$arguments);
        return !$this->remains($id) ?: $this->fail($function, 'the session may still be in the store');
    }

    /** Calls a function of PHP that warns of what has failed, in one case with the result true. */
    private function call(string $function, mixed ...$arguments): bool
    {
        $warning = null;
        set_error_handler(static function (int $level, string $message) use (&$warning): bool {
            // A folder as Debian's, which nobody may list, is collected from outside.
            if (!str_contains($message, 'ps_files_cleanup_dir')) {
                $warning ??= $message;
            }
            return true;
        }, E_WARNING | E_NOTICE);
        try {
            $done = $function(...$arguments);
        } catch (\Throwable $error) {
            $warning = $error->getMessage();
        } finally {
            restore_error_handler();
        }
        return $warning === null && $done ?: $this->fail($function, $warning ?? 'it failed');
    }
}
