<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Native;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Session\StoreUrl;

/**
 * PHP's own files: `sess_…` in one folder, or in nested folders named by the first characters of the ID.
 *
 * Option: `depth=`, the number of nested folders. `owner=` and `timeout=` are for the chat server alone.
 */
final class NativeFiles extends NativeHandler
{
    protected const NAME = 'files';

    private string $folder;
    private string $depth;

    protected function configure(#[\SensitiveParameter] StoreUrl $url): void
    {
        // A save path has other settings before a semicolon. And fail() cuts brackets out of PHP's warnings, which
        // quote session IDs in them.
        if ($url->hosts !== [] || $url->user !== '' || preg_match('~^/[^;()\0]*\z~', $url->path) !== 1) {
            throw new InvalidSettings('file: takes three slashes and a folder without ; ( and ), as file:///srv/sessions');
        }
        $this->folder = $url->path;
        $url->take('prefix', 'sess_', 'sess_');
        $url->take('owner', '.+', 'a user');
        $url->milliseconds('timeout', 0);
        $this->depth = $url->take('depth', '\d', '0 to 9') ?? '0';
    }

    protected function settings(): array
    {
        return ['session.save_path' => $this->depth === '0' ? $this->folder : "$this->depth;$this->folder"];
    }

    /** Nothing to check: PHP warns of a file that it cannot read, and never takes it for one that is not there. */
    protected function copies(string $id): array
    {
        return [];
    }
}
