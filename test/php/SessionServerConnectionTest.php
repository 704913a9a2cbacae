<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MemcachedProcess;
use PhpSessionChat\Tests\Support\ServerProcess;
use PhpSessionChat\Tests\Support\SessionServerProcess;
use PHPUnit\Framework\TestCase;

/** The ways to reach the session server, and connections that fail. */
final class SessionServerConnectionTest extends TestCase
{
    private const TOKEN = 'a-token-of-this-test';

    /** @var list<SessionServerProcess|ServerProcess> */
    private array $servers = [];

    protected function tearDown(): void
    {
        foreach ($this->servers as $server) {
            $server->end();
        }
    }

    public function testAWrongTokenIsRefusedAndTheRightOneIsNot(): void
    {
        $file = Folder::temporary() . '/token';
        file_put_contents($file, self::TOKEN . "\n");
        $server = $this->server(['AUTH_FILE' => $file]);
        $right = $this->client($server, self::TOKEN);
        $id = $right->create();
        foreach ([null, 'not-the-right-token'] as $token) {
            $wrong = $this->client($server, $token);
            foreach (['create', 'ping'] as $command) {
                $this->assertUnavailable('Not authorized.', fn () => $wrong->$command());
            }
            $wrong->auth(self::TOKEN);
            self::assertNull($wrong->peek($id));
        }
        $this->assertUnavailable('Not authorized.', fn () => $right->auth('not-the-right-token'));
        $url = "session-server://127.0.0.1:$server->port?format=php_serialize";
        $handler = HandlerFactory::fromUrl("$url&auth_file=$file");
        $handler->open('', '');
        self::assertFalse($handler->validateId($id));
        foreach (["two words-and-more", "x\r\nnew", '', str_repeat('x', 513)] as $malformed) {
            $this->assertInvalid('no blanks', fn () => $this->client($server, $malformed));
            $this->assertInvalid('no blanks', fn () => $right->auth($malformed));
        }
    }

    public function testAUnixSocketIsUsed(): void
    {
        $server = $this->server();
        $id = $this->stored($server, '1');
        self::assertSame(['n' => '1'], (new SessionServerClient("$server->folder/socket"))->peek($id));
        $handler = HandlerFactory::fromUrl("session-server://$server->folder/socket?format=php_serialize");
        $handler->open('', '');
        $handler->write(str_repeat('a', 26), 'a:0:{}');
        self::assertSame(['' => 'a:0:{}'], $this->client($server)->peek(str_repeat('a', 26)));
    }

    public function testTlsChecksTheAuthorityAndTheHost(): void
    {
        $folder = Folder::temporary();
        ServerProcess::certificate($folder);
        $server = $this->server(['TLS_CERT' => "$folder/tls.pem", 'TLS_KEY' => "$folder/tls.key"]);
        $handler = static function (string $host, string $options = '') use ($server): \SessionHandlerInterface {
            $url = "session-server://$host:$server->port?format=php_serialize$options";
            $handler = HandlerFactory::fromUrl($url);
            $handler->open('', '');
            return $handler;
        };
        $id = str_repeat('a', 26);
        $large = serialize(random_bytes(500_000));
        $handler('127.0.0.1', "&tls=on&ca=$folder/tls.pem&timeout=5")->write($id, $large);
        self::assertTrue($large === $handler('127.0.0.1', "&tls=on&ca=$folder/tls.pem&timeout=5")->read($id));
        $this->assertUnavailable('certificate verify failed', fn () => $handler('127.0.0.1', '&tls=on&timeout=5')->read($id));
        $other = $handler('localhost', "&tls=on&ca=$folder/tls.pem&timeout=5");
        $this->assertUnavailable('did not match expected CN', fn () => $other->read($id));
        $this->assertUnavailable('', fn () => $handler('127.0.0.1', '&timeout=500ms')->read($id));
    }

