<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Database\SqlDialect;
use PhpSessionChat\Session\Handler\PdoHandler;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Store;
use PhpSessionChat\Tests\Support\TableStore;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/** Tests what is specific to tables. HandlerContractTest and LockTest cover all handlers. */
final class PdoHandlerTest extends TestCase
{
    use Thrown;

    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    /** @return iterable<string, array{string}> */
    public static function databases(): iterable
    {
        foreach (['mariadb', 'postgres', 'sqlite'] as $name) {
            yield $name => [$name];
        }
    }

    /** @dataProvider databases */
    public function testRestoresAnyBytesOverTheSitesConnection(string $name): void
    {
        $bytes = implode(array_map('chr', range(0, 255))) . "' \\' \" ? :record %s \0";
        foreach ([true, false] as $emulated) {
            $pdo = $this->client($name);
            if ($name !== 'sqlite') {
                $pdo->setAttribute(\PDO::ATTR_EMULATE_PREPARES, $emulated);
            }
            $handler = $this->opened(new PdoHandler($pdo));
            $id = $handler->create_sid();
            $handler->write($id, $bytes);
            self::assertSame(bin2hex($bytes), bin2hex($handler->read($id)));
            $handler->write($id, strrev($bytes));
            self::assertSame(bin2hex(strrev($bytes)), bin2hex($handler->read($id)));
            $handler->destroy($id);
        }
    }

    /** @dataProvider databases */
    public function testUsesATableOfTheSite(string $name): void
    {
        $pdo = $this->client($name);
        $pdo->exec('DROP TABLE IF EXISTS visits');
        $bytes = ['mariadb' => 'BLOB', 'postgres' => 'BYTEA', 'sqlite' => 'BLOB'][$name];
        $pdo->exec("CREATE TABLE visits (sid VARCHAR(99) PRIMARY KEY, sess $bytes NOT NULL, until BIGINT NOT NULL)");
        $handler = $this->opened(new PdoHandler($pdo, 'visits', 'sid', 'sess', 'until', 'site:'));
        $handler->write(self::ID, 'something');
        $handler->write(self::ID, 'something else');
        self::assertSame('something else', $handler->read(self::ID));
        $rows = $pdo->query('SELECT sid, until FROM visits')->fetchAll(\PDO::FETCH_KEY_PAIR);
        self::assertSame(['site:' . self::ID], array_keys($rows));
        self::assertEqualsWithDelta(time() + 1440, $rows['site:' . self::ID], 60);
        self::assertSame(0, $handler->gc(1440));
    }

    public function testComparesIdsByteByByteInAnyCollation(): void
    {
        $pdo = $this->client('mariadb');
        $pdo->exec('CREATE OR REPLACE TABLE careless (id VARCHAR(99) COLLATE utf8mb4_general_ci PRIMARY KEY,
            data BLOB, expires BIGINT)');
        $handler = $this->opened(new PdoHandler($pdo, 'careless'));
        $handler->write(self::ID, 'something');
        self::assertTrue($handler->validateId(self::ID));
        self::assertFalse($handler->validateId(strtoupper(self::ID)));
    }

    public function testPostgresNotifiesListenersOfAnEndedSession(): void
    {
        $listener = $this->client('postgres');
        $listener->exec('LISTEN chat_ended');
        $handler = $this->handler('postgres');
        $handler->write(self::ID, 'something');
        self::assertFalse($listener->pgsqlGetNotify());
        $handler->destroy(self::ID);
        $notice = $listener->pgsqlGetNotify(\PDO::FETCH_ASSOC, 5000);
        self::assertSame('chat_ended', $notice['message']);
        self::assertSame(substr(hash('sha256', self::ID), 0, 32), $notice['payload']);
    }

    public function testRejectsDataTooLongForItsColumn(): void
    {
        $pdo = $this->client('mariadb');
        $pdo->exec('CREATE OR REPLACE TABLE narrow (id VARCHAR(99) PRIMARY KEY, data VARBINARY(20), expires BIGINT)');
        $handler = $this->opened(new PdoHandler($pdo, 'narrow'));
        $handler->write(self::ID, str_repeat('a', 20));
        self::thrown(SessionDataError::class, fn () => $handler->write(self::ID, str_repeat('a', 21)));
        self::assertSame(str_repeat('a', 20), $handler->read(self::ID));
    }

