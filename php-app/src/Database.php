<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The site's SQLite file, made at the first request with the demonstration's users in it. */
final class Database
{
    /** SQLite's user_version once the file is complete. */
    private const VERSION = 1;

    /** Seconds to wait for another worker's transaction: the first one hashes three passwords. */
    private const LOCK_WAIT = 10;

    private function __construct(public readonly \PDO $pdo)
    {
    }

    /** @throws ConfigurationError when the folder cannot be used */
    public static function open(string $folder): self
    {
        // Another worker may make it at the same moment, so only its absence afterwards is an error.
        if (!is_dir($folder) && !@mkdir($folder, 0700, true) && !is_dir($folder)) {
            throw new ConfigurationError("APP_DATA: the folder $folder cannot be made");
        }
        try {
            $file = "$folder/site.db";
            $pdo = new \PDO("sqlite:$file", null, null, [
                \PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION,
                \PDO::ATTR_TIMEOUT => self::LOCK_WAIT,
            ]);
            $database = new self($pdo);
            if ($database->version() !== self::VERSION) {
                // The folder may be older and open to other accounts of the machine; the hashes are not for them.
                chmod($file, 0600);
                // Looked at again under the lock: of two workers one makes the tables, the other finds them.
                $database->exclusively(fn () => $database->version() === self::VERSION ?: $database->create());
            }
        } catch (\PDOException $error) {
            throw new ConfigurationError("APP_DATA: $folder/site.db cannot be used: {$error->getMessage()}", 0, $error);
        }
        return $database;
    }

    /** @param list<int|string> $values */
    public function query(string $sql, array $values = []): \PDOStatement
    {
        $statement = $this->pdo->prepare($sql);
        $statement->execute($values);
        return $statement;
    }

    /**
     * Runs the work as one transaction that no other worker can be inside at the same time.
     *
     * @template T
     * @param callable(): T $work
     * @return T
     */
    public function exclusively(callable $work): mixed
    {
        // Not PDO::beginTransaction(): that takes the write lock at the first write, after the reads.
        $this->pdo->exec('BEGIN IMMEDIATE');
        try {
            $result = $work();
            $this->pdo->exec('COMMIT');
            return $result;
        } catch (\Throwable $error) {
            $this->pdo->exec('ROLLBACK');
            throw $error;
        }
    }

    private function version(): int
    {
        return (int) $this->query('PRAGMA user_version')->fetchColumn();
    }

    private function create(): void
    {
        $this->pdo->exec(Users::TABLE);
        $this->pdo->exec(LoginLimit::TABLES);
        $users = new Users($this);
        foreach (['alice' => 'Alice', 'bob' => 'Bob', 'carol' => 'Carol'] as $name => $firstname) {
            $users->add($name, $firstname, $name);
        }
        $this->pdo->exec('PRAGMA user_version = ' . self::VERSION);
    }
}
