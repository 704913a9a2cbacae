<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Database;
use PhpSessionChat\LoginLimit;
use PhpSessionChat\Tests\Support\Folder;
use PHPUnit\Framework\TestCase;

/** Tests what the tests of the pages cannot: the passing of time, and addresses other than loopback. */
final class LoginLimitTest extends TestCase
{
    /** The folder of an initial database, created once because hashing the passwords is slow. */
    private static string $first;

    private string $folder;
    private Database $database;
    private LoginLimit $limit;

    public static function setUpBeforeClass(): void
    {
        self::$first = Folder::temporary();
        Database::open(self::$first);
    }

    protected function setUp(): void
    {
        $this->folder = Folder::temporary();
        copy(self::$first . '/site.db', "$this->folder/site.db");
        $this->database = Database::open($this->folder);
        $this->limit = new LoginLimit($this->database);
    }

    public function testLimitEndsFifteenMinutesAfterTheOldestOfFiveFailures(): void
    {
        $this->failFiveTimes('alice', '192.0.2.1');
        $this->age(600);
        self::assertNotNull($this->limit->settle('alice', '192.0.2.1', false), 'a rejected attempt does not extend the limit');
        self::assertEqualsWithDelta(300, $this->limit->wait('alice', '192.0.2.1'), 60);
        $this->age(300);
        self::assertNull($this->limit->wait('alice', '192.0.2.1'));
        $this->age(1);
        $this->limit->settle('bob', '192.0.2.1', false);
        self::assertSame(1, $this->rows('failed_logins'), 'old failures are deleted');
    }

    public function testDeletesAKnownAddressAfterThirtyDays(): void
    {
        $this->limit->settle('alice', '192.0.2.9', true);
        $this->age(30 * 24 * 3600);
        $this->limit->settle('bob', '192.0.2.9', true);
        self::assertSame(1, $this->rows('known_addresses'));
    }

    public function testIgnoresFutureFailuresAfterTheClockIsSetBack(): void
    {
        $this->failFiveTimes('alice', '192.0.2.1');
        $this->age(-3600);
        self::assertNull($this->limit->wait('alice', '192.0.2.1'), 'the failures would count for 75 minutes');
    }

    public function testCountsAnIpv6NetworkAsOneAddress(): void
    {
        foreach (['::1', '::2', ':3::', ':ffff::1', ':4:5:6:7'] as $n => $rest) {
            $this->limit->settle("nobody$n", "2001:db8:1:2$rest", false);
        }
        self::assertNotNull($this->limit->wait('alice', '2001:db8:1:2:abcd::'));
        self::assertNull($this->limit->wait('alice', '2001:db8:1:3::1'));
    }

    public function testCountsAMappedIpv4AddressAsIpv4(): void
    {
        $addresses = ['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1'];
        foreach ($addresses as $n => $address) {
            $this->limit->settle("nobody$n", $address, false);
        }
        self::assertNotNull($this->limit->wait('alice', '::ffff:192.0.2.1'));
        self::assertNull($this->limit->wait('alice', '::ffff:192.0.2.2'));
    }

    public function testDoesNotStoreNamesInPlainText(): void
    {
        $this->limit->settle('my-password-by-mistake', '192.0.2.1', false);
        self::assertStringNotContainsString('by-mistake', file_get_contents("$this->folder/site.db"));
    }

    private function failFiveTimes(string $name, string $address): void
    {
        for ($n = 1; $n <= 5; $n++) {
            self::assertNull($this->limit->settle($name, $address, false));
        }
    }

    /** Makes all records this many seconds older. */
    private function age(int $seconds): void
    {
        foreach (['failed_logins', 'known_addresses'] as $table) {
            $this->database->query("UPDATE $table SET time = time - ?", [$seconds]);
        }
    }

    private function rows(string $table): int
    {
        return (int) $this->database->query("SELECT COUNT(*) FROM $table")->fetchColumn();
    }
}
