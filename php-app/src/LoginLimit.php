<?php

declare(strict_types=1);

namespace PhpSessionChat;

/**
 * Limits password guessing. After five failed logins with a name, or from an address, within 15 minutes, all logins
 * with that name or from that address are rejected until the oldest failure is 15 minutes old.
 *
 * An attacker could lock out a user with failed logins. Therefore the limit of a name does not apply to addresses from
 * which that name has logged in before. The limit of the address still applies.
 */
final class LoginLimit
{
    public const TABLES = <<<'SQL'
        CREATE TABLE failed_logins (name TEXT NOT NULL, address TEXT NOT NULL, time INTEGER NOT NULL);
        CREATE INDEX failed_logins_by_name ON failed_logins (name, time);
        CREATE INDEX failed_logins_by_address ON failed_logins (address, time);
        CREATE TABLE known_addresses (
            name TEXT NOT NULL, address TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (name, address)
        );
        SQL;

    private const FAILURES = 5;
    private const WINDOW = 15 * 60;

    /** How long a successful login exempts an address from the limit of the name, in seconds. */
    private const KNOWN = 30 * 24 * 60 * 60;

    public function __construct(private readonly Database $database)
    {
    }

    /** Returns the seconds until this name may log in from this address; null if it may now. */
    public function wait(string $name, string $address): ?int
    {
        [$name, $address] = [self::digest($name), self::network($address)];
        $known = $this->database
            ->query('SELECT 1 FROM known_addresses WHERE name = ? AND address = ?', [$name, $address])
            ->fetchColumn() !== false;
        $waits = array_filter([
            $this->waitFor('address', $address),
            $known ? null : $this->waitFor('name', $name),
        ]);
        return $waits === [] ? null : max($waits);
    }

    /**
     * Records the outcome of a login. Concurrent guesses can all pass wait() before the first is recorded, so this
     * checks the limit again, under the lock.
     *
     * @return int|null as wait(); if not null, do not reveal whether the password was right
     */
    public function settle(string $name, string $address, bool $right): ?int
    {
        return $this->database->exclusively(function () use ($name, $address, $right): ?int {
            $wait = $this->wait($name, $address);
            if ($wait !== null) {
                return $wait;
            }
            $this->forgetOld();
            $row = [self::digest($name), self::network($address)];
            if ($right) {
                // Keeps failures with other names. Otherwise an attacker could reset the limit of the address with a
                // login to their own account.
                $this->database->query('DELETE FROM failed_logins WHERE name = ? AND address = ?', $row);
                $this->database->query('REPLACE INTO known_addresses VALUES (?, ?, ?)', [...$row, time()]);
            } else {
                $this->database->query('INSERT INTO failed_logins VALUES (?, ?, ?)', [...$row, time()]);
            }
            return null;
        });
    }

    private function waitFor(string $column, string $value): ?int
    {
        $now = time();
        // Ignores failures in the future. They were recorded before the clock was set back, and would count too long.
        $time = $this->database->query(
            "SELECT time FROM failed_logins WHERE $column = ? AND time > ? AND time <= ?
             ORDER BY time DESC LIMIT 1 OFFSET ?",
            [$value, $now - self::WINDOW, $now, self::FAILURES - 1],
        )->fetchColumn();
        return $time === false ? null : (int) $time + self::WINDOW - $now;
    }

    private function forgetOld(): void
    {
        $this->database->query('DELETE FROM failed_logins WHERE time <= ?', [time() - self::WINDOW]);
        $this->database->query('DELETE FROM known_addresses WHERE time <= ?', [time() - self::KNOWN]);
    }

    /** Hashes the name, because users may type their password into the name field by mistake. */
    private static function digest(string $name): string
    {
        return hash('sha256', $name);
    }

    /** Returns the IPv4 address or the IPv6 /64, because a household or server has a whole /64. */
    private static function network(string $address): string
    {
        $bytes = (string) @inet_pton($address);
        $mapped = str_repeat("\0", 10) . "\xff\xff";
        if (strlen($bytes) !== 16 || str_starts_with($bytes, $mapped)) {
            return strlen($bytes) === 16 ? inet_ntop(substr($bytes, 12)) : $address;
        }
        return inet_ntop(substr($bytes, 0, 8) . str_repeat("\0", 8)) . '/64';
    }
}
