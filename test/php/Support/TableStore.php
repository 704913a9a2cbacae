<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

use PhpSessionChat\Session\Database\SqlDialect;

/** @see Store */
final class TableStore extends Store
{
    private const OPTIONS = 'table=sessions&id=id&data=data&expires=expires';

    /** @param list<string> $pdo the arguments of `new PDO` for its administrator */
    private function __construct(
        private readonly string $url,
        private readonly string $dead,
        private readonly array $pdo,
        private readonly string $place = '',
    ) {
        $client = $this->client();
        foreach (SqlDialect::of($client)->createTable() as $statement) {
            $client->exec($statement);
        }
    }

    public static function mariadb(MariadbProcess $server): self
    {
        $pdo = ["mysql:unix_socket=$server->folder/socket;dbname=site;charset=utf8mb4", 'root', ''];
        return new self($server->url, 'mariadb://site:secret@127.0.0.1:1/site', $pdo);
    }

    public static function postgres(PostgresProcess $server): self
    {
        return new self(
            // Over the Unix socket without a password, because checking a password is slow.
            "postgres://postgres@/site",
            'postgres://site:secret@127.0.0.1:1/site',
            ["pgsql:host=$server->folder;port=$server->port;dbname=site", 'postgres'],
            "&socket=$server->folder/.s.PGSQL.$server->port",
        );
    }

    public static function sqlite(string $file): self
    {
        return new self("sqlite:$file", 'sqlite:' . dirname($file), ["sqlite:$file"]);
    }

    public function url(): string
    {
        return "$this->url?" . self::OPTIONS . "&timeout=9$this->place";
    }

    public function deadUrl(): string
    {
        return "$this->dead?" . self::OPTIONS;
    }

    public function get(string $id): ?string
    {
        $record = $this->run('SELECT data FROM sessions WHERE id = ?', $id)->fetchColumn();
        return is_resource($record) ? stream_get_contents($record) : ($record === false ? null : $record);
    }

    public function put(string $id, string $record): void
    {
        $statement = $this->client()->prepare('UPDATE sessions SET data = ? WHERE id = ?');
        $statement->bindValue(1, $record, \PDO::PARAM_LOB);
        $statement->bindValue(2, $id);
        $statement->execute();
    }

    public function remaining(string $id): int
    {
        return (int) $this->run('SELECT expires FROM sessions WHERE id = ?', $id)->fetchColumn() - time();
    }

    public function setRemaining(string $id, int $seconds): void
    {
        $this->run('UPDATE sessions SET expires = ? WHERE id = ?', time() + $seconds, $id);
    }

    public function remove(string $id): void
    {
        $this->run('DELETE FROM sessions WHERE id = ?', $id);
    }

    public function lockRemaining(string $id): ?int
    {
        $until = $this->run('SELECT lock_until FROM sessions WHERE id = ?', $id)->fetchColumn();
        return is_int($until) ? $until - time() : null;
    }

    public function endLock(string $id): void
    {
        $this->run('UPDATE sessions SET lock_until = ? WHERE id = ?', time() - 1, $id);
    }

    public function client(): \PDO
    {
        $client = new \PDO(...$this->pdo);
        if ($client->getAttribute(\PDO::ATTR_DRIVER_NAME) === 'mysql') {
            // The default settings, which this server does not use.
            $client->exec("SET autocommit = 1, sql_mode = 'STRICT_TRANS_TABLES'");
        }
        return $client;
    }

    private function run(string $sql, int|string ...$values): \PDOStatement
    {
        $statement = $this->client()->prepare($sql);
        $statement->execute($values);
        return $statement;
    }
}
