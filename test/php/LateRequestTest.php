<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\LockTestCase;
use PhpSessionChat\Tests\Support\Site;
use PhpSessionChat\Tests\Support\Store;

/** Requests that go on although their lock has ended. */
final class LateRequestTest extends LockTestCase
{
    /** @dataProvider endable */
    public function testWhoIsLateDoesNotOverwriteWhatTheNextHasWritten(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        [$late, $lateData] = $this->open($store, $id, '&lock=1');
        $store->endLock($id);
        [$next, $nextData] = $this->open($store, $id, '&lock=1');
        $this->countUp($next, $id, $nextData);
        $this->assertRefused(fn () => $this->countUp($late, $id, $lateData));
        self::assertSame(['n' => 1], $this->stored($store, $id));
        self::assertNull($store->lockRemaining($id));
    }

    /** @dataProvider endable */
    public function testWhoIsLateDoesNotDisturbTheNext(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        [$late] = $this->open($store, $id, '&lock=1');
        $store->endLock($id);
        [$next, $nextData] = $this->open($store, $id, '&lock=1');
        $this->assertRefused(fn () => $this->countUp($late, $id, serialize(['n' => 99])));
        self::assertNotNull($store->lockRemaining($id), 'still locked by the next');
        $this->countUp($next, $id, $nextData);
        self::assertSame(['n' => 1], $this->stored($store, $id));
    }

    /** @dataProvider endable */
    public function testWhoIsLateTakesNothingToANewId(string $name): void
    {
        $store = Store::named($name);
        $id = $this->begin($store);
        foreach (['session_regenerate_id(true)', 'session_regenerate_id()'] as $late) {
            $page = "\$store->endLock(session_id()); \$other = PhpSessionChat\Session\HandlerFactory::fromUrl(\$store->url() . \$options);
                \$other->open('', ''); \$other->validateId(session_id()); \$other->read(session_id());
                \$other->write(session_id(), serialize(['n' => 5])); $late";
            $request = Site::request($store, $id, "$page;", self::FORMAT . '&lock=5');
            self::assertStringContainsString('took longer than its lock', $request->error);
            self::assertNull($store->get($request->id === $id ? 'none' : $request->id));
            self::assertSame([], $request->cookies);
            self::assertSame(['n' => 5], $this->stored($store, $id), 'what the next has written stays');
            $id = $this->begin($store);
        }
        // Who logs out is not held up by that.
        $page = str_replace($late, 'session_destroy()', $page) . ';';
        self::assertSame('', Site::request($store, $id, $page, self::FORMAT . '&lock=5')->error);
        self::assertNull($store->get($id));
    }
}
