<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Handler\HandlerSettings;

use PhpSessionChat\Session\TableSession\SignedCookie;
use PhpSessionChat\Session\TableSession\TableJson;
use PhpSessionChat\Session\TableSession\TableRows;

/**
 * A session without PHP's session functions: a signed cookie and a row in a database table.
 *
 *     $session = TableSession::open('mariadb://site:secret@127.0.0.1/site?table=sessions', '/etc/site/cookie-keys');
 *     $session->storeValue('user_id', 7);
 *     $session->save();
 *
 * open() loads the values once. save() writes only the keys that this request has changed, in one statement, so that
 * concurrent requests do not overwrite each other's changes. If two requests change the same key, the last one wins. A
 * deleted row is not written again, so a logout is final.
 *
 * An ID is accepted only if it is in the table, and in a cookie signed with a key of the file (see SignedCookie). A
 * visitor without stored values gets no row and no cookie.
 *
 * Call regenerate() at every login, and save() before any output, because save() can fail and may have to send a
 * cookie. Unsaved changes are saved at the end of the request, but then an error is too late for an error page.
 *
 * Methods throw SessionUnavailable if the database fails. Respond with status 503, and do not set a cookie. Use a
 * separate \PDO, because on the application's connection a rollback would undo the saved changes.
 */
final class TableSession
{
    /** The seconds after which an unchanged session is renewed. At most a tenth of the lifetime. */
    private const RENEW_AFTER = 60;

    /** @var \WeakMap<self, true>|null the sessions to save at the end of the request; does not keep them in memory */
    private static ?\WeakMap $open = null;

    /** The ID of the row; null if there is no row yet. */
    private ?string $id = null;

    /** Seconds until the row expires, as of the last read or write. */
    private int $remaining = 0;

    /** @var array<mixed> */
    private array $values = [];

    /** @var array<string, string|null> the unsaved changes: the JSON of each key's value; null removes the key */
    private array $changes = [];

    /** Whether to save at the end of the request. False after a failed save. */
    private bool $unsaved = true;

    /** Whether the session ended. Then this request starts no session, which could replace a concurrent login. */
    private bool $ended = false;

    private function __construct(
        private readonly TableRows $rows,
        private readonly SignedCookie $cookie,
        private readonly int $lifetime,
    ) {
    }

    /**
     * Opens the session in the visitor's cookie, or an empty session.
     *
     * @param \PDO|DatabaseUrl|string $database a string is a URL for DatabaseUrl. As for the chat server, it can also
     *        contain the table and its columns: `?table=sessions&id=id&data=data&expires=expires`
     * @param string $keyFile a file for KeyFile, with keys that have no other use
     * @param string $name of the cookie
     * @param int $lifetime of the session after its last use, in seconds
     * @param string $domain of the cookie; '' for the page's host only
     * @param bool|null $secure whether the cookie is for https only; null: if PHP reports that this page uses https
     * @param string $table `table` or `schema.table`, if the URL does not contain it (see createTable())
     * @param int $collect on average, one in this many requests with a session calls gc(); 0: none, for a cron job
     * @throws InvalidSettings
     */
    public static function open(
        #[\SensitiveParameter] \PDO|DatabaseUrl|string $database,
        #[\SensitiveParameter] string $keyFile,
        string $name = 'SESSION',
        int $lifetime = 1440,
        string $domain = '',
        ?bool $secure = null,
        string $table = 'sessions',
        int $collect = 1000,
    ): self {
        HandlerSettings::checkLifetime($lifetime);
        $secure ??= !in_array($_SERVER['HTTPS'] ?? '', ['', 'off'], true);
        $cookie = new SignedCookie($name, KeyFile::read($keyFile), $domain, $secure);
        $session = new self(TableRows::in($database, $table), $cookie, $lifetime);
        $value = $_COOKIE[$name] ?? null;
        if (($id = $cookie->idIn($value)) !== null && $session->load($id)) {
            if ($collect > 0 && random_int(1, $collect) === 1) {
                $session->rows->tryToCollect();
            }
            // The cookie was signed with an older key. Sign it again, so that the old key can be removed.
            if ($value !== $cookie->value($id) && !headers_sent()) {
                $cookie->send($id);
            }
        }
        self::saveAtTheEnd($session);
        return $session;
    }

    /** Saves unsaved changes, unless saving has already failed. */
    public function __destruct()
    {
        $this->unsaved && $this->save();
    }

    /** Creates the table if it does not exist. Call it when you set up the site. */
    public static function createTable(
        #[\SensitiveParameter] \PDO|DatabaseUrl|string $database,
        string $table = 'sessions',
    ): void {
        TableRows::in($database, $table)->create();
    }

