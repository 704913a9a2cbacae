<?php

declare(strict_types=1);

namespace PhpSessionChat;

use PhpSessionChat\Session\NativeHandler;

/**
 * The visitor's session: the logged-in user, and the CSRF token of the forms.
 *
 * The chat server reads `user_id` (integer), `firstname` and `role` (strings). Only the site uses the other keys.
 */
final class SiteSession
{
    private const NAME = 'PHPSESSID';

    /** null if PHP calls a handler of the library. */
    private readonly ?NativeHandler $native;

    /** @var array<string, scalar> */
    private readonly array $options;

    public function __construct(NativeHandler|\SessionHandlerInterface $handler, string $cookieDomain, bool $https)
    {
        $this->native = $handler instanceof NativeHandler ? $handler : null;
        if ($this->native === null) {
            session_set_save_handler($handler, false);
        }
        $this->options = [
            'name' => self::NAME,
            'use_strict_mode' => true,
            'use_cookies' => true,
            'use_only_cookies' => true,
            'use_trans_sid' => false,
            'lazy_write' => true,
            // Debian's default is 0, because a cron job deletes expired files, but only in Debian's folder.
            'gc_probability' => 1,
            'gc_divisor' => 1000,
            'cache_limiter' => '',
            'cookie_lifetime' => 0,
            'cookie_path' => '/',
            'cookie_domain' => $cookieDomain,
            'cookie_secure' => $https,
            'cookie_httponly' => true,
            'cookie_samesite' => 'Lax',
        ];
    }

    public function start(): void
    {
        $this->native?->start($this->options) ?? session_start($this->options);
        $_SESSION += self::beginning();
    }

    public function user(): ?User
    {
        $id = $_SESSION['user_id'] ?? null;
        $firstname = $_SESSION['firstname'] ?? null;
        $role = $_SESSION['role'] ?? 'member';
        return is_int($id) && is_string($firstname) && is_string($role) ? new User($id, $firstname, $role) : null;
    }

    /** @return int Unix time */
    public function startedAt(): int
    {
        return $_SESSION['started'];
    }

    public function csrfToken(): string
    {
        return $_SESSION['csrf'];
    }

    public function logIn(User $user): void
    {
        // The session gets a new ID and no old data, so that an attacker who planted or saw the old ID cannot use it.
        $this->native?->regenerate() ?? $this->beginAnew();
        $_SESSION = ['user_id' => $user->id, 'firstname' => $user->firstname, 'role' => $user->role]
            + self::beginning();
    }

    /**
     * session_regenerate_id() would fail if the visitor clicks twice, because the first click has ended the session.
     */
    private function beginAnew(): bool
    {
        session_destroy();
        unset($_COOKIE[self::NAME]);
        return session_start($this->options);
    }

    public function logOut(): void
    {
        $this->native?->destroy() ?? session_destroy();
        $cookie = session_get_cookie_params();
        unset($cookie['lifetime']);
        setcookie(self::NAME, '', ['expires' => 1] + $cookie);
    }

    /** Writes the session. Call it before any output, because it can fail. */
    public function commit(): void
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            $this->native?->close() ?? session_write_close();
        }
    }

    /** Discards the session after a failure, and does not send the cookie of a new ID that is not stored. */
    public static function abandon(): void
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            session_abort();
        }
        header_remove('Set-Cookie');
    }

    /** @return array<string, int|string> the data of a new session */
    private static function beginning(): array
    {
        return ['started' => time(), 'csrf' => bin2hex(random_bytes(32))];
    }
}