    public function testAnotherServerAndAnOldSessionServerAreRefused(): void
    {
        $memcached = new SessionServerClient('127.0.0.1', MemcachedProcess::shared()->port);
        $this->assertUnavailable('not an answer of a session server', fn () => $memcached->ping());
        $port = ServerProcess::ownPort();
        $old = sprintf('$s = stream_socket_server("tcp://127.0.0.1:%d"); echo "ready"; while ($c = @stream_socket_accept($s, 60))
            { while (fgets($c) !== false) fwrite($c, "err unknown command\r\n"); }', $port);
        $folder = ServerProcess::folder();
        $this->servers[] = new ServerProcess([PHP_BINARY, '-r', $old], $folder, 'ready');
        $this->assertInvalid('an old one', fn () => (new SessionServerClient('127.0.0.1', $port))->ping());
    }

    public function testACommandOnAnOpenSessionIsNotSentAgainAfterARestartOfTheServer(): void
    {
        $files = ['CONTAINER' => 'file:' . Folder::temporary()];
        $server = $this->server($files);
        $id = $this->stored($server, '1');
        $commands = [
            'get' => ['n'], 'put' => ['n', '3'], 'exists' => ['n'], 'remove' => ['n'], 'keys' => [], 'getAll' => [],
            'putAll' => [['n' => '3']], 'commit' => [], 'close' => [], 'destroy' => [], 'regenerateId' => [],
            'lifetime' => [5], 'ttl' => [], 'touch' => [], 'peek' => [$id], 'ping' => [], 'hasLock' => [],
        ];
        $clients = [];
        foreach ($commands as $command => $with) {
            $client = $clients[$command] = $this->client($server);
            // Each has a session of its own, with an unsaved change.
            $client->open("$id$command");
            $client->put('n', '2');
        }
        $opened = $this->client($server);
        $opened->open($id);
        $opened->put('n', '2');
        $server->end();
        $this->servers[] = new SessionServerProcess($files, $server->port);
        foreach ($commands as $command => $with) {
            $this->assertUnavailable('the connection was lost', fn () => $clients[$command]->$command(...$with));
            self::assertNull($clients[$command]->id());
            $this->assertUnavailable('no session is open', fn () => $clients[$command]->close());
            self::assertNull($clients[$command]->peek("$id$command"));
        }
        // open() connects again.
        self::assertTrue($opened->open($id));
        self::assertSame('1', $opened->get('n'));
    }

    public function testWithoutAnOpenSessionALostConnectionIsReplaced(): void
    {
        $files = ['CONTAINER' => 'file:' . Folder::temporary()];
        $server = $this->server($files);
        $id = $this->stored($server, '1');
        $commands = ['create' => [], 'open' => [$id, 'r'], 'peek' => [$id], 'ping' => [], 'hello' => []];
        $clients = [];
        foreach ($commands as $command => $with) {
            $clients[$command] = $this->client($server);
            $clients[$command]->ping();
        }
        $server->end();
        $this->assertUnavailable('', fn () => $clients['ping']->ping());
        $this->servers[] = new SessionServerProcess($files, $server->port);
        foreach ($commands as $command => $with) {
            $clients[$command]->$command(...$with);
        }
        self::assertSame('1', $clients['open']->get('n'));
    }

    public function testAnAnswerThatComesTooLateIsNotTakenForAnotherOne(): void
    {
        $server = $this->server();
        $id = $this->stored($server, 'right');
        $client = new SessionServerClient('127.0.0.1', $server->port, timeout: 2000);
        $client->open($id);
        $client->put('late', 'wrong');
        $server->pause();
        $this->assertUnavailable('no answer in 2000 ms', fn () => $client->get('late'));
        $server->resume();
        self::assertTrue($client->open($id));
        self::assertSame(['right', null], [$client->get('n'), $client->get('late')]);
    }

    public function testALockIsWaitedForButNotASilentServer(): void
    {
        $server = $this->server();
        $holder = $this->client($server);
        $id = $holder->create();
        $patient = $this->client($server);
        $patient->lockTimeout(800);
        $start = hrtime(true);
        self::assertFalse($patient->open($id));
        self::assertGreaterThan(790, (hrtime(true) - $start) / 1e6);
        $client = new SessionServerClient('127.0.0.1', $server->port, timeout: 500);
        $client->ping();
        $server->pause();
        $client->lockTimeout(60_000);
        $this->assertUnavailable('no answer in 500 ms', fn () => $client->open($id));
        $server->resume();
    }

    public function testWithoutAServerTheErrorNamesThePlace(): void
    {
        $client = new SessionServerClient('127.0.0.1', 1);
        $this->assertUnavailable('session server 127.0.0.1:1: Connection refused', fn () => $client->ping());
        $client = new SessionServerClient('/nowhere/socket');
        $this->assertUnavailable('session server /nowhere/socket: No such file', fn () => $client->ping());
        foreach ([['', 9090], ["h\n", 9090], ['h', 0], ['h', 65536], ['h', 9090, null, null, 0]] as $place) {
            $this->assertInvalid('', fn () => new SessionServerClient(...$place));
        }
    }

    /** @param array<string, string> $settings */
    private function server(array $settings = []): SessionServerProcess
    {
        return $this->servers[] = new SessionServerProcess($settings);
    }

    private function client(
        SessionServerProcess $server,
        #[\SensitiveParameter] ?string $token = null,
    ): SessionServerClient {
        return new SessionServerClient('127.0.0.1', $server->port, $token, timeout: 5000);
    }

    /** Stores a new session with that number. @return its ID */
    private function stored(SessionServerProcess $server, string $n): string
    {
        $client = $this->client($server);
        $id = $client->create();
        $client->put('n', $n);
        $client->close();
        return $id;
    }

    private function assertUnavailable(string $message, \Closure $call): void
    {
        $this->assertThrows(SessionUnavailable::class, $message, $call);
    }

    private function assertInvalid(string $message, \Closure $call): void
    {
        $this->assertThrows(InvalidSettings::class, $message, $call);
    }

    private function assertThrows(string $class, string $message, \Closure $call): void
    {
        try {
            $call();
            self::fail("no $class");
        } catch (SessionUnavailable | InvalidSettings $error) {
            self::assertInstanceOf($class, $error, $error->getMessage());
            self::assertStringContainsString($message, $error->getMessage());
        }
    }
}
