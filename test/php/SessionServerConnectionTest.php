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
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/** Tests the ways to connect to the session server, and failing connections. */
final class SessionServerConnectionTest extends TestCase
{
    use Thrown;

    private const TOKEN = 'a-token-of-this-test';
    private const ID = 'aaaaaaaaaaaaaaaaaaaaaaaaaa';

    /** @var list<ServerProcess> */
    private array $servers = [];

    protected function tearDown(): void
    {
        foreach ($this->servers as $server) {
            $server->end();
        }
    }

    public function testAcceptsOnlyTheRightToken(): void
    {
        $file = Folder::temporary() . '/token';
        file_put_contents($file, self::TOKEN . "\n");
        $server = $this->server(['AUTH_FILE' => $file]);
        $right = $this->client($server, self::TOKEN);
        $id = $right->create();
        foreach ([null, 'not-the-right-token'] as $token) {
            $wrong = $this->client($server, $token);
            $this->assertUnavailable('Not authorized.', fn () => $wrong->ping());
            $wrong->auth(self::TOKEN);
            self::assertNull($wrong->peek($id));
        }
        $this->assertUnavailable('Not authorized.', fn () => $right->auth('not-the-right-token'));
        self::assertFalse($this->handler("127.0.0.1:$server->port", "&auth_file=$file")->validateId($id));
        foreach (["two words-and-more", "x\r\nnew", '', str_repeat('x', 513)] as $malformed) {
            $this->assertInvalid('without blanks', fn () => $this->client($server, $malformed));
            $this->assertInvalid('without blanks', fn () => $right->auth($malformed));
        }
    }

    public function testConnectsByUnixSocket(): void
    {
        $server = SessionServerProcess::shared();
        $this->handler("$server->folder/socket")->write(self::ID, 'a:0:{}');
        self::assertSame(['' => 'a:0:{}'], $this->client($server)->peek(self::ID));
        self::assertSame(['' => 'a:0:{}'], (new SessionServerClient("$server->folder/socket"))->peek(self::ID));
    }

    public function testTlsVerifiesTheAuthorityAndTheHost(): void
    {
        $folder = Folder::temporary();
        ServerProcess::certificate($folder);
        $server = $this->server(['TLS_CERT' => "$folder/tls.pem", 'TLS_KEY' => "$folder/tls.key"]);
        $handler = fn (string $host, string $options) => $this->handler("$host:$server->port", "$options&timeout=5");
        $large = serialize(random_bytes(500_000));
        $trusting = "&tls=on&ca=$folder/tls.pem";
        $handler('127.0.0.1', $trusting)->write(self::ID, $large);
        self::assertTrue($large === $handler('127.0.0.1', $trusting)->read(self::ID));
        $this->assertUnavailable('certificate verify failed', fn () => $handler('127.0.0.1', '&tls=on')->read(self::ID));
        $this->assertUnavailable('did not match expected CN', fn () => $handler('localhost', $trusting)->read(self::ID));
        $this->assertUnavailable('', fn () => $this->handler("127.0.0.1:$server->port", '&timeout=100ms')->read(self::ID));
    }

