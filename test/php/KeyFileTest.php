<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\KeyFile;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

final class KeyFileTest extends TestCase
{
    use Thrown;

    private string $file;

    protected function setUp(): void
    {
        $this->file = Folder::temporary() . '/keys';
    }

    public function testReadsKeysInTheOrderOfTheirLines(): void
    {
        [$new, $old, $oldest] = [random_bytes(32), random_bytes(32), random_bytes(32)];
        $lines = [
            '# made in May', '', base64_encode($new), "  \t", ' ' . rtrim(base64_encode($old), '=') . "\r",
            'base64:' . base64_encode($oldest), '  # the end',
        ];
        file_put_contents($this->file, implode("\n", $lines));
        self::assertSame([$new, $old, $oldest], KeyFile::read($this->file));
    }

    /** @dataProvider wrong */
    public function testRejectsAFileWithoutKeysOrWithAnInvalidKey(string $text, string $message): void
    {
        file_put_contents($this->file, $text);
        $error = self::thrown(InvalidSettings::class, fn () => KeyFile::read($this->file));
        self::assertSame(str_replace('FILE', $this->file, $message), $error->getMessage());
    }

    /** @return iterable<string, array{string, string}> */
    public static function wrong(): iterable
    {
        $key = base64_encode(str_repeat('k', 32));
        yield 'empty' => ['', 'the key file FILE contains no key'];
        yield 'comments only' => ["# none\n\n", 'the key file FILE contains no key'];
        $message = 'line 2 of the key file FILE is not a key of 32 bytes in base64';
        yield 'too short' => ["$key\n" . base64_encode(str_repeat('k', 31)), $message];
        yield 'too long' => ["$key\n" . base64_encode(str_repeat('k', 33)), $message];
        yield 'not base64' => ["$key\n" . str_repeat('?', 44), $message];
        yield 'hexadecimal' => ["$key\n" . bin2hex(str_repeat('k', 32)), $message];
    }

    public function testNamesAnUnreadableFileButNotAKeyGivenAsPath(): void
    {
        $key = random_bytes(32);
        $keys = [
            base64_encode($key), 'base64:' . base64_encode($key), bin2hex($key), base64_encode(str_repeat('k', 16)),
            sodium_bin2base64($key, SODIUM_BASE64_VARIANT_URLSAFE),
            // This key starts with a slash, like a path.
            rtrim(base64_encode("\xff" . substr($key, 1)), '='),
        ];
        $folder = dirname($this->file);
        $paths = [$this->file => $this->file, $folder => $folder] + array_fill_keys(['', ...$keys], 'given');
        foreach ($paths as $path => $named) {
            $error = self::thrown(InvalidSettings::class, fn () => KeyFile::read($path));
            self::assertSame("the key file $named cannot be read", $error->getMessage());
        }
    }
}
