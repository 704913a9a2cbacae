<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * PHP sessions in files, for a folder that several web servers share. They are where PHP's own handler has them, in
 * `sess_` + session ID with mode 0600, and the time of modification is that of the last use; but what is there is
 * always whole, since no file is written in place. For locking and errors see StrictIdHandler.
 *
 *     session_set_save_handler(new FilesHandler('/mnt/shared/sessions'), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * The folder has to be there, with mode 0700 for the user of the web server. The lock is a flock() of the session's
 * file, which NFS knows too. It has no lease: it ends with its process at the latest, so nobody can write too late.
 */
final class FilesHandler extends StrictIdHandler
{
    /** Seconds that a write waits for another one, or for who collects garbage. */
    private const WRITE_WAIT = 5;

    /** What tempnam() puts behind the prefix. Nothing of it is in an ID, so that no session has such a name. */
    private const TEMPORARY = '/^\.[A-Za-z0-9]{6}\z/';

    /** tempnam() cuts off the rest of its prefix, and with it the point that tells these files from sessions. */
    private const PREFIX_BYTES = 62;

    /** @var array<string, resource> the open file, by session ID, whose lock this request holds */
    private array $locked = [];

    /** @param string $prefix of the files' names, before the session ID */
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

    /** What a dump of it shows. */
    public function __debugInfo(): array
    {
        return ['folder' => $this->folder, 'prefix' => $this->prefix];
    }

    protected function load(#[\SensitiveParameter] string $id): ?string
    {
        $file = $this->openFile($id, 'r');
        if ($file === null || $this->isOver($file)) {
            return null;
        }
        $record = stream_get_contents($file);
        return $record === false ? throw $this->failed('read') : $record;
    }

    protected function store(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): void
    {
        // Nobody else can open it.
        $temporary = @tempnam($this->folder, "$this->prefix.");
        if ($temporary === false) {
            throw $this->failed('written');
        }
        // PHP takes another folder if this one cannot be written.
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
            if ($name !== $this->prefix . $id || !$this->seemsOver($id)) {
                continue;
            }
            try {
                // Perhaps it is being used again just now.
                $file = $this->lockFile($id);
            } catch (SessionUnavailable) {
                // Somebody else's, or a link: the others are still to be collected.
                continue;
            }
            if ($file !== null && $this->isOver($file) && @unlink($this->path($id))) {
                $count++;
            }
        }
        return $count;
    }

    /** Does what must not happen to a file that was replaced or removed meanwhile; nothing if there is none, and false. */
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
                hrtime(true) < $end || throw $this->failed('written, since somebody has kept it locked');
                usleep(1000);
            }
        }
        if (!$this->isCurrent($file, $id)) {
            return false;
        }
        $work();
        return true;
    }

    /** @return resource|null null when somebody else has locked it, or it is gone */
    private function lockFile(#[\SensitiveParameter] string $id)
    {
        // NFS wants a file that is locked to be open for writing.
        $file = $this->openFile($id, 'r+');
        return $file !== null && flock($file, LOCK_EX | LOCK_NB) && $this->isCurrent($file, $id) ? $file : null;
    }

    /**
     * Whether that is still the session's file, and not one that another request has replaced or removed.
     *
     * @param resource $file
     */
    private function isCurrent($file, #[\SensitiveParameter] string $id): bool
    {
        // Opened and not asked by its name: NFS may know the name's file from before.
        $now = $this->openFile($id, 'r');
        return $now !== null && fstat($now)['ino'] === fstat($file)['ino'];
    }

    /** @param resource $file */
    private function isOver($file): bool
    {
        return time() - fstat($file)['mtime'] > $this->lifetime;
    }

    private function seemsOver(string $id): bool
    {
        $path = $this->path($id);
        return (preg_match(self::ID, $id) === 1 || preg_match(self::TEMPORARY, $id) === 1)
            && is_file($path)
            && time() - (int) @filemtime($path) > $this->lifetime;
    }

    /** @return resource|null null when there is none */
    private function openFile(#[\SensitiveParameter] string $id, string $mode)
    {
        // A link or a FIFO is none of ours, and one would wait here for its writer.
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
     * Where everybody may write, as into Debian's folder, anybody could put a session of his own making: only those of
     * this user and of root count, as with PHP's own handler (mod_files.c).
     *
     * @param resource $file
     */
    private function isOurs($file): bool
    {
        $everybodyWrites = ((int) @fileperms($this->folder) & 0002) !== 0;
        return !$everybodyWrites
            || (function_exists('posix_geteuid') && in_array(fstat($file)['uid'], [0, posix_geteuid()], true));
    }

    private function path(string $id): string
    {
        return "$this->folder/$this->prefix$id";
    }

    /** The file's name is the session ID: it is not told. */
    private function failed(string $what): SessionUnavailable
    {
        return new SessionUnavailable("files: in $this->folder a session cannot be $what");
    }
}
