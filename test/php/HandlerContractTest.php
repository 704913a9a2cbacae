<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Tests\Support\HandlerTestCase;
use PhpSessionChat\Tests\Support\Site;

/**
 * What every handler does under PHP's own session functions, plain and encrypted, registered as an object and by
 * callbacks. Each request is one of a web server.
 */
final class HandlerContractTest extends HandlerTestCase
{
    /** @dataProvider handlers */
    public function testDataSurviveFromRequestToRequest(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $second = $this->request($id, '$_SESSION["n"] = 2');
        self::assertSame($id, $second->id);
        self::assertSame(self::DATA + ['n' => 2], $this->request($id)->session);
        self::assertSame(2, $this->request($id, '$_SESSION["n"] = 3; session_reset()')->session['n']);
        self::assertSame([], $this->request(null)->session, 'somebody else');
    }

    /** @dataProvider handlers */
    public function testAnInventedIdIsReplaced(string ...$handler): void
    {
        $this->use(...$handler);
        $malformed = ['../../../../../etc/passwd', str_repeat('a', 257), str_repeat('a', 26) . "\n", 'a|b', ''];
        foreach ([str_repeat('a', 26), strtoupper($this->begin()), ...$malformed] as $invented) {
            $request = $this->request($invented, self::LOGIN);
            self::assertSame('', $request->error);
            self::assertMatchesRegularExpression('/^[a-z0-9,-]{26}\z/', $request->id);
            self::assertNotSame($invented, $request->id);
        }
        self::assertNull($this->store->get(str_repeat('a', 26)));
    }

    /** @dataProvider handlers */
    public function testARequestThatChangesNothingOnlyTouches(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $this->store->setRemaining($id, 100);
        // Were the page to write, it would write over this.
        $request = $this->request($id, '$store->put(session_id(), "as it was")', ['gc_maxlifetime' => '1440']);
        self::assertSame('', $request->error);
        self::assertSame('as it was', $this->store->get($id));
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 1);
    }

    /** @dataProvider handlers */
    public function testWritingExtendsTheLife(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 1);
        $this->store->setRemaining($id, 100);
        $this->request($id, '$_SESSION["n"] = 1');
        self::assertEqualsWithDelta(1440, $this->store->remaining($id), 1);
    }

    /** @dataProvider handlers */
    public function testWhatIsOverIsUnknown(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $this->store->setRemaining($id, 0);
        $request = $this->request($id);
        self::assertSame(['', []], [$request->error, $request->session]);
        self::assertNotSame($id, $request->id);
    }

    /** @dataProvider handlers */
    public function testGarbageIsCollected(string ...$handler): void
    {
        $this->use(...$handler);
        [$over, $live] = [$this->begin(), $this->begin()];
        $this->store->setRemaining($over, 0);
        $byItself = $this->store->get($over) === null;
        $request = $this->request($live, '$_SESSION["collected"] = session_gc()');
        self::assertSame('', $request->error);
        self::assertSame($byItself, $request->session['collected'] === 0);
        self::assertNull($this->store->get($over));
        self::assertNotNull($this->store->get($live));
    }

    /** @dataProvider handlers */
    public function testBytesThatAreNotUtf8SurviveOrAreRefused(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $all = '$_SESSION["bytes"] = implode(array_map(chr(...), range(0, 255)))';
        $request = $this->request($id, $all);
        if (str_contains($this->options, 'json')) {
            self::assertStringContainsString('SessionDataError: The session cannot be stored as JSON', $request->error);
            self::assertSame(self::DATA, $this->request($id)->session);
        } else {
            self::assertSame(md5($request->session['bytes']), md5($this->request($id)->session['bytes']));
            self::assertSame(256, strlen($this->request($id)->session['bytes']));
        }
    }

    /** @dataProvider handlers */
    public function testAMegabyteOfData(string ...$handler): void
    {
        $this->use(...$handler);
        $id = $this->begin();
        $this->request($id, '$_SESSION["text"] = str_repeat("0123456789", 100_000)');
        self::assertSame(str_repeat('0123456789', 100_000), $this->request($id)->session['text']);
    }

    /** @dataProvider handlers */
    public function testADeadStoreIsAnError(string ...$handler): void
    {
        $this->use(...$handler);
        foreach ([null, str_repeat('a', 26)] as $cookie) {
            $dead = $this->store->deadUrl() . $this->options;
            $request = Site::request($dead, $cookie, registration: $this->registration);
            self::assertStringStartsWith('PhpSessionChat\Session\SessionUnavailable: ', $request->error);
            self::assertDoesNotMatchRegularExpression('/secret|a{26}/', $request->error);
            // A new one would log a visitor out who had one.
            self::assertCount($cookie === null ? 1 : 0, $request->cookies);
        }
    }

    /** @dataProvider handlers */
    public function testLockingChangesNothingForOneRequestAtATime(string ...$handler): void
    {
        $this->use(...$handler);
        $this->options .= '&lock=1';
        $id = $this->begin();
        self::assertSame(1, $this->request($id, '$_SESSION["n"] = 1')->session['n']);
        // A request that fails keeps nobody out, and nor does one that starts its session twice.
        $failing = str_contains($this->options, 'json') ? '$_SESSION["o"] = new stdClass' : 'throw new Exception("n")';
        self::assertNotSame('', $this->request($id, $failing)->error);
        $twice = $this->request($id, '$_SESSION["n"]++; session_write_close(); session_start(); $_SESSION["n"]++');
        self::assertSame(['', 3], [$twice->error, $twice->session['n']]);
        $new = $this->request($id, 'session_regenerate_id(true); $_SESSION["n"]++');
        self::assertSame(['', 4], [$new->error, $this->request($new->id)->session['n']]);
        self::assertSame('', $this->request($new->id, 'session_destroy()')->error);
        self::assertNull($this->store->get($new->id));
    }
}
