<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PHPUnit\Framework\TestCase;
use Twig\Environment;
use Twig\Loader\ArrayLoader;

/** Tests that the tags in docs/sites show the chat to logged-in users only. The applications themselves are stand-ins. */
final class SiteTagTest extends TestCase
{
    /** @dataProvider tags */
    public function testShowsTheChatToLoggedInUsersOnly(string $page, callable $render): void
    {
        $text = (string) file_get_contents(__DIR__ . "/../../docs/sites/$page.md");
        self::assertSame(1, preg_match('/^## The tag\n.*?^```\w+\n(.*?)^```$/ms', $text, $found));
        self::assertStringContainsString('<php-chat-launcher', $render($found[1], true));
        self::assertStringNotContainsString('php-chat', $render($found[1], false));
    }

    /** @return iterable<string, array{string, callable(string, bool): string}> */
    public static function tags(): iterable
    {
        foreach (['drupal' => 'logged_in', 'opencart' => 'logged', 'phpbb' => 'S_REGISTERED_USER'] as $page => $name) {
            yield $page => [$page, static function (string $tag, bool $isLoggedIn) use ($name): string {
                require_once 'Twig/autoload.php';
                return (new Environment(new ArrayLoader(['tag' => $tag])))->render('tag', [$name => $isLoggedIn]);
            }];
        }
        yield 'joomla' => ['joomla', static fn (string $tag, bool $isLoggedIn): string =>
            self::outputOf('namespace Joomla\CMS; class Factory { static function getApplication() { return new self; }
                function getIdentity() { return (object) ["guest" => ' . ($isLoggedIn ? '0' : '1') . ']; } } ?>' . $tag)];
        yield 'smf' => ['smf', static fn (string $tag, bool $isLoggedIn): string =>
            self::outputOf('$context = ["user" => ["is_logged" => ' . ($isLoggedIn ? 'true' : 'false') . ']];' . $tag)];
        yield 'mediawiki' => ['mediawiki', static fn (string $tag, bool $isLoggedIn): string =>
            self::outputOf("$tag class Skin { function getUser() { return \$this; }
                function isRegistered() { return " . ($isLoggedIn ? 'true' : 'false') . '; } }
                $data = ""; $wgHooks["SkinAfterContent"][0]($data, new Skin()); echo $data;')];
    }

    /** Returns the output of the code, which runs in a process of its own. */
    private static function outputOf(string $code): string
    {
        $process = proc_open(
            [PHP_BINARY, '-d', 'error_reporting=-1', '-d', 'display_errors=1', '-r', $code],
            [1 => ['pipe', 'w'], 2 => ['redirect', 1]],
            $pipes,
        );
        $output = (string) stream_get_contents($pipes[1]);
        self::assertSame(0, proc_close($process), $output);
        return $output;
    }
}
