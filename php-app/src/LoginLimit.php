<?php

declare(strict_types=1);

namespace PhpSessionChat;

/**
 * Slows down the guessing of passwords. After five failed logins of one name, or from one address, within 15
 * minutes, every login is refused until the oldest of them is 15 minutes old.
 *
 * Anyone can make a name's logins fail. So that this does not lock out its owner, the name's limit does not
 * apply to an address from which that name has logged in before; only the address's own limit does.
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
     * Records the outcome of a login. Many guesses sent at once all pass wait() before the first one is recorded.
     * So the limit is checked again here, under the lock.
     *
     * @return int|null as wait(); when not null, the visitor must not learn whether the password was right
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
                // Only this name's failures from this address: an attacker's own logins must not allow more guesses.
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
        // Not those of the future, recorded before the clock was set back: they would count for too long.
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

    /** People type their password into the field of the name by mistake, so names are not stored in clear. */
    private static function digest(string $name): string
    {
        return hash('sha256', $name);
    }

    /** A household or server has a whole IPv6 /64, so that counts as one address. */
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
