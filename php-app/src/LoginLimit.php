<?php

declare(strict_types=1);

namespace PhpSessionChat;

/**
 * Slows down the guessing of passwords: five failed logins of one name, or from one address, within 15
 * minutes are answered; after that every login is refused until the oldest of them is 15 minutes old.
 *
 * Anybody can make a name's logins fail. So that this does not lock its owner out, an address from which
 * that name has logged in before is not held to the name's limit, only to its own.
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

    /** How long an address stays known for a name. */
    private const KNOWN = 30 * 24 * 60 * 60;

    public function __construct(private readonly Database $database)
    {
    }

    /** Seconds until this name may try again from this address; null when it may now. */
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
     * Notes how a login ended. Many guesses sent at once all pass wait() before one of them is noted, so
     * the limit is looked at again here, under the lock, and the outcome is given away only within it.
     *
     * @return int|null as wait(); when not null the outcome must not be told, even if the password was right
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
                // Only this name's failures from here: an attacker's own logins must not buy more guesses.
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
        // Up to now: failures noted before the clock was set back must not limit for longer than the window.
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

    /** People type their password into the name's field by mistake: it must not lie here to be read. */
    private static function digest(string $name): string
    {
        return hash('sha256', $name);
    }

    /** One household or server has a whole IPv6 /64, so that is what counts as one address. */
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