    /** @dataProvider databases */
    public function testIsUnavailableAfterALostConnection(string $name): void
    {
        if ($name === 'sqlite') {
            $pdo = new \PDO('sqlite::memory:', null, null, [\PDO::ATTR_TIMEOUT => 0]);
            array_map($pdo->exec(...), SqlDialect::Sqlite->createTable());
            $cut = static fn () => $pdo->exec('DROP TABLE IF EXISTS sessions');
        } else {
            $pdo = $this->client($name);
            [$who, $kill] = $name === 'mariadb'
                ? ['SELECT CONNECTION_ID()', 'KILL %d']
                : ['SELECT pg_backend_pid()', 'SELECT pg_terminate_backend(%d)'];
            $connection = $pdo->query($who)->fetchColumn();
            $cut = function () use ($name, $kill, $connection): void {
                try {
                    $this->client($name)->exec(sprintf($kill, $connection));
                } catch (\PDOException) {
                    // The connection is already lost.
                }
            };
        }
        $handler = $this->opened(new PdoHandler($pdo));
        $handler->write(self::ID, 'something');
        $calls = [
            fn () => $handler->validateId(self::ID) && $handler->read(self::ID),
            fn () => $handler->read(self::ID),
            fn () => $handler->write(self::ID, 'else'),
            fn () => $handler->updateTimestamp(self::ID, ''),
            fn () => $handler->destroy(self::ID),
        ];
        foreach ($calls as $call) {
            $cut();
            $error = self::thrown(SessionUnavailable::class, $call);
            $said = '/^\w+: (it closed [^"]*|the table does not exist, )?SQLSTATE \w+ \(\d+\)\z/';
            self::assertMatchesRegularExpression($said, $error->getMessage());
            self::assertNull($error->getPrevious());
        }
        self::assertFalse($handler->gc(1440));
    }

    public function testRejectsAConnectionWithoutExceptions(): void
    {
        $pdo = new \PDO('sqlite::memory:', null, null, [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_SILENT]);
        $this->expectException(InvalidSettings::class);
        $this->opened(new PdoHandler($pdo))->read(self::ID);
    }

    public function testRejectsAnInvalidTableName(): void
    {
        foreach (['sessions; DROP TABLE users', 'a b', 'a"b', 'a`b', "a'b", 'a.b.c', '.a', 'a.', '', "a\n"] as $name) {
            foreach ([
                static fn () => new PdoHandler(new \PDO('sqlite::memory:'), $name),
                static fn () => SqlDialect::PostgreSql->createTable($name),
                static fn () => SqlDialect::MySql->quoted($name),
            ] as $use) {
                $error = self::thrown(InvalidSettings::class, $use, "$name: accepted");
                self::assertStringContainsString('may contain only letters', $error->getMessage());
            }
        }
    }

    /** @dataProvider databases */
    public function testAcceptsKeywordsAndCapitalsAsTableNames(string $database): void
    {
        $pdo = $this->client($database);
        $dialect = SqlDialect::of($pdo);
        foreach (['order', 'Site#Sessions'] as $name) {
            $pdo->exec('DROP TABLE IF EXISTS ' . $dialect->quoted($name));
            array_map($pdo->exec(...), $dialect->createTable($name));
            $handler = $this->opened(new PdoHandler($pdo, $name));
            $handler->write(self::ID, $name);
            self::assertSame($name, $handler->read(self::ID));
        }
    }

    private function handler(string $name): PdoHandler
    {
        return $this->opened(new PdoHandler($this->client($name)));
    }

    private function opened(PdoHandler $handler): PdoHandler
    {
        $handler->open('', 'PHPSESSID');
        return $handler;
    }

    private function client(string $name): \PDO
    {
        $store = Store::named($name);
        assert($store instanceof TableStore);
        return $store->client();
    }
}
