<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

use PhpSessionChat\Session\TableSession;
use PHPUnit\Framework\Assert;

/** A site with TableSessions in its own table. Its page pages/table-site.php runs the code of tests. */
final class TableSite
{
    public readonly string $table;
    public readonly string $keyFile;

    /**
     * @param string $url the database URL
     * @param list<string> $dsn the arguments of `new PDO` for the same database
     * @param \Closure(): \PDO $connect connects its administrator
     */
    private function __construct(
        public readonly string $url,
        public readonly array $dsn,
        private readonly \Closure $connect,
    ) {
        $this->table = 'own_' . bin2hex(random_bytes(4));
        $this->keyFile = Keys::fileOf(random_bytes(32));
        TableSession::createTable($url, $this->table);
    }

    /** @param string $database mariadb, postgres or sqlite */
    public static function on(string $database): self
    {
        if ($database === 'sqlite') {
            $source = 'sqlite:' . Folder::temporary() . '/site.db';
            return new self($source, [$source], static fn () => new \PDO($source));
        }
        [$server, $source] = $database === 'mariadb'
            ? [MariadbProcess::shared(), 'mysql:host=127.0.0.1;dbname=site;port=']
            : [PostgresProcess::shared(), 'pgsql:host=127.0.0.1;dbname=site;port='];
        $dsn = [$source . $server->port, $server::USER, $server::PASSWORD];
        return new self($server->url, $dsn, $server->admin(...));
    }

    /**
     * Sends a request as a visitor.
     *
     * @param string|null $cookie the value of the session cookie
     * @param string $code runs with the open `$session`, and with `$open` to open it again; returns the value of the
     * response
     * @param array<string, mixed> $open arguments of TableSession::open() that differ from the usual ones
     * @param string $as the form of `database`: `URL`, `DatabaseUrl`, `PDO`, or `PDO by default`, which is `new PDO`
     * without the settings of DatabaseUrl
     * @param string $before runs before the session is opened
     */
    public function page(
        ?string $cookie,
        string $code = '',
        array $open = [],
        string $as = 'URL',
        string $before = '',
    ): TableAnswer {
        $open += ['database' => $this->url, 'keyFile' => $this->keyFile, 'table' => $this->table];
        $header = $cookie === null ? null : ($open['name'] ?? 'SESSION') . "=$cookie";
        [$result, $cookies] = WebServer::call('table-site.php', compact('open', 'as', 'before', 'code'), $header);
        return new TableAnswer(...$result, cookies: $cookies);
    }

    /** Stores values for a new visitor. @return string the value of the cookie */
    public function visitor(array $values): string
    {
        return $this->page(null, self::storing($values) . '$session->save();')->cookie();
    }

    /** The stored values for a cookie. */
    public function values(string $cookie): array
    {
        $data = $this->query("SELECT data FROM $this->table WHERE id = ?", self::id($cookie))->fetchColumn();
        // ASCII, so that character sets of tables and connections do not matter.
        Assert::assertMatchesRegularExpression('/^[\x00-\x7f]*\z/', $data);
        return json_decode($data, true, 512, JSON_THROW_ON_ERROR);
    }

    /** The number of sessions. */
    public function count(): int
    {
        return (int) $this->query("SELECT COUNT(*) FROM $this->table")->fetchColumn();
    }

    /** PHP code that stores these values. */
    public static function storing(array $values): string
    {
        $code = '';
        foreach ($values as $key => $value) {
            $code .= '$session->storeValue(' . self::literal((string) $key) . ', ' . self::literal($value) . ');';
        }
        return $code;
    }

    /** PHP code for this value. */
    public static function literal(mixed $value): string
    {
        return 'unserialize(' . var_export(serialize($value), true) . ')';
    }

    /** The session ID in a cookie. */
    public static function id(string $cookie): string
    {
        return strtok($cookie, '.');
    }

    /** Connects as the administrator. */
    public function admin(): \PDO
    {
        return ($this->connect)();
    }

    /** Runs a statement as the administrator. */
    public function query(string $sql, mixed ...$values): \PDOStatement
    {
        $statement = $this->admin()->prepare($sql);
        $statement->execute($values);
        return $statement;
    }
}
