<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The site's users and their passwords. */
final class Users
{
    public const TABLE = <<<'SQL'
        CREATE TABLE users (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            firstname TEXT NOT NULL,
            password TEXT NOT NULL,
            role TEXT NOT NULL
        )
        SQL;

    /** About 50 ms a login: slow enough for an attacker, and fast enough for the many logins of the tests. */
    private const BCRYPT_COST = 10;

    public function __construct(private readonly Database $database)
    {
    }

    public function add(
        string $name,
        string $firstname,
        #[\SensitiveParameter] string $password,
        string $role = 'member',
    ): void {
        $hash = password_hash(self::digest($password), PASSWORD_BCRYPT, ['cost' => self::BCRYPT_COST]);
        $this->database->query(
            'INSERT INTO users (name, firstname, password, role) VALUES (?, ?, ?, ?)',
            [$name, $firstname, $hash, $role],
        );
    }

    /** @return list<User> */
    public function all(): array
    {
        $rows = $this->database->query('SELECT id, firstname, role FROM users ORDER BY id')->fetchAll(\PDO::FETCH_NUM);
        return array_map(fn (array $row) => new User(...$row), $rows);
    }

    public function find(int $id): ?User
    {
        $row = $this->database->query('SELECT id, firstname, role FROM users WHERE id = ?', [$id])
            ->fetch(\PDO::FETCH_NUM);
        return $row === false ? null : new User(...$row);
    }

    /** The name with which that user logs in, or null. */
    public function nameOf(int $id): ?string
    {
        $name = $this->database->query('SELECT name FROM users WHERE id = ?', [$id])->fetchColumn();
        return $name === false ? null : $name;
    }

    /** The user with that name and password, or null. An unknown name takes as long. */
    public function verify(string $name, #[\SensitiveParameter] string $password): ?User
    {
        $row = $this->database
            ->query('SELECT id, firstname, password, role FROM users WHERE name = ?', [$name])
            ->fetch(\PDO::FETCH_ASSOC);
        $hash = $row === false ? self::nobodysHash() : $row['password'];
        $right = password_verify(self::digest($password), $hash);
        return $row !== false && $right ? new User((int) $row['id'], $row['firstname'], $row['role']) : null;
    }

    /**
     * bcrypt takes 72 bytes at most and stops at a NUL, so it gets a digest of the password in base64 (44 bytes).
     * The digest has a key of its own, so that digests leaked from another site are of no use here.
     */
    private static function digest(#[\SensitiveParameter] string $password): string
    {
        return base64_encode(hash_hmac('sha256', $password, 'php-session-chat password', true));
    }

    /** A valid hash of the same cost, for which no password is known. */
    private static function nobodysHash(): string
    {
        return sprintf('$2y$%02d$%s', self::BCRYPT_COST, str_repeat('.', 53));
    }
}
