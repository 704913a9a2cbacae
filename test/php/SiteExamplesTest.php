<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use Illuminate\Filesystem\Filesystem;
use Illuminate\View\Compilers\BladeCompiler;
use PhpSessionChat\Session\DatabaseUrl;
use PhpSessionChat\Symfony\DependencyInjection\Configuration;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\MariadbProcess;
use PHPUnit\Framework\TestCase;
use Symfony\Component\Config\Definition\Processor;
use Symfony\Component\Yaml\Yaml;
use Twig\Environment;
use Twig\Loader\ArrayLoader;
use Twig\TwigFunction;

/**
 * Parses each example in docs/sites with the program that reads it on a site. LaravelTest and SymfonyTest also show the
 * examples of their packages, and test/docs/tickets.test.ts runs the web servers of docs/sites/tickets.md.
 */
final class SiteExamplesTest extends TestCase
{
    private const FOLDER = __DIR__ . '/../../docs/sites';

    /** @dataProvider examples */
    public function testIsAValidExample(string $language, string $text): void
    {
        $check = [
            'php' => self::checkPhp(...),
            // A file of HTML is also a file of PHP.
            'html' => self::checkPhp(...),
            'blade' => self::checkBlade(...),
            'twig' => self::checkTwig(...),
            'smarty' => self::checkSmarty(...),
            'yaml' => self::checkYaml(...),
            'json' => static fn (string $text) => json_decode($text, true, 8, JSON_THROW_ON_ERROR),
            'xml' => static fn (string $text) => self::assertTrue((new \DOMDocument())->loadXML($text)),
            'sql' => self::checkSql(...),
            'sh' => self::checkShell(...),
            // test/docs/tickets.test.ts
            'nginx' => static fn () => null,
            'apache' => static fn () => null,
        ][$language] ?? null;
        self::assertNotNull($check, "No check of the language $language.");
        $check($text);
        $this->addToAssertionCount(1);
    }

    /** @return iterable<string, array{string, string}> */
    public static function examples(): iterable
    {
        foreach (glob(self::FOLDER . '/*.md') as $file) {
            preg_match_all('/^( *)```(\w+)\n(.*?)^\1```$/ms', file_get_contents($file), $found, PREG_SET_ORDER);
            foreach ($found as $n => [, $indent, $language, $text]) {
                yield basename($file) . ', example ' . ($n + 1) . " ($language)" => [$language, preg_replace("/^$indent/m", '', $text)];
            }
        }
    }

    private static function checkPhp(string $text): void
    {
        // An ellipsis stands for code of the site.
        $code = str_replace('…', '', $text);
        if (preg_match('/^(?:#\[|public )/', $code) === 1) {
            $code = "<?php class Example { $code }";
        } elseif (!str_starts_with($code, '<')) {
            $code = "<?php $code";
        }
        // An expression without a statement.
        $code = preg_match('/^<\?php sodium_\w+\([^;]*\)\s*$/', $code) === 1 ? "$code;" : $code;
        token_get_all($code, TOKEN_PARSE);
    }

    private static function checkBlade(string $text): void
    {
        require_once 'Illuminate/View/autoload.php';
        // Components need an application, as in LaravelTest.
        $compiler = new BladeCompiler(new Filesystem(), Folder::temporary());
        $compiler->withoutComponentTags();
        token_get_all($compiler->compileString($text), TOKEN_PARSE);
    }

    private static function checkTwig(string $text): void
    {
        require_once 'Twig/autoload.php';
        $twig = new Environment(new ArrayLoader(['example' => $text]));
        $twig->addFunction(new TwigFunction('php_chat', static fn (array $attributes = [], bool $launcher = false): string => 'php-chat'));
        $login = ['logged_in' => true, 'logged' => true, 'S_REGISTERED_USER' => true];
        self::assertStringContainsString('php-chat', $twig->render('example', $login));
    }

    private static function checkSmarty(string $text): void
    {
        require_once 'smarty4/Smarty.class.php';
        $smarty = new \Smarty();
        $smarty->setCompileDir(Folder::temporary());
        $smarty->assign('customer', ['is_logged' => true, 'is_guest' => false]);
        self::assertStringContainsString('<php-chat', $smarty->fetch("string:$text"));
    }

    private static function checkYaml(string $text): void
    {
        require_once 'Symfony/Component/Yaml/autoload.php';
        require_once 'Symfony/Component/Config/autoload.php';
        ['php_chat' => $settings] = Yaml::parse($text);
        // The other example is a file of routes.
        if (!isset($settings['resource'])) {
            self::assertSame('/chat/', (new Processor())->processConfiguration(new Configuration(), [$settings])['server']);
        }
    }

    private static function checkSql(string $text): void
    {
        $database = DatabaseUrl::parse(MariadbProcess::shared()->url)->connect();
        $database->exec('CREATE TABLE users (id INT, name TEXT, blocked INT)');
        $database->exec('CREATE TABLE logins (token VARCHAR(64), user_id INT, last_used INT)');
        $database->exec($text);
        $database->query('SELECT id, data, last FROM chat_view');
        $database->exec('DROP VIEW chat_view');
        $database->exec('DROP TABLE users, logins');
    }

    private static function checkShell(string $text): void
    {
        $process = proc_open(['sh', '-n'], [['pipe', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes);
        fwrite($pipes[0], $text);
        fclose($pipes[0]);
        self::assertSame('', stream_get_contents($pipes[1]));
        self::assertSame(0, proc_close($process));
    }
}
