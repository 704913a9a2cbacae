<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use InvalidArgumentException;
use PhpSessionChat\ChatClient;
use PhpSessionChat\ChatError;
use PhpSessionChat\Tests\Support\ChatServerProcess;
use PhpSessionChat\Tests\Support\ChatVisitor;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\ServerProcess;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

/** Tests the client with a real chat server. */
final class ChatClientTest extends TestCase
{
    use Thrown;

    private static int $count = 0;
    private ChatClient $chat;

    protected function setUp(): void
    {
        $this->chat = new ChatClient(ChatServerProcess::shared()->url . '/', ChatServerProcess::KEY, 5.0);
    }

    /** An ID that no other test uses. */
    private static function newId(): string
    {
        return 'c' . getmypid() . '-' . self::$count++;
    }

    private static function errorOf(callable $call): ChatError
    {
        return self::thrown(ChatError::class, $call);
    }

    public function testStoresAMessageAsSentAndReplacesInvalidUtf8(): void
    {
        $text = "你好 👋 <b>\nline";
        $message = $this->chat->postMessage('lobby', 7, 'Shop', $text);
        self::assertSame(['id' => '7', 'name' => 'Shop'], $message['user']);
        self::assertSame(['lobby', $text], [$message['room'], $message['text']]);
        // The server of this test has no CHAT_CARDS_URL.
        $plain = $this->chat->postMessage('lobby', 7, 'Shop', $text, null, 'order:1');
        self::assertArrayNotHasKey('card', $plain);
        self::assertArrayNotHasKey('important', $plain);
        self::assertTrue($this->chat->postMessage('lobby', 7, 'Shop', $text, important: true)['important']);
        $other = $this->chat->postMessage('lobby', 1, "caf\xe9", "caf\xe9");
        self::assertSame("caf\u{fffd}", $other['text'], 'bytes that are not UTF-8');
    }

    public function testAsksListsAndClosesQuestions(): void
    {
        $id = self::newId();
        $about = ['page' => '/orders/7', 'title' => 'Order 7'];
        ['room' => $question, 'message' => $message] = $this->chat->askTeam($id, 'Ann', 'Where is it?', 'q1', $about);
        self::assertSame(['Where is it?', 'open', $about], [$question['name'], $question['state'], $question['about']]);
        self::assertSame($message, $this->chat->askTeam($id, 'Ann', 'Where is it?', 'q1')['message']);
        $rooms = fn (string $which): array => array_column($this->chat->questions($which)['questions'], 'room');
        self::assertContains($question['room'], $rooms('unassigned'));
        self::assertSame('closed', $this->chat->closeQuestion($question['room'])['state']);
        self::assertContains($question['room'], $rooms('closed'));
        $error = self::errorOf(fn () => $this->chat->closeQuestion('lobby'));
        self::assertSame(['unknown_room', 404], [$error->getErrorCode(), $error->getStatus()]);
    }

    public function testIntegersOfAnySizeAreExactIds(): void
    {
        $id = 9007199254740993;
        self::assertSame((string) $id, $this->chat->postMessage('lobby', $id, 'Big', 'I am big.')['user']['id']);
        $this->chat->putUsers([['id' => $id + 2, 'name' => 'Bigger']]);
        self::assertSame('Bigger', $this->chat->user($id + 2)['user']['name']);
        $room = self::newId();
        $this->chat->putRoom($room, $room);
        self::assertSame(2, $this->chat->changeMembers($room, [$id, ['id' => PHP_INT_MAX, 'name' => 'Biggest']]));
        self::assertSame(1, $this->chat->user(PHP_INT_MAX)['rooms']);
        self::assertSame(1, $this->chat->changeMembers($room, remove: [PHP_INT_MAX]));
        // The float of another user's ID.
        self::thrown(InvalidArgumentException::class, fn () => $this->chat->putUsers([['id' => 9007199254740993.0, 'name' => 'Float']]));
    }

    public function testReadsAMessageAndReturnsNullForAnUnknownOne(): void
    {
        $message = $this->chat->postMessage('lobby', 7, 'Shop', 'Read me.');
        self::assertSame($message, $this->chat->message('lobby', $message['seq']));
        self::assertNull($this->chat->message('lobby', $message['seq'] + 1000));
        self::assertNull($this->chat->message('nowhere', 1));
        self::assertSame('bad_request', self::errorOf(fn () => $this->chat->message('lobby', 0))->getErrorCode());
    }

    public function testReturnsTheSameMessageForARepeatedClientId(): void
    {
        $id = self::newId();
        $message = $this->chat->postMessage('lobby', 'shop', 'Shop', 'Sent.', $id);
        self::assertSame($message, $this->chat->postMessage('lobby', 'shop', 'Shop', 'Sent.', $id));
        $error = self::errorOf(fn () => $this->chat->postMessage('lobby', 'shop', 'Shop', 'Something else.', $id));
        self::assertSame(['conflict', 409], [$error->getErrorCode(), $error->getStatus()]);
        self::assertFalse($error->isTemporary());
    }