    public function getValue(string $key, mixed $default = null): mixed
    {
        return array_key_exists($key, $this->values) ? $this->values[$key] : $default;
    }

    /**
     * @param string $key UTF-8 without NUL
     * @param mixed $value null, a boolean, an integer, a float, a UTF-8 string, or an array of them, up to
     *        30 levels
     * @throws SessionDataError if JSON cannot hold the key, or would change the value
     * @throws \LogicException if the session is new and output has started, so its cookie cannot be sent
     */
    public function storeValue(string $key, #[\SensitiveParameter] mixed $value): void
    {
        $json = TableJson::ofValue($key, $value);
        if ($this->id === null) {
            $this->cookie->mustBeInTime();
        }
        if (!array_key_exists($key, $this->values) || $this->values[$key] !== $value) {
            // A copy, because the value may contain references.
            $this->values[$key] = json_decode($json, true);
            $this->changes[$key] = $json;
            $this->unsaved = true;
        }
    }

    public function remove(string $key): void
    {
        if (array_key_exists($key, $this->values)) {
            unset($this->values[$key]);
            $this->changes[$key] = null;
            $this->unsaved = true;
        }
    }

    /**
     * Gives the session a new ID, and saves it. The old ID becomes invalid immediately, so that an attacker who planted
     * or saw it cannot use it.
     *
     * @return bool false if the session has ended. It is empty then, and this and later calls do not write
     * @throws \LogicException if output has started, so the cookie cannot be sent
     */
    public function regenerate(): bool
    {
        if ($this->id === null) {
            // save() creates the ID.
            return !$this->ended;
        }
        $this->cookie->mustBeInTime();
        return $this->write($this->id, SignedCookie::newId());
    }

    /**
     * Ends the session, and deletes its cookie. A later storeValue() starts a new session.
     *
     * @return bool false if the row no longer exists, because another request ended the session or gave it a new ID,
     *         under which it continues
     * @throws \LogicException if output has started, so the cookie cannot be deleted
     */
    public function destroy(): bool
    {
        $this->cookie->mustBeInTime();
        $this->unsaved = false;
        $ended = $this->id === null || $this->rows->delete($this->id);
        $this->empty();
        $this->ended = false;
        $this->cookie->clear();
        return $ended;
    }

    /**
     * Writes the changes, and restarts the session's lifetime. Without changes, it writes only after RENEW_AFTER.
     *
     * @return bool false if the session has ended. It is empty then, and this and later calls do not write
     * @throws SessionDataError if the session is too large for the database
     * @throws \LogicException if the session is new and output has started, so its cookie cannot be sent
     */
    public function save(): bool
    {
        $this->unsaved = false;
        if ($this->ended) {
            return false;
        }
        if ($this->id !== null) {
            $renew = $this->remaining <= $this->lifetime - min(self::RENEW_AFTER, intdiv($this->lifetime, 10));
            return ($this->changes === [] && !$renew) || $this->write($this->id, $this->id);
        }
        $set = array_filter($this->changes, is_string(...));
        if ($set !== []) {
            $this->cookie->mustBeInTime();
            $id = SignedCookie::newId();
            $this->rows->insert($id, TableJson::object($set), $this->lifetime);
            $this->written($id);
        }
        return true;
    }

    /** Deletes the expired sessions of all visitors. @return int the number of deleted sessions */
    public function gc(): int
    {
        return $this->rows->collect();
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['rows' => $this->rows, 'cookie' => $this->cookie, 'values' => count($this->values)];
    }

    /**
     * Saves the session at the end of the request. A destructor would run too late for a cookie, and not at all after a
     * fatal error.
     */
    private static function saveAtTheEnd(self $session): void
    {
        if (self::$open === null) {
            self::$open = new \WeakMap();
            register_shutdown_function(static function (): void {
                foreach (self::$open as $session => $_) {
                    $session->__destruct();
                }
            });
        }
        self::$open[$session] = true;
    }

    private function load(#[\SensitiveParameter] string $id): bool
    {
        [$json, $this->remaining] = $this->rows->find($id) ?? [null, 0];
        if ($json === null) {
            return false;
        }
        $this->values = TableJson::decode($json);
        $this->id = $id;
        return true;
    }

    private function write(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $to): bool
    {
        $this->unsaved = false;
        if (!$this->rows->change($id, $to, $this->changes, $this->lifetime)) {
            $this->empty();
            $this->ended = true;
            return false;
        }
        $this->written($to);
        return true;
    }

    private function written(#[\SensitiveParameter] string $id): void
    {
        if ($id !== $this->id) {
            $this->cookie->send($id);
        }
        $this->id = $id;
        $this->changes = [];
        $this->remaining = $this->lifetime;
    }

    private function empty(): void
    {
        $this->id = null;
        $this->values = $this->changes = [];
    }
}
