<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * PHP sessions in the files of one folder, which several web servers may share. For locks and errors see StoreHandler.
 *
 *     session_set_save_handler(new FilesHandler('/mnt/shared/sessions'), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * The files are those of PHP's own handler: `sess_` + session ID, mode 0600, and the modification time is the last use.
 * But no file is written in place, so a reader always finds a whole session.
 *
 * The folder must exist, with mode 0700 for the user of the web server. A lock is a flock() of the session's file,
 * which works on NFS too. It has no lease: it ends with its process at the latest, so no request can write too late.
 */
final class FilesHandler extends StoreHandler
{
    /** Seconds that a write waits for another write, or for the collection of garbage. */
    private const WRITE_WAIT = 5;

    /** The suffix that tempnam() appends to the prefix and a dot. IDs have no dot, so no session has such a name. */
    private const TEMPORARY = '/^\.[A-Za-z0-9]{6}\z/';

    /** tempnam() cuts a longer prefix off, and with it the dot that tells temporary files from sessions. */
    private const PREFIX_BYTES = 62;

    /** @var array<string, resource> by session ID, the open file whose lock this request holds */
    private array $locked = [];

    /** @param string $prefix of the file names, before the session ID */
    public function __construct(
        private readonly string $folder,
        private readonly string $prefix = 'sess_',
        HandlerSettings $settings = new HandlerSettings(),
    ) {
        parent::__construct($settings);
        if (str_contains($prefix, '/')) {
            throw new InvalidSettings('the prefix of session files is part of their names, without a /');
        }
        if (strlen($prefix) > self::PREFIX_BYTES) {
            throw new InvalidSettings('the prefix of session files is up to ' . self::PREFIX_BYTES . ' bytes');
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
        // tempnam() makes the file with mode 0600.
        $temporary = @tempnam($this->folder, "$this->prefix.");
        if ($temporary === false) {
            throw $this->failed('written');
        }
        // PHP uses another folder if this one is not writable.
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
                // A request may be using it again right now.
                $file = $this->lockFile($id);
            } catch (SessionUnavailable) {
                // Another user's file, or a link. It must not stop the collection of the others.
                continue;
            }
            if ($file !== null && $this->isExpired($file) && @unlink($this->path($id))) {
                $count++;
            }
        }
        return $count;
    }

    /**
     * Works under the lock of the session's file, so that the file is not replaced or deleted meanwhile.
     *
     * @return bool false, and nothing is done, when there is no such file any more
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
                hrtime(true) < $end || throw $this->failed('written, since another process keeps it locked');
                usleep(1000);
            }
        }
        if (!$this->isCurrent($file, $id)) {
            return false;
        }
        $work();
        return true;
    }

    /** @return resource|null null when another process has locked it, or it is deleted */
    private function lockFile(#[\SensitiveParameter] string $id)
    {
        // NFS locks only files that are open for writing.
        $file = $this->openFile($id, 'r+');
        return $file !== null && flock($file, LOCK_EX | LOCK_NB) && $this->isCurrent($file, $id) ? $file : null;
    }

    /**
     * Whether that is still the session's file: another request may have replaced or deleted it.
     *
     * @param resource $file
     */
    private function isCurrent($file, #[\SensitiveParameter] string $id): bool
    {
        // Opens it again, since by its name NFS may report an older file from its cache.
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

    /** @return resource|null null when there is none */
    private function openFile(#[\SensitiveParameter] string $id, string $mode)
    {
        // Only regular files are ours: a link may lead anywhere, and opening a FIFO waits for its writer.
        $isFile = @filetype($this->path($id)) === 'file';
        $file = $isFile ? @fopen($this->path($id), $mode) : false;
        if ($file !== false) {
            return $this->isOurs($file) ? $file : throw $this->failed('trusted: its file is another user\'s');
        }
        clearstatcache();
        if (is_dir($this->folder) && is_executable($this->folder) && !file_exists($this->path($id))) {
            return null;
        }
        throw $this->failed('read');
    }

    /**
     * In a folder that every user of the machine can write to, such as Debian's, anyone could forge a session. There
     * only the files of this user and of root count, as with PHP's own handler (mod_files.c).
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

    /** Without the name of the file, since that is the session ID. */
    private function failed(string $what): SessionUnavailable
    {
        return new SessionUnavailable("files: in $this->folder a session cannot be $what");
    }
}