    public function testRejectsAnotherServerAndAnOldSessionServer(): void
    {
        $memcached = new SessionServerClient('127.0.0.1', MemcachedProcess::shared()->port);
        $this->assertUnavailable('the reply is not from a session server', fn () => $memcached->ping());
        $port = ServerProcess::ownPort();
        $old = sprintf('$s = stream_socket_server("tcp://127.0.0.1:%d"); echo "ready"; while ($c = @stream_socket_accept($s, 60))
            { while (fgets($c) !== false) fwrite($c, "err unknown command\r\n"); }', $port);
        $this->servers[] = new ServerProcess([PHP_BINARY, '-n', '-r', $old], ServerProcess::folder(), 'ready');
        $this->assertInvalid('is too old', fn () => (new SessionServerClient('127.0.0.1', $port))->ping());
    }

    public function testCommandsOnAnOpenSessionFailAfterAServerRestart(): void
    {
        $files = ['CONTAINER' => 'file:' . Folder::temporary()];
        $server = $this->server($files);
        $id = $this->stored($server, '1');
        $inSession = [
            'get' => ['n'], 'put' => ['n', '3'], 'exists' => ['n'], 'remove' => ['n'], 'keys' => [], 'getAll' => [],
            'putAll' => [['n' => '3']], 'commit' => [], 'close' => [], 'destroy' => [], 'regenerateId' => [],
            'lifetime' => [5], 'ttl' => [], 'touch' => [], 'peek' => [$id], 'ping' => [], 'hasLock' => [],
        ];
        $clients = $free = [];
        foreach (array_keys($inSession) as $command) {
            $clients[$command] = $this->client($server);
            // Each client has its own session with an unsaved change.
            $clients[$command]->open("$id$command");
            $clients[$command]->put('n', '2');
        }
        $opened = $this->client($server);
        $opened->open($id);
        $opened->put('n', '2');
        $withoutSession = ['create' => [], 'open' => [$id, 'r'], 'peek' => [$id], 'ping' => [], 'hello' => []];
        foreach (array_keys($withoutSession) as $command) {
            $free[$command] = $this->client($server);
            $free[$command]->ping();
        }
        $server->end();
        $this->assertUnavailable('', fn () => $free['ping']->ping());
        $this->servers[] = new SessionServerProcess($files, $server->port);
        foreach ($inSession as $command => $with) {
            $this->assertUnavailable('the connection was lost', fn () => $clients[$command]->$command(...$with));
            self::assertNull($clients[$command]->id());
            $this->assertUnavailable('no session is open', fn () => $clients[$command]->close());
            self::assertNull($clients[$command]->peek("$id$command"));
        }
        // open() reconnects.
        self::assertTrue($opened->open($id));
        self::assertSame('1', $opened->get('n'));
        foreach ($withoutSession as $command => $with) {
            $free[$command]->$command(...$with);
        }
        self::assertSame('1', $free['open']->get('n'));
    }

    public function testIgnoresAResponseThatArrivesAfterTheTimeout(): void
    {
        $server = $this->server();
        $id = $this->stored($server, 'right');
        $patient = new SessionServerClient('127.0.0.1', $server->port, timeout: 800);
        $patient->open($id);
        $patient->put('late', 'wrong');
        $other = new SessionServerClient('127.0.0.1', $server->port, timeout: 300);
        $other->lockTimeout(400);
        $start = hrtime(true);
        self::assertFalse($other->open($id));
        self::assertGreaterThan(390, (hrtime(true) - $start) / 1e6);
        $server->pause();
        $other->lockTimeout(60_000);
        $this->assertUnavailable('no reply within 300 ms', fn () => $other->open($id));
        $this->assertUnavailable('no reply within 800 ms', fn () => $patient->get('late'));
        $server->resume();
        self::assertTrue($patient->open($id));
        self::assertSame(['right', null], [$patient->get('n'), $patient->get('late')]);
    }

    public function testErrorNamesTheAddressIfThereIsNoServer(): void
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

    private function client(SessionServerProcess $server, #[\SensitiveParameter] ?string $token = null): SessionServerClient
    {
        return new SessionServerClient('127.0.0.1', $server->port, $token, timeout: 5000);
    }

    private function handler(string $place, string $options = ''): \SessionHandlerInterface
    {
        $handler = HandlerFactory::fromUrl("session-server://$place?format=php_serialize$options");
        $handler->open('', '');
        return $handler;
    }

    /** Stores a new session with a number. @return string its ID */
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
        self::assertStringContainsString($message, self::thrown(SessionUnavailable::class, $call)->getMessage());
    }

    private function assertInvalid(string $message, \Closure $call): void
    {
        self::assertStringContainsString($message, self::thrown(InvalidSettings::class, $call)->getMessage());
    }
}
