<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Handler\PhpSettings;
use PhpSessionChat\Session\Native\NativeFiles;
use PhpSessionChat\Session\Native\NativeMemcache;
use PhpSessionChat\Session\Native\NativeMemcached;
use PhpSessionChat\Session\Native\NativeRedis;

/**
 * A session handler of PHP (ext-memcached's, ext-memcache's, phpredis's, or PHP's files), configured by a URL instead
 * of php.ini. Failures throw exceptions.
 *
 *     $session = NativeHandler::fromUrl('memcached://127.0.0.1:11211?handler=memcached');
 *     $session->start();    // instead of session_start(), and so on
 *     $session->close();    // before any output
 *
 * Some of these handlers treat a failed read as a missing session. PHP then creates a new one, which logs the visitor
 * out permanently. Therefore, if PHP finds no session for an ID, or reports that it has deleted one, this class checks
 * the store itself. If PHP finds the session, there is no extra request to the store.
 */
abstract class NativeHandler
{
    /** The maximum key length of memcached. */
    protected const MEMCACHED_KEY_BYTES = 250;

    /** IDs as PHP creates them, up to a maximum length. */
    private const ID = '/^[A-Za-z0-9,-]{22,%d}\z/';

    private const FORMATS = ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'];

    /** The name of the handler and of its extension. */
    protected const NAME = '';

    /** Whether PHP's handler rejects IDs that are not in the store. */
    protected const STRICT = true;

    /** Precedes the session ID in keys and file names. */
    protected string $prefix = 'sess_';

    private readonly string $scheme;
    private readonly string $path;
    private readonly string $format;
    private readonly ?int $lifetime;

    /** @throws InvalidSettings */
    final protected function __construct(#[\SensitiveParameter] StoreUrl $url)
    {
        if (static::NAME !== 'files' && !extension_loaded(static::NAME)) {
            throw new InvalidSettings('PHP has no extension ' . static::NAME);
        }
        $this->scheme = $url->scheme;
        $this->path = $url->path;
        $this->format = $url->choice('format', self::FORMATS) ?? 'php';
        $this->lifetime = $url->seconds('lifetime');
        $this->configure($url);
        $url->finish();
    }

    /**
     * Returns PHP's own handler for a store URL, if it supports the URL. It does not support `layers=`, `lock=`,
     * `format=json`, tables, the session server, other file names than `sess_…`, or a Redis server with `ca=` or an
     * IPv6 address. For memcached, the URL must contain `handler=`.
     *
     * @return self|null null if the URL needs a handler of this library, see HandlerFactory
     * @throws InvalidSettings
     */
    public static function fromUrl(#[\SensitiveParameter] string $url): ?self
    {
        $parts = StoreUrl::parse($url);
        if ($parts->has('layers') || $parts->has('lock') || $parts->get('format') === 'json') {
            return null;
        }
        return match ($parts->scheme) {
            'memcached' => match ($parts->choice('handler', ['memcached', 'memcache'])) {
                'memcached' => new NativeMemcached($parts),
                'memcache' => new NativeMemcache($parts),
                default => null,
            },
            'redis', 'rediss' => NativeRedis::reaches($parts) ? new NativeRedis($parts) : null,
            'file' => in_array($parts->get('prefix'), [null, 'sess_'], true) ? new NativeFiles($parts) : null,
            default => null,
        };
    }

    /** Takes the options of this handler. @throws InvalidSettings */
    abstract protected function configure(StoreUrl $url): void;

    /** @return array<string, string> php.ini settings, including session.save_path */
    abstract protected function settings(): array;

    /**
     * Reads the store without PHP's handler.
     *
     * @return list<string> the stored data of the ID, one copy from each server that has it
     * @throws SessionUnavailable if the store fails
     */
    abstract protected function copies(string $id): array;

    /** Whether a deleted session may still be in the store. */
    protected function remains(#[\SensitiveParameter] string $id): bool
    {
        return $this->copies($id) !== [];
    }

    /** Returns the maximum ID length for the keys of a session and its lock. session.sid_length is 22 to 256. */
    protected function longestId(): int
    {
        return 256;
    }

    /** Returns the number of servers that store each session. If fewer have it, some servers have lost it. */
    protected function redundancy(): int
    {
        return 1;
    }

    /**
     * Does what session_start() does, in strict mode.
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
            // The ID is invalid. Some stores would fail on it at every visit until the cookie is deleted.
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
            return !$known ?: $this->fail('session_start', 'PHP did not find a session that is in the store');
        }
        if (!$known) {
            // The visitor may have invented the ID, so replace it. With read_and_close, no session is stored under it.
            return session_status() !== PHP_SESSION_ACTIVE || $this->call('session_regenerate_id', true);
        }
        return $copies[0] === (string) session_encode()
            ?: $this->fail('session_start', 'PHP read an empty session, but the stored session is not empty');
    }

    /**
     * Does what session_regenerate_id(true) does.
     *
     * @throws SessionUnavailable
     */
    final public function regenerate(): bool
    {
        return $this->ending('session_regenerate_id', true);
    }

    /**
     * Does what session_destroy() does.
     *
     * @throws SessionUnavailable if the session may still be in the store
     */
    final public function destroy(): bool
    {
        return $this->ending('session_destroy');
    }

    /**
     * Does what session_write_close() does.
     *
     * @throws SessionUnavailable
     */
    final public function close(): bool
    {
        return $this->call('session_write_close');
    }

    /** Throws, and discards the session data, because $_SESSION may differ from the stored data. */
    protected function fail(string $function, #[\SensitiveParameter] string $reason): never
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            @session_abort();
        }
        self::removeCookie();
        // In parentheses PHP quotes the file, whose name contains the session ID, or the save path with its password.
        $shown = preg_replace('/\s*\((?:[^()]|(?R))*\)/', '', preg_replace('/^session_\w+\(\): /', '', $reason));
        throw new SessionUnavailable(static::NAME . ": $function: $shown");
    }

    /** Removes the cookie of a new ID that PHP may have created. It would replace the cookie of a valid login. */
    private static function removeCookie(): void
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
        PhpSettings::checkUploads($this->format, $this->scheme, $this->prefix, $this->path);
        $refused = PhpSettings::change([
            'session.save_handler' => static::NAME,
            // Without it, visitors could choose their ID.
            'session.use_strict_mode' => '1',
            'session.serialize_handler' => $this->format,
            'session.gc_maxlifetime' => (string) ($this->lifetime ?? ini_get('session.gc_maxlifetime')),
        ] + $this->settings());
        if ($refused !== null) {
            throw new InvalidSettings("PHP rejects the value of $refused in the URL, or output has already started.");
        }
    }

    /** Calls a function that deletes a session. ext-memcached reports success even if its server is down. */
    private function ending(string $function, mixed ...$arguments): bool
    {
        $id = session_id();
        $this->call($function, ...$arguments);
        return !$this->remains($id) ?: $this->fail($function, 'the session may still be in the store');
    }

    /** Calls a session function of PHP. Failures raise a warning, and some of them still return true. */
    private function call(string $function, mixed ...$arguments): bool
    {
        $warning = null;
        set_error_handler(static function (int $level, string $message) use (&$warning): bool {
            // Ignores a folder that PHP may not list, such as Debian's, because a cron job collects its garbage.
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
