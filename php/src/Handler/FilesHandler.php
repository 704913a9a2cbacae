<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * Stores sessions in the files of a folder, which several web servers may share. For locks and errors see StoreHandler.
 *
 *     session_set_save_handler(new FilesHandler('/mnt/shared/sessions'), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * The files are compatible with PHP's own handler: `sess_` + session ID, mode 0600, and the modification time is the
 * last use. But a file is never written in place, so a reader always finds a complete session.
 *
 * The folder must exist. Give it mode 0700, for the account of PHP. A lock is a flock() of the session's file,
 * which also works on NFS. It needs no lease, because it ends with its process.
 */
final class FilesHandler extends StoreHandler
{
    /** How long a write waits for another write or for the garbage collection, in seconds. */
    private const WRITE_WAIT = 5;

    /** The part after the prefix in names of temporary files: 6 or, from PHP 8.4, 19 characters. IDs contain no dot. */
    private const TEMPORARY = '/^\.(?:[A-Za-z0-9]{6}|[A-Za-z0-9]{19})\z/';

    /** tempnam() truncates a longer prefix, and with it the dot that distinguishes temporary files from sessions. */
    private const PREFIX_BYTES = 62;

    /** @var array<string, resource> the open files that this request has locked, by session ID */
    private array $locked = [];

    /** @param string $prefix precedes the session ID in file names */
    public function __construct(
        private readonly string $folder,
        private readonly string $prefix = 'sess_',
        HandlerSettings $settings = new HandlerSettings(),
    ) {
        parent::__construct($settings);
        if (str_contains($prefix, '/')) {
            throw new InvalidSettings('the prefix of session files must not contain a /');
        }
        if (strlen($prefix) > self::PREFIX_BYTES) {
            throw new InvalidSettings('the prefix of session files must have at most ' . self::PREFIX_BYTES . ' bytes');
        }
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['folder' => $this->folder, 'prefix' => $this->prefix];
    }

    protected function load(#[\SensitiveParameter] string $id): ?string
    {
        $file = $this->openFile($id, 'r');
        if ($file === null || $this->isExpired($file)) {
            return null;
        }
        $record = stream_get_contents($file);
        return $record === false ? throw $this->failed('read') : $record;
    }

    protected function store(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): void
    {
        // tempnam() creates the file with mode 0600.
        $temporary = @tempnam($this->folder, "$this->prefix.");
        if ($temporary === false) {
            throw $this->failed('written');
        }
        // If the folder is not writable, tempnam() uses another folder.
        if (
            dirname($temporary) !== realpath($this->folder)
            || @file_put_contents($temporary, $record) !== strlen($record)
            || !@rename($temporary, $this->path($id))
        ) {
            @unlink($temporary);
            throw $this->failed('written');
        }
    }

    protected function replace(
        #[\SensitiveParameter] string $id,
        #[\SensitiveParameter] string $record,
        ?string $token,
    ): bool {
        return $this->exclusively($id, fn () => $this->store($id, $record));
    }

    protected function renew(#[\SensitiveParameter] string $id): void
    {
        $this->exclusively($id, fn () => @touch($this->path($id)) || throw $this->failed('written'));
    }

    protected function remove(#[\SensitiveParameter] string $id): bool
    {
        return $this->exclusively($id, fn () => @unlink($this->path($id)) || throw $this->failed('written'));
    }

    protected function acquire(#[\SensitiveParameter] string $id, string $token, int $lease): bool
    {
        $file = $this->lockFile($id);
        if ($file !== null) {
            $this->locked[$id] = $file;
        }
        return $file !== null || $this->openFile($id, 'r') === null;
    }

    protected function holds(#[\SensitiveParameter] string $id, string $token): bool
    {
        return isset($this->locked[$id]);
    }

    protected function release(#[\SensitiveParameter] string $id, string $token): void
    {
        unset($this->locked[$id]);
    }

    protected function collect(): int
    {
        $count = 0;
        foreach (@scandir($this->folder, SCANDIR_SORT_NONE) ?: [] as $name) {
            $id = substr($name, strlen($this->prefix));
            if ($name !== $this->prefix . $id || !$this->seemsExpired($id)) {
                continue;
            }
            try {
                // Locked, because a concurrent request may be using the session again.
                $file = $this->lockFile($id);
            } catch (SessionUnavailable) {
                // A file of another account, or a link. The collection continues with the next file.
                continue;
            }
            if ($file !== null && $this->isExpired($file) && @unlink($this->path($id))) {
                $count++;
            }
        }
        return $count;
    }

    /**
     * Runs work under the lock of the session's file, so that no other request replaces or deletes the file.
     *
     * @return bool false if the file no longer exists; then the work does not run
     */
    private function exclusively(#[\SensitiveParameter] string $id, #[\SensitiveParameter] \Closure $work): bool
    {
        $end = hrtime(true) + self::WRITE_WAIT * 1_000_000_000;
        $file = $this->locked[$id] ?? null;
        while ($file === null) {
            if ($this->openFile($id, 'r') === null) {
                return false;
            }
            $file = $this->lockFile($id);
            if ($file === null) {
                hrtime(true) < $end || throw $this->failed('written, because another process has locked it');
                usleep(1000);
            }
        }
        if (!$this->isCurrent($file, $id)) {
            return false;
        }
        $work();
        return true;
    }

    /** @return resource|null null if another process has locked, replaced or deleted the file */
    private function lockFile(#[\SensitiveParameter] string $id)
    {
        // NFS locks only files that are opened for writing.
        $file = $this->openFile($id, 'r+');
        return $file !== null && flock($file, LOCK_EX | LOCK_NB) && $this->isCurrent($file, $id) ? $file : null;
    }

    /**
     * Whether this is still the session's file. Another request may have replaced or deleted it.
     *
     * @param resource $file
     */
    private function isCurrent($file, #[\SensitiveParameter] string $id): bool
    {
        // Opens the file again, because a stat() by name may return an older file from the cache of NFS.
        $now = $this->openFile($id, 'r');
        return $now !== null && fstat($now)['ino'] === fstat($file)['ino'];
    }

    /** @param resource $file */
    private function isExpired($file): bool
    {
        return time() - fstat($file)['mtime'] > $this->lifetime;
    }

    private function seemsExpired(string $id): bool
    {
        $path = $this->path($id);
        return (preg_match(self::ID, $id) === 1 || preg_match(self::TEMPORARY, $id) === 1)
            && is_file($path)
            && time() - (int) @filemtime($path) > $this->lifetime;
    }

    /** @return resource|null null if the file does not exist */
    private function openFile(#[\SensitiveParameter] string $id, string $mode)
    {
        // Opens only regular files. A link may lead anywhere, and opening a FIFO waits for its writer.
        $isFile = @filetype($this->path($id)) === 'file';
        $file = $isFile ? @fopen($this->path($id), $mode) : false;
        if ($file !== false) {
            return $this->isOurs($file) ? $file : throw $this->failed('trusted, because its file belongs to another account');
        }
        clearstatcache();
        if (is_dir($this->folder) && is_executable($this->folder) && !file_exists($this->path($id))) {
            return null;
        }
        throw $this->failed('read');
    }

    /**
     * In a folder that is writable for all accounts, such as Debian's, any account could forge a session. There only
     * files of this account and of root are accepted, as in PHP's own handler (mod_files.c).
     *
     * @param resource $file
     */
    private function isOurs($file): bool
    {
        $worldWritable = ((int) @fileperms($this->folder) & 0002) !== 0;
        return !$worldWritable
            || (function_exists('posix_geteuid') && in_array(fstat($file)['uid'], [0, posix_geteuid()], true));
    }

    private function path(string $id): string
    {
        return "$this->folder/$this->prefix$id";
    }

    /** Omits the name of the file, because it contains the session ID. */
    private function failed(string $what): SessionUnavailable
    {
        return new SessionUnavailable("files: in $this->folder a session cannot be $what");
    }
}
