<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Native;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\NativeHandler;
use PhpSessionChat\Session\UrlParts;

/**
 * PHP's files, `sess_…` in one folder, or in folders by the first characters of the ID.
 *
 * Option: `depth=`, how many folders deep. `owner=` and `timeout=` are for the chat server alone.
 */
final class NativeFiles extends NativeHandler
{
    protected const NAME = 'files';

    private string $folder;
    private string $depth;

    protected function configure(#[\SensitiveParameter] UrlParts $url): void
    {
        // PHP reads what is before a semicolon as something else, and its warnings show what is after a bracket.
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

    /** A file that cannot be read is a warning of PHP's, and nothing else is. */
    protected function copies(string $id): array
    {
        return [];
    }
}
