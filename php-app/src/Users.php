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

    /** Slow enough against attackers, and fast enough for the many logins of the tests. */
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

    /** Returns the login name of a user, or null. */
    public function nameOf(int $id): ?string
    {
        $name = $this->database->query('SELECT name FROM users WHERE id = ?', [$id])->fetchColumn();
        return $name === false ? null : $name;
    }

    /** Returns the user with this name and password, or null. An unknown name takes the same time. */
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
     * bcrypt accepts at most 72 bytes, and stops at a NUL. It therefore gets a digest of the password in base64 (44
     * bytes). The digest has a separate key, so that digests leaked from another site cannot be used here.
     */
    private static function digest(#[\SensitiveParameter] string $password): string
    {
        return base64_encode(hash_hmac('sha256', $password, 'php-session-chat password', true));
    }

    /** Returns a valid hash of the same cost, whose password is unknown. */
    private static function nobodysHash(): string
    {
        return sprintf('$2y$%02d$%s', self::BCRYPT_COST, str_repeat('.', 53));
    }
}
