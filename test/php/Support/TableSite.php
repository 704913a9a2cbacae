<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

use PhpSessionChat\Session\TableSession;
use PHPUnit\Framework\Assert;

/** A site with its sessions in a table of TableSession's own, in a web server of PHP's: see table-page.php. */
final class TableSite
{
    private static ?int $port = null;

    public readonly string $table;
    public readonly string $keyFile;

    /**
     * @param string $url of the database
     * @param list<string> $dsn what `new PDO` takes for the same
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
     * A page for a visitor.
     *
     * @param string|null $cookie the value of his session's cookie
     * @param string $code runs with the opened `$session`, and `$open` to open it once more; what it returns is the value
     * @param array<string, mixed> $open what TableSession::open() gets otherwise than usual
     * @param string $as what it gets as the database: `URL`, `DatabaseUrl`, `PDO`, or `PDO by default`, made of what
     *        `database` says
     * @param string $before runs before it is opened
     */
    public function page(
        ?string $cookie,
        string $code = '',
        array $open = [],
        string $as = 'URL',
        string $before = '',
    ): TableAnswer {
        $open += ['database' => $this->url, 'keyFile' => $this->keyFile, 'table' => $this->table];
        $name = $open['name'] ?? 'SESSION';
        $answer = file_get_contents('http://127.0.0.1:' . self::port() . '/', false, stream_context_create(['http' => [
            'method' => 'POST',
            'header' => ['Content-Type: application/octet-stream', ...($cookie === null ? [] : ["Cookie: $name=$cookie"])],
            'content' => serialize(compact('open', 'as', 'before', 'code')),
            'ignore_errors' => true,
        ]]));
        $result = @unserialize(ltrim($answer));
        $cookies = preg_replace('/^Set-Cookie: /i', '', preg_grep('/^Set-Cookie:/i', $http_response_header));
        return $result === false
            ? throw new \RuntimeException("The page failed:\n$answer")
            : new TableAnswer($result['value'], $result['error'], $result['trace'], array_values($cookies));
    }

    /** The cookie of a new visitor for whom these values are stored. */
    public function visitor(array $values): string
    {
        return $this->page(null, self::storing($values) . '$session->save();')->cookie();
    }

    /** What is stored for that cookie. */
    public function values(string $cookie): array
    {
        $data = $this->query("SELECT data FROM $this->table WHERE id = ?", self::id($cookie))->fetchColumn();
        // So that no character set of a table or a connection matters.
        Assert::assertMatchesRegularExpression('/^[\x00-\x7f]*\z/', $data);
        return json_decode($data, true, 512, JSON_THROW_ON_ERROR);
    }

    /** How many sessions there are. */
    public function count(): int
    {
        return (int) $this->query("SELECT COUNT(*) FROM $this->table")->fetchColumn();
    }

    /** Code that stores them. */
    public static function storing(array $values): string
    {
        $code = '';
        foreach ($values as $key => $value) {
            $code .= '$session->storeValue(' . self::literal((string) $key) . ', ' . self::literal($value) . ');';
        }
        return $code;
    }

    /** Code that is this value. */
    public static function literal(mixed $value): string
    {
        return 'unserialize(' . var_export(serialize($value), true) . ')';
    }

    /** The session ID in that cookie. */
    public static function id(string $cookie): string
    {
        return strtok($cookie, '.');
    }

    /** A new connection of the administrator. */
    public function admin(): \PDO
    {
        return ($this->connect)();
    }

    /** One statement of the administrator. */
    public function query(string $sql, mixed ...$values): \PDOStatement
    {
        $statement = $this->admin()->prepare($sql);
        $statement->execute($values);
        return $statement;
    }

    private static function port(): int
    {
        if (self::$port === null) {
            self::$port = ServerProcess::freePort();
            new ServerProcess(
                // Set up badly, with what the functions were called with in all that is logged.
                [PHP_BINARY, '-d', 'zend.exception_ignore_args=0', '-S', '127.0.0.1:' . self::$port, __DIR__ . '/table-page.php'],
                ServerProcess::folder('table-site', 'root'),
                'started',
            );
        }
        return self::$port;
    }
}
