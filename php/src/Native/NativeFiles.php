<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Native;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Session\StoreUrl;

/**
 * PHP's own session files `sess_…`, in one folder or in nested folders named by the first characters of the ID.
 *
 * Option: `depth=`, the number of nested folders. Only the chat server uses `owner=` and `timeout=`.
 */
final class NativeFiles extends NativeHandler
{
    protected const NAME = 'files';

    private string $folder;
    private string $depth;

    protected function configure(#[\SensitiveParameter] StoreUrl $url): void
    {
        // In a save path, other settings precede a semicolon. fail() removes text in parentheses from PHP's warnings,
        // because it may contain session IDs.
        if ($url->hosts !== [] || $url->user !== '' || preg_match('~^/[^;()\0]*\z~', $url->path) !== 1) {
            throw new InvalidSettings('file: needs three slashes and a folder without ; ( and ), as in file:///srv/sessions');
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

    /** Returns nothing, because PHP warns if it cannot read a file, and never treats it as missing. */
    protected function copies(string $id): array
    {
        return [];
    }
}
