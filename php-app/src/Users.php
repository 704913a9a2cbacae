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
            password TEXT NOT NULL
        )
        SQL;

    /** About 50 ms a login: dear to guess, and cheap enough for a demonstration's many test logins. */
    private const BCRYPT_COST = 10;

    public function __construct(private readonly Database $database)
    {
    }

    public function add(string $name, string $firstname, #[\SensitiveParameter] string $password): void
    {
        $hash = password_hash(self::digest($password), PASSWORD_BCRYPT, ['cost' => self::BCRYPT_COST]);
        $this->database->query(
            'INSERT INTO users (name, firstname, password) VALUES (?, ?, ?)',
            [$name, $firstname, $hash],
        );
    }

    /** The user with that name and password, or null. Takes as long for a name that nobody has. */
    public function verify(string $name, #[\SensitiveParameter] string $password): ?User
    {
        $row = $this->database
            ->query('SELECT id, firstname, password FROM users WHERE name = ?', [$name])
            ->fetch(\PDO::FETCH_ASSOC);
        $hash = $row === false ? self::nobodysHash() : $row['password'];
        $right = password_verify(self::digest($password), $hash);
        return $row !== false && $right ? new User((int) $row['id'], $row['firstname']) : null;
    }

    /**
     * bcrypt sees 72 bytes at most and stops at a NUL; a digest in base64 (44 bytes) stands for the whole
     * password. It is keyed with a name of our own, so that digests leaked from elsewhere fit nothing here.
     */
    private static function digest(#[\SensitiveParameter] string $password): string
    {
        return base64_encode(hash_hmac('sha256', $password, 'php-session-chat password', true));
    }

    /** A well-formed hash of the same cost, which no password is known to fit. */
    private static function nobodysHash(): string
    {
        return sprintf('$2y$%02d$%s', self::BCRYPT_COST, str_repeat('.', 53));
    }
}
