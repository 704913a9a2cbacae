<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PHPUnit\Framework\TestCase;

/** Only PHP 8.5 itself reports these deprecations, and the tests may run on an older version. */
final class DeprecationTest extends TestCase
{
    private const DEPRECATED = '/\$http_response_header\b|\bPDO::(?:MYSQL|PGSQL|SQLITE)_\w+/';

    public function testLibraryAndSampleSiteUseNoVariableOrConstantDeprecatedInPhp85(): void
    {
        $found = [];
        foreach (['php', 'php-app'] as $folder) {
            $all = new \RecursiveDirectoryIterator(dirname(__DIR__, 2) . "/$folder", \FilesystemIterator::SKIP_DOTS);
            foreach (new \RecursiveIteratorIterator($all) as $file) {
                if ($file->getExtension() !== 'php') {
                    continue;
                }
                // php_strip_whitespace() removes the comments.
                preg_match_all(self::DEPRECATED, php_strip_whitespace((string) $file), $uses);
                foreach ($uses[0] as $use) {
                    $found[] = "{$file->getFilename()}: $use";
                }
            }
        }
        self::assertSame([], $found);
    }
}
