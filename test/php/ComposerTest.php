<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PHPUnit\Framework\TestCase;

/** The Composer packages of the repository. */
final class ComposerTest extends TestCase
{
    private const ROOT = __DIR__ . '/../../php';

    /** @return array<string, array{string}> */
    public static function packages(): array
    {
        return ['session' => ['.'], 'laravel' => ['laravel'], 'symfony' => ['symfony']];
    }

    /** @dataProvider packages */
    public function testTheManifestOfThePackageIsValid(string $folder): void
    {
        $package = self::package($folder);
        self::assertMatchesRegularExpression('~^php-session-chat/[a-z]+$~', $package['name']);
        self::assertNotEmpty($package['description']);
        self::assertSame(['MIT', '>=8.1'], [$package['license'], $package['require']['php']]);
        self::assertContains($package['type'], ['library', 'symfony-bundle']);
        foreach ($package['require'] as $name => $constraint) {
            self::assertMatchesRegularExpression('~^(php|ext-[a-z]+|[a-z-]+/[a-z-]+)$~', $name);
            self::assertMatchesRegularExpression('~^(\*|self\.version|>=8\.1|\^\d+\.\d+( \|\| \^\d+\.\d+)*)$~', $constraint);
        }
        foreach ($package['autoload']['psr-4'] as $prefix => $source) {
            self::assertStringEndsWith('\\', $prefix);
            self::assertDirectoryExists(self::ROOT . "/$folder/$source");
        }
    }

    /** `composer validate --strict` rejects other constraints, such as `@dev`. */
    public function testTheSampleSiteRequiresOneVersionOfThePackage(): void
    {
        $site = json_decode((string) file_get_contents(self::ROOT . '/../php-app/composer.json'), true);
        $version = $site['require']['php-session-chat/session'];
        self::assertSame('dev-main', $version);
        self::assertSame(['php-session-chat/session' => $version], $site['repositories'][0]['options']['versions']);
    }

    /** @dataProvider packages */
    public function testEachClassHasTheNamespaceOfItsFolder(string $folder): void
    {
        ['autoload' => ['psr-4' => $prefixes]] = self::package($folder);
        $source = self::ROOT . "/$folder/src";
        $all = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($source, \FilesystemIterator::SKIP_DOTS));
        foreach ($all as $file) {
            preg_match('/^namespace (.+);$/m', file_get_contents((string) $file), $found);
            $path = strtr(substr($file->getPath(), strlen($source)), '/', '\\');
            $allowed = array_map(static fn (string $prefix) => rtrim($prefix, '\\') . $path, array_keys($prefixes));
            self::assertContains($found[1], $allowed, (string) $file);
        }
    }

    public function testBothFrameworksRequireTheLibraryOfTheSameVersion(): void
    {
        $name = self::package('.')['name'];
        foreach (['laravel', 'symfony'] as $folder) {
            self::assertSame('self.version', self::package($folder)['require'][$name]);
        }
    }

    public function testTheServiceProviderForLaravelExists(): void
    {
        [$class] = self::package('laravel')['extra']['laravel']['providers'];
        $name = strtr(substr($class, strlen('PhpSessionChat\\Laravel\\')), '\\', '/');
        self::assertFileExists(self::ROOT . "/laravel/src/$name.php");
    }

    /** @return array<string, mixed> */
    private static function package(string $folder): array
    {
        return json_decode(file_get_contents(self::ROOT . "/$folder/composer.json"), true, 16, JSON_THROW_ON_ERROR);
    }
}
