<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\FilesHandler;
use PhpSessionChat\Session\HandlerSettings;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Tests\Support\Folder;
use PHPUnit\Framework\TestCase;

/** What is peculiar to files. What all handlers do: HandlerContractTest, LockTest. */
final class FilesHandlerTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private string $folder;
    private string $file;
    private FilesHandler $handler;

    protected function setUp(): void
    {
        $this->folder = Folder::temporary();
        $this->file = "$this->folder/sess_" . self::ID;
        $this->handler = $this->opened(new FilesHandler($this->folder));
    }

    public function testAFileIsForItsOwnerOnlyAndNothingElseIsLeft(): void
    {
        $mask = umask(0);
        $this->handler->write(self::ID, 'something');
        umask($mask);
        $this->handler->write(self::ID, 'something else');
        self::assertSame(0600, fileperms($this->file) & 0777);
        self::assertSame(['.', '..', basename($this->file)], scandir($this->folder));
    }

    public function testWhoReadsWhileItIsWrittenReadsAWholeSession(): void
    {
        $this->handler->write(self::ID, 'something');
        foreach (['store' => fn () => null, 'replace' => fn () => $this->handler->read(self::ID)] as $prepare) {
            $reader = fopen($this->file, 'r');
            $prepare();
            $this->handler->write(self::ID, 'else');
            self::assertSame('something', stream_get_contents($reader));
            $this->handler->write(self::ID, 'something');
        }
    }

    public function testPhpsOwnHandlerReadsAndWritesTheSameFiles(): void
    {
        $this->handler->write(self::ID, 'n|i:1;');
        $code = 'ini_set("session.save_path", $argv[1]); ini_set("session.use_cookies", "0"); session_id($argv[2]);'
            . 'session_start(["use_strict_mode" => true]); $_SESSION["n"]++; session_write_close(); echo session_id();';
        $process = proc_open([PHP_BINARY, '-r', $code, $this->folder, self::ID], [1 => ['pipe', 'w']], $pipes);
        self::assertSame(self::ID, stream_get_contents($pipes[1]));
        proc_close($process);
        self::assertSame('n|i:2;', $this->handler->read(self::ID));
    }

    public function testAnIdDoesNotLeadOutOfTheFolder(): void
    {
        mkdir("$this->folder/sess_");
        file_put_contents("$this->folder/other", 'a secret of thirty-two bytes');
        $malformed = ['/../other', '../' . str_repeat('a', 26), self::ID . "\0", self::ID . '/../sess_' . self::ID];
        foreach ($malformed as $id) {
            self::assertFalse($this->handler->validateId($id));
        }
        $this->expectException(InvalidSettings::class);
        new FilesHandler($this->folder, '../other/sess_');
    }

    public function testGarbageIsWhatIsOverAndWhatWasNeverFinished(): void
    {
        $this->handler->write(self::ID, 'over');
        $used = $this->handler->create_sid();
        $this->handler->write($used, 'being used');
        $live = $this->handler->create_sid();
        $this->handler->write($live, 'live');
        foreach (['sess_.abcdef', 'sess_data.json', 'unrelated'] as $name) {
            file_put_contents("$this->folder/$name", 'some');
        }
        mkdir("$this->folder/sess_" . self::ID . "folder");
        $page = $this->opened(new FilesHandler($this->folder, settings: new HandlerSettings(lockWait: 1)));
        self::assertTrue($page->validateId($used));
        foreach (scandir($this->folder) as $name) {
            $name === "sess_$live" || $name === '..' || touch("$this->folder/$name", time() - 1442);
        }
        self::assertSame(2, $this->handler->gc(1));
        $left = ["sess_$live", "sess_$used", 'sess_data.json', 'unrelated', 'sess_' . self::ID . 'folder'];
        self::assertEqualsCanonicalizing(['.', '..', ...$left], scandir($this->folder));
        $page->close();
        self::assertSame(1, $this->handler->gc(1));
    }

    public function testAWriteWaitsForWhoHasLockedTheFileButNotForEver(): void
    {
        $this->handler->write(self::ID, 'something');
        self::assertTrue($this->handler->validateId(self::ID));
        $this->handler->read(self::ID);
        // As PHP's own handler does while a page runs.
        $other = popen('flock ' . escapeshellarg($this->file) . ' sh -c "echo locked; sleep 0.2"', 'r');
        self::assertSame("locked\n", fgets($other));
        $start = microtime(true);
        $this->handler->write(self::ID, 'else');
        self::assertGreaterThan(0.1, microtime(true) - $start);
        self::assertSame('else', $this->handler->read(self::ID));
        pclose($other);
    }

    private function opened(FilesHandler $handler): FilesHandler
    {
        $handler->open('', 'PHPSESSID');
        return $handler;
    }
}
