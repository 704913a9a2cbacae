<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Handler\HandlerSettings;

use PhpSessionChat\Session\TableSession\SignedCookie;
use PhpSessionChat\Session\TableSession\TableJson;
use PhpSessionChat\Session\TableSession\TableRows;

/**
 * A session without PHP's session functions: a signed cookie and a database row of the application's own.
 *
 *     $session = TableSession::open('mariadb://site:secret@127.0.0.1/site?table=sessions', '/etc/site/cookie-keys');
 *     $session->storeValue('user_id', 7);
 *     $session->save();
 *
 * The values are loaded once, by open(). Saving is one statement: it writes only the keys that this request has
 * changed, so that requests at the same time do not overwrite each other's changes. If two change the same key, the
 * last one wins. A row that was deleted meanwhile is not written again: a logout is final.
 *
 * An ID is accepted only if it is in the table, and in a cookie signed by a key of the file: see SignedCookie. Visitors
 * for whom nothing is stored get no row and no cookie.
 *
 * Call regenerate() at every login, and save() before any output, since it can fail and may have to send a cookie. The
 * end of the request saves what is not saved yet, but an error is then too late for an error page.
 *
 * All methods throw SessionUnavailable when the database fails: answer 503, and set no cookie. Give it a \PDO of its
 * own, since on the application's connection a rollback would undo what was saved.
 */
final class TableSession
{
    /** Seconds after which an unchanged session is written again, to start its lifetime again. */
    private const RENEW_AFTER = 60;

    /** @var \WeakMap<self, true>|null what the end of the request has to save; weak, so that it keeps none in memory */
    private static ?\WeakMap $open = null;

    /** The ID of the row; null when there is no row yet. */
    private ?string $id = null;

    /** Seconds until the row expires, as of the last read or write. */
    private int $remaining = 0;

    /** @var array<mixed> */
    private array $values = [];

    /** @var array<string, string|null> what has to be written: the JSON of each key's value; null removes the key */
    private array $changes = [];

    /** Whether the end of the request has to save. False when saving has failed. */
    private bool $unsaved = true;

    /** The session has ended while this request ran: a new one could replace that of a login made meanwhile. */
    private bool $ended = false;

    private function __construct(
        private readonly TableRows $rows,
        private readonly SignedCookie $cookie,
        private readonly int $lifetime,
    ) {
    }

    /**
     * Opens the session that the visitor's cookie names, or an empty one.
     *
     * @param \PDO|DatabaseUrl|string $database a string is a URL as DatabaseUrl takes it; it can also name the table
     *        and its columns, as for the chat server: `?table=sessions&id=id&data=data&expires=expires`
     * @param string $keyFile see KeyFile; used for nothing else
     * @param string $name of the cookie
     * @param int $lifetime seconds that the session lives after its last use
     * @param string $domain of the cookie; '' for the page's own host only
     * @param bool|null $secure whether the cookie is for https only; null: if this page
     *        has https, as far as PHP can tell
     * @param string $table `table` or `schema.table`, if the URL does not name it: see createTable()
     * @param int $collect one in so many requests calls gc(); 0: none, where a cron job does
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
            // An older key has signed the cookie. With a new signature the session survives the removal of that key.
            if ($value !== $cookie->value($id) && !headers_sent()) {
                $cookie->send($id);
            }
        }
        self::saveAtTheEnd($session);
        return $session;
    }

    /** Saves, unless everything is saved or saving has failed. */
    public function __destruct()
    {
        $this->unsaved && $this->save();
    }

    /** Creates the table if it does not exist: to be called when the site is set up. */
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
     * @throws SessionDataError when it would not come back the same
     * @throws \LogicException when the session is new and output has begun, so that its cookie cannot be sent
     */
    public function storeValue(string $key, #[\SensitiveParameter] mixed $value): void
    {
        $json = TableJson::ofValue($key, $value);
        if ($this->id === null) {
            $this->cookie->mustBeInTime();
        }
        if (!array_key_exists($key, $this->values) || $this->values[$key] !== $value) {
            // A copy, since the value may contain references.
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
     * Gives the session a new ID, and saves it. The old ID is invalid at once, so anyone who has planted or seen it
     * cannot use it.
     *
     * @return bool false when the session has ended meanwhile: nothing is written, now or by a later call, and it
     *         is empty now
     * @throws \LogicException when output has begun, so that the cookie cannot be sent
     */
    public function regenerate(): bool
    {
        if ($this->id === null) {
            // save() will give it an ID.
            return !$this->ended;
        }
        $this->cookie->mustBeInTime();
        return $this->write($this->id, SignedCookie::newId());
    }

    /**
     * Ends the session, and deletes its cookie. A value that is stored afterwards begins a new session.
     *
     * @return bool false when the row was deleted meanwhile: another request has ended the session, or has moved it to
     *         a new ID, under which it continues
     * @throws \LogicException when output has begun, so that the cookie cannot be deleted
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
     * Writes what has changed, and starts the session's lifetime again. Without a change it
     * writes once a minute at most.
     *
     * @return bool false when the session has ended meanwhile: nothing is written, now or by a later call, and it
     *         is empty now
     * @throws SessionDataError when it is too large for the database
     * @throws \LogicException when the session is new and output has begun, so that its cookie cannot be sent
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

    /** Deletes the expired sessions of all visitors. @return int how many */
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
     * Saves at the end of the request. A destructor would run too late for a cookie then, and not at all after a fatal
     * error.
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
