<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\FilesHandler;
use PhpSessionChat\Session\Handler\HandlerSettings;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;
use PhpSessionChat\Tests\Support\Folder;
use PHPUnit\Framework\TestCase;

/** Tests what is specific to the files handler. HandlerContractTest and LockTest cover all handlers. */
final class FilesHandlerTest extends TestCase
{
    private const ID = 'abcdefghijklmnopqrstuvwxyz';

    private const NOBODY = 65534;
    private const STRANGER = 65533;

    private string $folder;
    private string $file;
    private FilesHandler $handler;

    protected function setUp(): void
    {
        $this->folder = Folder::temporary();
        $this->file = "$this->folder/sess_" . self::ID;
        $this->handler = $this->opened(new FilesHandler($this->folder));
    }

    public function testWritesAPrivateFileWithoutLeavingOthers(): void
    {
        $mask = umask(0);
        $this->handler->write(self::ID, 'something');
        umask($mask);
        $this->handler->write(self::ID, 'something else');
        self::assertSame(0600, fileperms($this->file) & 0777);
        self::assertSame(['.', '..', basename($this->file)], scandir($this->folder));
    }

    public function testReaderGetsACompleteSessionDuringAWrite(): void
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

    public function testNativeHandlerReadsAndWritesTheSameFiles(): void
    {
        $this->handler->write(self::ID, 'n|i:1;');
        $code = 'ini_set("session.save_path", $argv[1]); ini_set("session.use_cookies", "0"); session_id($argv[2]);'
            . 'session_start(["use_strict_mode" => true]); $_SESSION["n"]++; session_write_close(); echo session_id();';
        $process = proc_open([PHP_BINARY, '-r', $code, $this->folder, self::ID], [1 => ['pipe', 'w']], $pipes);
        self::assertSame(self::ID, stream_get_contents($pipes[1]));
        proc_close($process);
        self::assertSame('n|i:2;', $this->handler->read(self::ID));
    }

    public function testRejectsIdsAndPrefixesOutsideTheFolder(): void
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

    public function testCollectsUnfinishedFilesAndExpiredSessionsThatAreNotInUse(): void
    {
        $this->handler->write(self::ID, 'expired');
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

    public function testCollectsGarbageDespiteASymbolicLink(): void
    {
        $ids = array_map(fn (): string => $this->handler->create_sid(), range(1, 20));
        file_put_contents("$this->folder/other", 'some');
        foreach ($ids as $n => $id) {
            // With this many, a link precedes a session in any order of the folder.
            $n % 2 === 0 ? $this->handler->write($id, 'expired') : symlink("$this->folder/other", "$this->folder/sess_$id");
            touch("$this->folder/sess_$id", time() - 1442);
        }
        self::assertSame(10, $this->handler->gc(1));
        self::assertCount(10, glob("$this->folder/sess_*"));
    }

    public function testCollectsNoOtherFilesWithoutAPrefix(): void
    {
        $handler = $this->opened(new FilesHandler($this->folder, ''));
        foreach (['.htaccess', '.gitignore', '.user.ini'] as $name) {
            file_put_contents("$this->folder/$name", 'Require all denied');
            touch("$this->folder/$name", time() - 1442);
        }
        self::assertSame(0, $handler->gc(1));
        self::assertFileExists("$this->folder/.htaccess");
    }

    public function testCollectsUnfinishedFilesWithTheLongestPrefix(): void
    {
        $prefix = str_repeat('p', 62);
        $handler = $this->opened(new FilesHandler($this->folder, $prefix));
        $handler->write(self::ID, 'live');
        $left = tempnam($this->folder, "$prefix.");
        touch($left, time() - 1442);
        self::assertSame(1, $handler->gc(1));
        self::assertSame(['.', '..', $prefix . self::ID], scandir($this->folder));
        $this->expectException(InvalidSettings::class);
        new FilesHandler($this->folder, "p$prefix");
    }

    /** @dataProvider owners */
    public function testTrustsOnlyFilesOfTheReaderOrRootInAWorldWritableFolder(int $reader, int $owner, bool $counts): void
    {
        $this->handler->write(self::ID, 'something');
        chmod($this->file, 0666);
        chown($this->file, $owner);
        chmod($this->folder, 01777);
        self::assertSame([$counts ? 'something' : SessionUnavailable::class], $this->readBy($reader, self::ID));
        if ($owner === self::STRANGER) {
            chmod($this->folder, 0755);
            self::assertSame(['something'], $this->readBy($reader, self::ID), 'in a folder that only its owner can write to');
        }
    }

    /** @return iterable<string, array{int, int, bool}> reader and owner; only root can change the owner of a file */
    public static function owners(): iterable
    {
        if (posix_geteuid() !== 0) {
            yield 'my own' => [posix_geteuid(), posix_geteuid(), true];
            return;
        }
        yield 'of the reader' => [self::NOBODY, self::NOBODY, true];
        yield 'of another user' => [self::NOBODY, self::STRANGER, false];
        yield 'of root' => [self::NOBODY, 0, true];
        yield 'of another user, read by root' => [0, self::STRANGER, false];
    }

    /** Tests the unmounted mount point of php/README.md. */
    public function testIsUnavailableIfTheFolderCannotBeEntered(): void
    {
        $user = posix_geteuid() === 0 ? self::NOBODY : posix_geteuid();
        chmod($this->folder, 0755);
        self::assertSame([''], $this->readBy($user, self::ID));
        chmod($this->folder, 0);
        self::assertSame([SessionUnavailable::class], $this->readBy($user, self::ID));
        chmod($this->folder, 0700);
    }

    public function testWaitsForALockOfAnotherProcessBeforeWriting(): void
    {
        $this->handler->write(self::ID, 'something');
        self::assertTrue($this->handler->validateId(self::ID));
        $this->handler->read(self::ID);
        $start = microtime(true);
        // The native handler holds this lock while a page runs.
        $other = popen('flock ' . escapeshellarg($this->file) . ' sh -c "echo locked; sleep 0.2"', 'r');
        self::assertSame("locked\n", fgets($other));
        $this->handler->write(self::ID, 'else');
        self::assertGreaterThan(0.1, microtime(true) - $start);
        self::assertSame('else', $this->handler->read(self::ID));
        pclose($other);
    }

    /**
     * Reads sessions in a process of a user. Only root can choose another user.
     *
     * @return list<string> the data, or the class of the exception
     */
    private function readBy(int $user, string ...$ids): array
    {
        $code = 'require $argv[1]; ini_set("session.use_strict_mode", "1"); $read = [];
            $handler = new PhpSessionChat\Session\Handler\FilesHandler($argv[3]);
            $handler->open("", "PHPSESSID");
            // Loads the class before the process loses access to the project.
            class_exists(PhpSessionChat\Session\SessionUnavailable::class);
            posix_geteuid() === 0 && posix_setuid((int) $argv[2]);
            foreach (array_slice($argv, 4) as $id) {
                try {
                    $read[] = $handler->read($id);
                } catch (Exception $error) {
                    $read[] = $error::class;
                }
            }
            echo serialize($read);';
        $library = dirname(__DIR__, 2) . '/php/autoload.php';
        $command = [PHP_BINARY, '-r', $code, '--', $library, (string) $user, $this->folder, ...$ids];
        $process = proc_open($command, [1 => ['pipe', 'w']], $pipes);
        $output = stream_get_contents($pipes[1]);
        proc_close($process);
        return unserialize($output);
    }

    private function opened(FilesHandler $handler): FilesHandler
    {
        $handler->open('', 'PHPSESSID');
        return $handler;
    }
}
