<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Handler\PhpSettings;
use PhpSessionChat\Session\Native\NativeFiles;
use PhpSessionChat\Session\Native\NativeMemcache;
use PhpSessionChat\Session\Native\NativeMemcached;
use PhpSessionChat\Session\Native\NativeRedis;

/**
 * A session handler of PHP (ext-memcached's, ext-memcache's, phpredis's, or PHP's files), set up by a URL instead of
 * php.ini, and with exceptions for its failures.
 *
 *     $session = NativeHandler::fromUrl('memcached://127.0.0.1:11211?handler=memcached');
 *     $session->start();    // instead of session_start(), and so on
 *     $session->close();    // before any output
 *
 * Some of these handlers take a failed read for a session that does not exist. PHP then makes a new one, and the
 * visitor is logged out permanently. So when PHP finds no session for an ID, or says that it has deleted one, this
 * class checks the store itself. As long as sessions are found, that costs nothing.
 */
abstract class NativeHandler
{
    /** memcached refuses longer keys. */
    protected const MEMCACHED_KEY_BYTES = 250;

    /** IDs as PHP makes them, up to a length. */
    private const ID = '/^[A-Za-z0-9,-]{22,%d}\z/';

    private const FORMATS = ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'];

    /** The name of the handler, which is also that of its extension. */
    protected const NAME = '';

    /** Whether PHP's handler refuses IDs that are not in the store. */
    protected const STRICT = true;

    /** Before the session ID. */
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
     * PHP's own handler for a store URL, where it can do what the URL says. It cannot do `layers=`, `lock=` or
     * `format=json`, keep sessions in a table or in the session server, name its files other than `sess_…`, or reach a
     * Redis with `ca=` or at an IPv6 address. For memcached the URL must name it with `handler=`.
     *
     * @return self|null null: the URL is for a handler of this library, see HandlerFactory
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

    /** @return array<string, string> php.ini settings, session.save_path among them */
    abstract protected function settings(): array;

    /**
     * Reads the store without PHP's handler.
     *
     * @return list<string> what is stored for that ID: one copy from each server that has it
     * @throws SessionUnavailable when the store fails
     */
    abstract protected function copies(string $id): array;

    /** Whether a session that was deleted may still be in the store. */
    protected function remains(#[\SensitiveParameter] string $id): bool
    {
        return $this->copies($id) !== [];
    }

    /** The longest ID that the store and its lock can take. session.sid_length is 22 to 256. */
    protected function longestId(): int
    {
        return 256;
    }

    /** On how many servers each session is stored. If fewer have it, the others have lost it. */
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
            // No session can have that ID. Some stores would fail on it at every visit, until the cookie is deleted.
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
            // The visitor may have invented the ID, so it is replaced. With read_and_close nothing is stored under it.
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

    /** Throws. Nothing more is written, since $_SESSION may not be what was stored. */
    protected function fail(string $function, #[\SensitiveParameter] string $reason): never
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            @session_abort();
        }
        self::removeCookie();
        // In brackets PHP quotes the file, whose name has the session ID, or the save path with its password.
        $shown = preg_replace('/\s*\((?:[^()]|(?R))*\)/', '', preg_replace('/^session_\w+\(\): /', '', $reason));
        throw new SessionUnavailable(static::NAME . ": $function: $shown");
    }

    /** PHP may have made a new ID. Its cookie would replace that of a login which is still valid. */
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
            // Otherwise visitors could choose their ID.
            'session.use_strict_mode' => '1',
            'session.serialize_handler' => $this->format,
            'session.gc_maxlifetime' => (string) ($this->lifetime ?? ini_get('session.gc_maxlifetime')),
        ] + $this->settings());
        if ($refused !== null) {
            throw new InvalidSettings("PHP refuses $refused as the URL sets it, or output has begun already.");
        }
    }

    /** Calls a function that deletes a session. ext-memcached reports success even when its server is down. */
    private function ending(string $function, mixed ...$arguments): bool
    {
        $id = session_id();
        $this->call($function, ...$arguments);
        return !$this->remains($id) ?: $this->fail($function, 'the session may still be in the store');
    }

    /** Calls a session function of PHP. It reports failures by a warning, and some of them return true all the same. */
    private function call(string $function, mixed ...$arguments): bool
    {
        $warning = null;
        set_error_handler(static function (int $level, string $message) use (&$warning): bool {
            // A folder that PHP may not list, such as Debian's, has its garbage collected by a cron job.
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