    public function testPushReachesOnlineUsers(): void
    {
        $id = self::newId();
        self::assertSame(0, $this->chat->push($id, 'order', ['number' => 1]));
        $visitor = new ChatVisitor(ChatServerProcess::shared(), $id, 'Ann');
        $visitor->connect();
        self::assertSame(1, $this->chat->push($id, 'order', ['number' => 4711, 'items' => ['a', 'b']]));
        self::assertSame(
            ['push', ['name' => 'order', 'data' => ['number' => 4711, 'items' => ['a', 'b']]]],
            $visitor->event('push'),
        );
        $this->chat->push($id, 'ping');
        self::assertSame(['push', ['name' => 'ping']], $visitor->event('push'));
    }

    public function testEncodesIdsAndReturnsTheResultsOfTheApi(): void
    {
        $id = self::newId() . ' /?#é';
        self::assertNull($this->chat->user($id));
        $visitor = new ChatVisitor(ChatServerProcess::shared(), $id, 'Ann');
        self::assertSame(0, $this->chat->closeConnections($id));
        $visitor->connect();
        $here = ['user' => ['id' => $id, 'name' => 'Ann'], 'connections' => 1, 'rooms' => 0];
        self::assertSame($here, $this->chat->user($id));
        self::assertSame(1, $this->chat->closeConnections($id));
        self::assertSame(['session:ended', ['reason' => 'kicked']], $visitor->event('session:ended'));

        $room = self::newId();
        $made = ['id' => $room, 'name' => 'Équipe', 'topic' => 'Plans', 'kind' => 'private', 'members' => 0, 'head' => 0, 'lastSeq' => 0];
        self::assertEquals($made, $this->chat->putRoom($room, 'Équipe', 'private', 'Plans'));
        self::assertSame(2, $this->chat->changeMembers($room, [$id, ['id' => 'x/é', 'name' => 'Away']]));
        self::assertSame('Away', $this->chat->user('x/é')['user']['name']);
        self::assertSame(1, $this->chat->changeMembers($room, [], ['x/é']));
        $this->chat->deleteRoom($room);

        self::assertSame(0, $this->chat->ban($id, 3600, 'spam'));
        self::assertNull($visitor->connect());
        $banned = $this->chat->user($id)['banned'];
        self::assertSame('spam', $banned['reason']);
        self::assertEqualsWithDelta((time() + 3600) * 1000, $banned['until'], 60_000);
        $this->chat->unban($id);
        self::assertArrayNotHasKey('banned', $this->chat->user($id));
        self::assertSame([], $this->chat->acts('WzFd')['acts']);
        $error = self::errorOf(fn () => $this->chat->eraseUser($id, 'keep'));
        self::assertSame(['bad_request', 400], [$error->getErrorCode(), $error->getStatus()]);
    }

    public function testExportsTheDataOfAUserToAPrivateFile(): void
    {
        $id = self::newId();
        $file = Folder::temporary() . '/export.zip';
        self::assertFalse($this->chat->exportUser($id, $file));
        self::assertFileDoesNotExist($file);
        $this->chat->postMessage('lobby', $id, 'Ann', 'Wm4kZ');
        $mask = umask(0);
        try {
            self::assertTrue($this->chat->exportUser($id, $file));
            self::assertSame(0, umask());
        } finally {
            umask($mask);
        }
        self::assertSame(0600, fileperms($file) & 0777);
        $export = (string) file_get_contents($file);
        self::assertStringStartsWith("PK\x03\x04", $export);
        self::assertStringContainsString('messages.jsonl', $export);
        $error = self::thrown(InvalidArgumentException::class, fn () => $this->chat->exportUser($id, $file));
        self::assertStringContainsString('must not exist', $error->getMessage());
        self::assertStringEqualsFile($file, $export);
    }

    public function testReportsAWrongKeyOrPathAsAPermanentError(): void
    {
        $url = ChatServerProcess::shared()->url;
        foreach ([
            [$url, 'another-key-of-16-characters', 'unauthorized', 401],
            ["$url/elsewhere", ChatServerProcess::KEY, 'not_found', 404],
        ] as [$at, $key, $code, $status]) {
            $error = self::errorOf(fn () => (new ChatClient($at, $key))->push(1, 'x'));
            self::assertSame([$code, $status, false], [$error->getErrorCode(), $error->getStatus(), $error->isTemporary()]);
        }
    }

