<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\FilesHandler;
use PhpSessionChat\Session\Handler\JsonHandler;
use PhpSessionChat\Session\SessionDataError;
use PhpSessionChat\Tests\Support\Folder;
use PHPUnit\Framework\TestCase;

final class JsonHandlerTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private string $file;
    private JsonHandler $handler;

    protected function setUp(): void
    {
        $folder = Folder::temporary();
        $this->file = "$folder/sess_" . self::ID;
        $this->handler = new JsonHandler(new FilesHandler($folder));
        $this->handler->open('', 'PHPSESSID');
    }

    /** @dataProvider kept */
    public function testRestoresDataStoredAsJson(array|\Closure $data): void
    {
        $data = is_array($data) ? $data : $data();
        self::assertSame($data === [] ? '{}' : json_encode($data), $this->stored($data));
        self::assertSame($data, unserialize($this->read()));
    }

    /**
     * @return iterable<string, array{array<mixed>|\Closure}> a closure for values that PHPUnit describes slowly
     */
    public static function kept(): iterable
    {
        yield 'nothing' => [[]];
        yield 'a login' => [['user_id' => 1, 'firstname' => 'Alice']];
        yield 'scalars' => [['n' => null, 'yes' => true, 'no' => false, 'f' => 1.5, 'tiny' => 1e-320, 's' => '']];
        yield 'the largest and the smallest integer' => [['max' => PHP_INT_MAX, 'min' => PHP_INT_MIN]];
        yield 'UTF-8 and separators' => [['a|b' => "张 ; } \" \\ / \u{1F44D} \u{2028}"]];
        yield 'odd keys' => [['' => 'empty', '__proto__' => 'x']];
        yield 'control characters and NUL' => [["\0*\0key" => "\0\x01\x7f\r\n"]];
        yield 'numeric keys and lists' => [[3 => 'three', 'list' => [1, [2, []]], 'map' => [1 => 'one']]];
        yield 'a list at the top' => [['a', 'b']];
        yield '512 levels' => [fn () => self::nested(512)];
    }

    public function testRestoresAFloatWithoutAFractionAsAnInteger(): void
    {
        $this->stored(['f' => 1.0]);
        self::assertSame('a:1:{s:1:"f";i:1;}', $this->read());
    }

    public function testStoresReferencesAsCopies(): void
    {
        $one = ['x' => 1];
        self::assertSame('{"a":{"x":1},"b":{"x":1}}', $this->stored(['a' => &$one, 'b' => &$one]));
    }

    /** @dataProvider refused */
    public function testRejectsValuesThatJsonCannotHoldWithTheirKey(array|\Closure $data, string $message): void
    {
        $data = is_array($data) ? $data : $data();
        $this->expectException(SessionDataError::class);
        $this->expectExceptionMessage($message);
        $this->stored($data);
    }

    public static function refused(): iterable
    {
        yield 'bytes that are not UTF-8' => [['ok' => 1, 'bio' => "caf\xe9"], 'key "bio": Malformed UTF-8'];
        yield 'a key that is not UTF-8' => [["caf\xe9" => 1], 'key "caf\ufffd": Malformed UTF-8'];
        yield 'an object' => [['cart' => new \stdClass()], 'key "cart": an object'];
        yield 'an object 500 levels down' => [fn () => ['x' => self::nested(500, new \stdClass())], 'key "x": an object'];
        yield 'INF' => [['f' => INF], 'key "f": Inf and NaN'];
        yield '513 levels' => [fn () => self::nested(513), 'Maximum stack depth exceeded'];
        yield '600 levels' => [fn () => self::nested(600), 'Maximum stack depth exceeded'];
        $loop = ['x' => 1];
        $loop['self'] = &$loop;
        yield 'an array inside itself' => [['loop' => &$loop], 'key "loop": '];
    }

    /** @dataProvider unreadable */
    public function testRejectsARecordThatIsNotAJsonObjectOrList(string $record): void
    {
        file_put_contents($this->file, $record);
        $this->expectException(SessionDataError::class);
        $this->read();
    }

    public static function unreadable(): iterable
    {
        yield 'PHP\'s own format' => ['user_id|i:1;'];
        yield 'php_serialize' => ['a:1:{s:7:"user_id";i:1;}'];
        yield 'cut short' => ['{"user_id":1'];
        yield 'a scalar' => ['1'];
        yield 'not UTF-8' => ["{\"a\":\"\xff\"}"];
        yield '600 levels' => [str_repeat('[', 600) . str_repeat(']', 600)];
    }

    /** Writes a session. @return string the content of its file */
    private function stored(array $data): string
    {
        $this->handler->write(self::ID, serialize($data));
        return file_get_contents($this->file);
    }

    private function read(): string
    {
        self::assertTrue($this->handler->validateId(self::ID));
        return $this->handler->read(self::ID);
    }

    private static function nested(int $levels, mixed $innermost = 1): array
    {
        $data = ['x' => $innermost];
        for ($level = 1; $level < $levels; $level++) {
            $data = [$data];
        }
        return $data;
    }
}
