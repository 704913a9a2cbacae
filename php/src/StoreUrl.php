<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

/** A store URL in its parts. The chat server parses the URL in the same way, so that one URL works for both. */
final class StoreUrl
{
    private const SECONDS = ['s' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400];

    /**
     * @param list<array{string, int|null}> $hosts names or addresses, each with its port if the URL has one
     * @param string $path with the first slash: `/3`, `/var/lib/php/sessions`
     * @param array<string, string> $options not taken yet
     */
    private function __construct(
        public readonly string $scheme,
        public readonly string $user,
        #[\SensitiveParameter] public readonly string $password,
        public readonly array $hosts,
        public readonly string $path,
        private array $options,
    ) {
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['scheme' => $this->scheme];
    }

    /** @throws InvalidSettings */
    public static function parse(#[\SensitiveParameter] string $url): self
    {
        // An @ is allowed only after the login. Anywhere else, it may be part of a password that is not encoded.
        $form = '~^(sqlite(?=:)|[a-z-]+(?=://)):(?://(?:([^@/?]*)@)?([^@/?]*))?([^@?]*)(?:\?([^@]*))?\z~s';
        if (preg_match($form, $url, $part) !== 1) {
            throw new InvalidSettings('not a URL such as memcached://127.0.0.1:11211?handler=memcached'
                . ' (in a password @ : / ? are %40 %3A %2F %3F, and elsewhere @ is %40)');
        }
        [, $scheme, $login, $hosts, $path, $query] = $part + [5 => ''];
        if (preg_match('~%(?![0-9a-f]{2})~i', $login . $path) === 1) {
            throw new InvalidSettings('write % as %25 in the URL, unless two hexadecimal digits follow');
        }
        [$user, $password] = explode(':', $login, 2) + [1 => ''];
        $options = [];
        foreach ($query === '' ? [] : explode('&', $query) as $option) {
            // A plus sign is not a space, because prefixes may contain it.
            [$name, $value] = array_map('rawurldecode', explode('=', $option, 2)) + [1 => ''];
            $options[$name] = $value;
        }
        $places = [];
        // array_map() would show the hosts in a stack trace, and they may contain the end of a password.
        foreach ($hosts === '' ? [] : explode(',', $hosts) as $host) {
            $places[] = self::host($host);
        }
        return new self(
            $scheme,
            rawurldecode($user),
            rawurldecode($password),
            $places,
            rawurldecode($path),
            $options,
        );
    }

    /**
     * Takes `weight=`, which has one weight for each server or one for all, and returns the servers.
     *
     * @param int $port the default port
     * @param bool $login whether the URL may have a user
     * @return non-empty-list<array{string, int, int}> host, port and weight; or the path of a Unix socket, with port 0
     * @throws InvalidSettings
     */
    public function servers(int $port, bool $login = false): array
    {
        if (!$login && $this->user . $this->password !== '') {
            throw new InvalidSettings("$this->scheme: must not have a user here");
        }
        if ($this->hosts === [] && str_starts_with($this->path, '/') && $this->path !== '/') {
            $this->take('weight', '[1-9]\d{0,3}', 'a number from 1 to 9999');
            return [[$this->path, 0, 1]];
        }
        $weights = explode(',', $this->take('weight', '[1-9]\d{0,3}(,[1-9]\d{0,3})*', 'numbers from 1 to 9999') ?? '1');
        if (count($weights) !== 1 && count($weights) !== count($this->hosts)) {
            throw new InvalidSettings('weight= must be one number for all servers, or one number for each server');
        }
        if ($this->hosts === [] || !in_array($this->path, ['', '/'], true)) {
            throw new InvalidSettings("$this->scheme: needs servers as //HOST:PORT,HOST:PORT without a path, or ///SOCKET");
        }
        $servers = [];
        foreach ($this->hosts as $n => [$host, $given]) {
            $servers[] = [$host, $given ?? $port, (int) ($weights[$n] ?? $weights[0])];
        }
        return $servers;
    }

    public function get(string $option): ?string
    {
        return $this->options[$option] ?? null;
    }

    public function has(string $option): bool
    {
        return isset($this->options[$option]);
    }

    /**
     * Takes an option, so that finish() accepts it.
     *
     * @param string $pattern a regular expression for the whole value
     * @param string $what describes the valid values in the error message
     * @return string|null null if the URL does not have the option
     * @throws InvalidSettings
     */
    public function take(string $option, string $pattern, string $what): ?string
    {
        $value = $this->options[$option] ?? null;
        unset($this->options[$option]);
        if ($value !== null && preg_match("~^(?:$pattern)\z~", $value) !== 1) {
            throw new InvalidSettings("$option= must be $what");
        }
        return $value;
    }

    /**
     * Takes an option that has one of these values.
     *
     * @param list<string> $values
     * @throws InvalidSettings
     */
    public function choice(string $option, array $values): ?string
    {
        return $this->take($option, implode('|', $values), 'one of ' . implode(', ', $values));
    }

    /** Takes the number of a Redis database from the path or from `database=`. @throws InvalidSettings */
    public function redisDatabase(): int
    {
        $inPath = $this->hosts === [] ? '' : substr($this->path, 1);
        $database = $this->take('database', '\d{1,5}', 'a number') ?? $inPath;
        if (preg_match('/^\d{0,5}\z/', $database) !== 1 || !in_array($inPath, ['', $database], true)) {
            throw new InvalidSettings('the Redis database must be a number, as in redis://HOST:PORT/3');
        }
        return (int) $database;
    }

    /** Takes `prefix=`, which is put before the session ID. @throws InvalidSettings */
    public function prefix(string $default): string
    {
        return $this->take('prefix', '[\x21-\x7e]{0,200}', 'up to 200 printable characters') ?? $default;
    }

    /** Takes a time such as `250ms`, or a number of seconds as in PHP's save paths. @throws InvalidSettings */
    public function milliseconds(string $option, int $default): int
    {
        $time = $this->take($option, '\d{2,4}ms|[1-9]\d?', '10ms to 9999ms, or seconds from 1 to 99');
        return match (true) {
            $time === null => $default,
            str_ends_with($time, 'ms') => (int) $time,
            default => 1000 * (int) $time,
        };
    }

    /** Takes a number of seconds, or a time such as `30m`. @throws InvalidSettings */
    public function seconds(string $option): ?int
    {
        $time = $this->take($option, '[1-9]\d{0,8}[smhd]?', 'a number of seconds, or a time such as 30m');
        return $time === null ? null : (int) $time * (self::SECONDS[substr($time, -1)] ?? 1);
    }

    /** @throws InvalidSettings if there are options that were not taken */
    public function finish(): void
    {
        if ($this->options === []) {
            return;
        }
        $name = (string) array_key_first($this->options);
        // A name without a value may be the end of a password that contains a `?`.
        throw new InvalidSettings($this->options[$name] !== '' && preg_match('/^[a-z_]{1,32}\z/', $name) === 1
            ? "$name= is not an option of this session store"
            : 'the URL has options that this session store does not have (in a password ? is %3F)');
    }

    /** @return array{string, int|null} */
    private static function host(#[\SensitiveParameter] string $text): array
    {
        if (
            preg_match('~^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?\z~i', $text, $part) !== 1
            || (isset($part[3]) && ((int) $part[3] < 1 || (int) $part[3] > 65535))
        ) {
            throw new InvalidSettings('hosts must be HOST:PORT, separated by commas');
        }
        return [$part[1] . ($part[2] ?? ''), isset($part[3]) ? (int) $part[3] : null];
    }
}