    public function testRetriesAMessageButNotAPushAfterALostResponse(): void
    {
        $port = ServerProcess::ownPort();
        $proxy = new ServerProcess(
            [PHP_BINARY, '-n', __DIR__ . '/Support/answer-dropping-proxy.php', "$port", ChatServerProcess::shared()->port . '', '3'],
            ServerProcess::folder(),
            "ready\n",
        );
        $chat = new ChatClient("http://127.0.0.1:$port", ChatServerProcess::KEY);
        $room = self::newId();
        $this->chat->putRoom($room, 'Once');
        self::assertSame('no_answer', self::errorOf(fn () => $chat->push(self::newId(), 'x'))->getErrorCode());
        self::assertSame(1, $chat->postMessage($room, 1, 'Ann', 'once')['seq']);
        $log = file_get_contents("$proxy->folder/log");
        self::assertSame(1, substr_count($log, 'POST /api/users/'));
        self::assertSame(3, substr_count($log, "POST /api/rooms/$room/messages"));
        self::assertSame(2, $this->chat->postMessage($room, 1, 'Ann', 'twice')['seq']);
        $proxy->end();
    }

    public function testTriesThreeTimesIfTheServerDoesNotRespond(): void
    {
        $silent = stream_socket_server('tcp://127.0.0.1:0');
        $url = 'http://' . stream_socket_get_name($silent, false);
        $began = hrtime(true);
        $error = self::errorOf(fn () => (new ChatClient($url, ChatServerProcess::KEY, 0.1))->user(1));
        $seconds = (hrtime(true) - $began) / 1e9;
        self::assertSame(['no_answer', 0, true], [$error->getErrorCode(), $error->getStatus(), $error->isTemporary()]);
        self::assertGreaterThan(0.3, $seconds);
        for ($tries = 0; @stream_socket_accept($silent, 0) !== false; $tries++);
        self::assertSame(3, $tries);
    }

    public function testExamplesInTheDocumentationRunInSequenceWithoutOutput(): void
    {
        $root = dirname(__DIR__, 2);
        preg_match_all('/^```php\n(.*?)^```$/ms', file_get_contents("$root/docs/api.md"), $found);
        $folder = ServerProcess::folder();
        file_put_contents("$folder/key", ChatServerProcess::KEY . "\n");
        file_put_contents("$folder/webhook-key", 'whsec_' . base64_encode(str_repeat('k', 32)) . "\n");
        // A request with an event, because a command-line program does not receive one.
        $request = [$body = '{"type":"room.created","data":{}}', [
            'webhook-id' => 'an-event',
            'webhook-timestamp' => $now = (string) time(),
            'webhook-signature' => 'v1,' . base64_encode(hash_hmac('sha256', "an-event.$now.$body", str_repeat('k', 32), true)),
        ]];
        file_put_contents("$folder/example.php", "<?php session_id('the-session-of-a-user');\n" . strtr(implode("\n", $found[1]), [
            '/path/to/php/' => "$root/php/",
            '/path/to/private/' => "$folder/",
            '/etc/php-session-chat/key' => "$folder/key",
            '/etc/php-session-chat/webhook-key' => "$folder/webhook-key",
            '->fromRequest()' => '->verify(...' . var_export($request, true) . ')',
            'http://127.0.0.1:7070' => ChatServerProcess::shared()->url,
        ]));
        $command = [PHP_BINARY, '-d', 'error_reporting=-1', '-d', 'display_errors=1', "$folder/example.php"];
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
        self::assertSame('', stream_get_contents($pipes[1]));
        self::assertSame(0, proc_close($process));
        // The examples must show each method.
        $calls = array_diff(get_class_methods(ChatClient::class), ['__construct', '__debugInfo']);
        $shown = implode($found[1]);
        self::assertSame([], array_filter($calls, static fn ($call) => !str_contains($shown, "\$chat->$call(")));
    }

    public function testDumpsAndErrorsDoNotContainTheKey(): void
    {
        ob_start();
        var_dump($this->chat);
        $shown = ob_get_clean() . print_r($this->chat, true) . var_export(self::errorOf(fn () => $this->chat->user("\n")), true);
        self::assertStringNotContainsString(ChatServerProcess::KEY, $shown);
    }

    /** @dataProvider settings */
    public function testRejectsInvalidSettings(string $url, string $key): void
    {
        $this->expectException(InvalidArgumentException::class);
        new ChatClient($url, $key);
    }

    /** @return iterable<array{string, string}> */
    public static function settings(): iterable
    {
        yield ['ftp://127.0.0.1', ChatServerProcess::KEY];
        yield ['127.0.0.1:7070', ChatServerProcess::KEY];
        yield ['http://127.0.0.1:7070/?a=b', ChatServerProcess::KEY];
        yield ['http://127.0.0.1:7070', 'too short'];
        yield ['http://127.0.0.1:7070', "a-key-of-more-than-16-characters\r\nX: y"];
    }
}
