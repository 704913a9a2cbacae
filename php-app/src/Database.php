<?php

declare(strict_types=1);

namespace PhpSessionChat;

use PhpSessionChat\Session\InvalidSettings;

/** The site's SQLite file. The first request creates it with the sample users, or migrates it. */
final class Database
{
    /** SQLite's user_version of an up-to-date file. */
    private const VERSION = 6;

    /** The sample users. User name and password are the first name in lower case. */
    private const SAMPLE = [
        'Alice' => 'admin',
        'Bob' => 'moderator',
        'Carol' => 'member',
        'Dimitri' => 'member',
        'Sofia' => 'member',
        'Wei' => 'member',
    ];

    /** The timeout for another worker's transaction, in seconds. The first transaction hashes the passwords. */
    private const LOCK_WAIT = 10;

    private function __construct(public readonly \PDO $pdo)
    {
    }

    /** @throws InvalidSettings if the folder cannot be used */
    public static function open(string $folder): self
    {
        // Another worker may create the folder at the same time, so check again whether it exists.
        if (!is_dir($folder) && !@mkdir($folder, 0700, true) && !is_dir($folder)) {
            throw new InvalidSettings("APP_DATA: the folder $folder cannot be created");
        }
        try {
            $file = "$folder/site.db";
            $pdo = new \PDO("sqlite:$file", null, null, [
                \PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION,
                \PDO::ATTR_TIMEOUT => self::LOCK_WAIT,
            ]);
            $database = new self($pdo);
            if ($database->version() !== self::VERSION) {
                // Other accounts may be able to read the folder, but must not read the password hashes.
                chmod($file, 0600);
                // Checked again under the lock, because another worker may have created the tables.
                $database->exclusively(fn () => $database->version() === self::VERSION ?: $database->prepare());
            }
        } catch (\PDOException $error) {
            throw new InvalidSettings("APP_DATA: $folder/site.db cannot be used: {$error->getMessage()}", 0, $error);
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
     * Runs work in a transaction, in one worker at a time.
     *
     * @template T
     * @param callable(): T $work
     * @return T
     */
    public function exclusively(callable $work): mixed
    {
        // PDO::beginTransaction() would take the write lock only at the first write, after the reads.
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

    private function prepare(): void
    {
        if ($this->version() === 0) {
            $this->pdo->exec(Users::TABLE);
            $this->pdo->exec(LoginLimit::TABLES);
        }
        if ($this->version() === 1) {
            // In version 1, users have no roles.
            $this->pdo->exec("ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'member'");
        }
        // Before version 5, notices have no mail.
        $this->pdo->exec('DROP TABLE IF EXISTS notices');
        $this->pdo->exec(Notices::TABLE);
        $this->pdo->exec(Shop::TABLES);
        Cards::createTable($this->pdo);
        $users = new Users($this);
        foreach (self::SAMPLE as $firstname => $role) {
            $name = strtolower($firstname);
            $known = $this->query('UPDATE users SET role = ? WHERE name = ?', [$role, $name])->rowCount();
            if ($known === 0) {
                $users->add($name, $firstname, $name, $role);
            }
        }
        $this->pdo->exec('PRAGMA user_version = ' . self::VERSION);
    }
}
