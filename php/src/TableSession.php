<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\Handler\HandlerSettings;
use PhpSessionChat\Session\TableSession\AtTheEnd;
use PhpSessionChat\Session\TableSession\SignedCookie;
use PhpSessionChat\Session\TableSession\TableJson;
use PhpSessionChat\Session\TableSession\TableRows;

/**
 * A session without PHP sessions: an application's own cookie over its own database row.
 *
 *     $session = TableSession::open('mariadb://site:secret@127.0.0.1/site?table=sessions', '/etc/site/cookie-keys');
 *     $session->storeValue('user_id', 7);
 *     $session->save();
 *
 * The values are loaded once, when it is opened, and kept in memory. Saving is one statement. It writes the keys that
 * this request has changed and no others, so that requests at the same time lose nothing of each other; of two that
 * change the same key the last one wins. A row that is gone when it is saved is not written again: a logout is final.
 *
 * Only an ID that the table knows is one, in a cookie signed by a key of the file: see SignedCookie. Visitors for whom
 * nothing is stored get no row and no cookie.
 *
 * Call regenerate() at every login, and save() before any output: it can fail, and a new session's cookie has to be in
 * time. What has not been saved is at the end of the request, but an error is then too late for an error page.
 *
 * All methods throw SessionUnavailable when the database fails: answer 503, and set no cookie. A \PDO should be a
 * connection of its own: what is written would be undone with a transaction of the application's.
 */
final class TableSession
{
    /** For so many seconds a session that nobody changes is not written again just to renew its life. */
    private const RENEW_AFTER = 60;

    /** Of the row; null when there is none yet. */
    private ?string $id = null;

    /** Seconds that the row had to live when it was last read or written. */
    private int $remaining = 0;

    /** @var array<mixed> */
    private array $values = [];

    /** @var array<string, string|null> what has to be written: the JSON of each key's value, or null to remove it */
    private array $changes = [];

    /** Whether the end of the request has to save; not when saving has failed. */
    private bool $unsaved = true;

    private function __construct(
        private readonly TableRows $rows,
        private readonly SignedCookie $cookie,
        private readonly int $lifetime,
    ) {
    }

    /**
     * Opens the session of the visitor's cookie, or an empty one.
     *
     * @param \PDO|DatabaseUrl|string $database a string is a URL as DatabaseUrl takes it, which can also name the
     *        table and its columns, as for the chat server: `?table=sessions&id=id&data=data&expires=expires`
     * @param string $keyFile see KeyFile; a file of its own
     * @param string $name of the cookie
     * @param int $lifetime seconds that the session lives on after its last use
     * @param string $domain of the cookie; '' for the page's own host only
     * @param bool|null $secure whether the cookie is for https only; null: if this page is, as far as PHP can tell
     * @param string $table `table` or `schema.table`, if the URL does not say: see createTable()
     * @param int $collect gc() is called for one in so many requests; 0: for none, if a cron job does it
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
            // Signed by an older key: the session is to outlive it.
            if ($value !== $cookie->value($id) && !headers_sent()) {
                $cookie->send($id);
            }
        }
        AtTheEnd::save($session);
        return $session;
    }

    /** Saves what nobody has saved, unless that has failed. */
    public function __destruct()
    {
        $this->unsaved && $this->save();
    }

    /** Makes the table, unless it is there: to be called when the site is set up. */
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
     * @param mixed $value null, a boolean, an integer, a float, a UTF-8 string, or an array of them of at most 30 levels
     * @throws SessionDataError when it cannot be stored as it is
     * @throws \LogicException when the session is a new one, and it is too late for its cookie
     */
    public function storeValue(string $key, #[\SensitiveParameter] mixed $value): void
    {
        $json = TableJson::ofValue($key, $value);
        if ($this->id === null) {
            $this->cookie->mustBeInTime();
        }
        if (!array_key_exists($key, $this->values) || $this->values[$key] !== $value) {
            // Not the value itself, in which there may be references.
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
     * Gives the session a new ID, and saves it with that; the old ID is dead at once. Who has planted or seen it has
     * nothing.
     *
     * @return bool false when the session has ended meanwhile: nothing is written, and it is empty now
     * @throws \LogicException when it is too late for the cookie
     */
    public function regenerate(): bool
    {
        if ($this->id === null) {
            // It gets its ID when it is saved.
            return true;
        }
        $this->cookie->mustBeInTime();
        return $this->write($this->id, SignedCookie::newId());
    }

    /**
     * Ends the session, and takes back its cookie. What is stored afterwards begins a new one.
     *
     * @return bool false when it was there and is gone: another request has ended it, or given it an ID that lives on
     * @throws \LogicException when it is too late for the cookie
     */
    public function destroy(): bool
    {
        $this->cookie->mustBeInTime();
        $this->unsaved = false;
        $ended = $this->id === null || $this->rows->delete($this->id);
        $this->empty();
        $this->cookie->clear();
        return $ended;
    }

    /**
     * Writes what has changed, and renews the session's life: with every change, and once a minute without.
     *
     * @return bool false when the session has ended meanwhile: nothing is written, and it is empty now
     * @throws SessionDataError when it is too large for the database
     * @throws \LogicException when the session is a new one, and it is too late for its cookie
     */
    public function save(): bool
    {
        $this->unsaved = false;
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

    /** Removes the sessions that are over, of all visitors. @return int how many */
    public function gc(): int
    {
        return $this->rows->collect();
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

    /** A dump of it ends in a log or on a page. */
    public function __debugInfo(): array
    {
        return ['rows' => $this->rows, 'cookie' => $this->cookie, 'values' => count($this->values)];
    }

    private function empty(): void
    {
        $this->id = null;
        $this->values = $this->changes = [];
    }
}
