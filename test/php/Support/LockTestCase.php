<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\SessionUnavailable;
use PHPUnit\Framework\TestCase;

/** Tests of requests that have a session at the same time. */
abstract class LockTestCase extends TestCase
{
    protected const FORMAT = '&format=php_serialize';

    private const WITH_LEASE = ['memcached', 'redis', 'mariadb', 'postgres', 'sqlite'];

    /** @return iterable<string, array{string}> */
    public static function stores(): iterable
    {
        foreach ([...self::WITH_LEASE, 'files', 'session-server'] as $store) {
            yield $store => [$store];
        }
    }

    /** @return iterable<string, array{string}> */
    public static function leased(): iterable
    {
        foreach (self::WITH_LEASE as $store) {
            yield $store => [$store];
        }
    }

    /** @return iterable<string, array{string}> */
    public static function endable(): iterable
    {
        yield from self::leased();
        yield 'session-server' => ['session-server with short locks'];
    }

    protected function begin(Store $store): string
    {
        $handler = $this->handler($store);
        $id = $handler->create_sid();
        $handler->read($id);
        $this->countUp($handler, $id, serialize(['n' => -1]));
        return $id;
    }

    /** @return array{\SessionHandlerInterface, string} a request that has read its session, and what is in it */
    protected function open(Store $store, string $id, string $options = ''): array
    {
        $handler = $this->handler($store, $options);
        self::assertTrue($handler->validateId($id));
        return [$handler, $handler->read($id)];
    }

    protected function handler(Store $store, string $options = ''): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl($store->url() . self::FORMAT . $options);
        $handler->open('', 'PHPSESSID');
        return $handler;
    }

    /** Counts up, and ends the request. */
    protected function countUp(\SessionHandlerInterface $handler, string $id, string $data): void
    {
        $handler->write($id, serialize(['n' => unserialize($data)['n'] + 1]));
        $handler->close();
    }

    protected function stored(Store $store, string $id): array
    {
        return unserialize($store->get($id));
    }

    protected function assertRefused(\Closure $write): void
    {
        try {
            $write();
            self::fail('not refused');
        } catch (SessionUnavailable $error) {
            self::assertStringContainsString('longer than its lock', $error->getMessage());
        }
    }
}
