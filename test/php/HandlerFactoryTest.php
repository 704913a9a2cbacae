<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests;

use PhpSessionChat\Session\Handler\EncryptedHandler;
use PhpSessionChat\Session\Handler\FilesHandler;
use PhpSessionChat\Session\Handler\JsonHandler;
use PhpSessionChat\Session\Handler\MemcachedHandler;
use PhpSessionChat\Session\Handler\PdoHandler;
use PhpSessionChat\Session\Handler\RedisHandler;
use PhpSessionChat\Session\Handler\SessionServerHandler;
use PhpSessionChat\Session\HandlerFactory;
use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Tests\Support\Folder;
use PhpSessionChat\Tests\Support\Keys;
use PhpSessionChat\Tests\Support\Thrown;
use PHPUnit\Framework\TestCase;

final class HandlerFactoryTest extends TestCase
{
    use Thrown;

    private const COLUMNS = 'table=sessions&id=id&data=data&expires=expires&format=php_serialize';

    private const OURS = 'HandlerFactory::fromUrl($argv[2]);';

    private const NATIVE = 'NativeHandler::fromUrl($argv[2])->start();';

    /** @dataProvider accepted */
    public function testCreatesTheHandlerForTheStoreInTheUrl(string $url, string $class): void
    {
        self::assertInstanceOf($class, HandlerFactory::fromUrl($url));
    }

    /** @return iterable<array{string, class-string}> */
    public static function accepted(): iterable
    {
        $raw = 'format=php_serialize';
        yield ['memcached://127.0.0.1:11211?prefix=sessions/&format=json', JsonHandler::class];
        yield ['memcached://a:11211/?prefix=x%2Fy+z:&timeout=250ms&lifetime=2h&lock=10&lease=2m', MemcachedHandler::class];
        yield ['memcached://a,b:11212,[::1]:11213?distribution=ketama&weight=1,2,3', MemcachedHandler::class];
        yield ["redis://h:6379/3?prefix=siam_&lifetime=3600&$raw&lock=none", RedisHandler::class];
        yield ["redis://user:p%40ss@h?database=3&timeout=250ms&$raw", RedisHandler::class];
        yield ["rediss://:p@[::1]:6380?$raw", RedisHandler::class];
        yield ["redis:///run/redis/redis.sock?$raw", RedisHandler::class];
        yield ["session-server://h?$raw", SessionServerHandler::class];
        yield ["session-server://[::1]:9091/?timeout=250ms&tls=on&lock=10&lifetime=1h&$raw", SessionServerHandler::class];
        yield ["session-server:///run/sessions.sock?$raw", SessionServerHandler::class];
        yield ["file:///var/lib/php/sessions?depth=0&lifetime=30m&lock=5&$raw", FilesHandler::class];
        yield ['mysql://u:p@h/site?expires_unit=unix&prefix=app:&' . self::COLUMNS, PdoHandler::class];
        yield ['postgres://u:p@h/site?' . strtr(self::COLUMNS, ['=sessions' => '=site.sessions']), PdoHandler::class];
        yield ['postgresql://u:p@h/site?' . self::COLUMNS, PdoHandler::class];
        yield ['sqlite:/srv/site.db?' . self::COLUMNS, PdoHandler::class];
        yield ["memcached://h?layers=decrypt:" . Keys::file(), EncryptedHandler::class];
    }

    /** PHP stores the session of an upload before the page runs, in the format set in php.ini. */
    public function testRejectsUploadProgressInAnotherFormat(): void
    {
        // Newer versions of PHP reject all changes of session settings while upload progress is on.
        $changed = "try { ini_set('session.%s', '%s'); } catch (Error) { } " . self::OURS;
        $folder = Folder::temporary();
        $files = ['save_handler' => 'files', 'save_path' => "2;$folder"];
        $redis = ['save_handler' => 'redis', 'save_path' => 'tcp://127.0.0.1:1?prefix=site_'];
        $format = 'format=php_serialize';
        foreach ([
            [$files, "file://$folder?$format", self::OURS],
            [$files, "file://$folder/.?$format", self::NATIVE],
            // Upload progress used the earlier value.
            [$files, "file://$folder?$format", sprintf($changed, 'serialize_handler', 'php_serialize')],
            [['save_handler' => 'memcached'], 'memcached://h?prefix=memc.sess.key.', self::OURS],
            [$redis, "redis://h?prefix=site_&$format", self::OURS],
            // A visitor's ID can start with the difference of the two prefixes.
            [$files, "file://$folder?prefix=sess_app-&$format", self::OURS],
            [['save_path' => 'tcp://127.0.0.1:1?prefix=site_app-'] + $redis, "redis://h?prefix=site_&$format", self::OURS],
        ] as [$settings, $url, $code]) {
            self::assertStringStartsWith(
                InvalidSettings::class . ': session.upload_progress.enabled must be Off in php.ini',
                self::withUploadProgress($settings, $url, $code),
                $url,
            );
        }
    }

    public function testAcceptsUploadProgressOfOtherSessions(): void
    {
        $folder = Folder::temporary();
        $other = Folder::temporary();
        $files = ['save_handler' => 'files', 'save_path' => $folder];
        $redis = ['save_handler' => 'redis', 'save_path' => 'tcp://127.0.0.1:1?prefix=site_'];
        $memcached = ['save_handler' => 'memcached'];
        self::assertSame('', self::withUploadProgress($files, "file://$folder?format=php", self::OURS));
        foreach ([
            [$files, "'file', 'own_', '$folder'"],
            [$files, "'file', 'sess_', '$other'"],
            [$memcached, "'memcached', 'sessions/', ''"],
            [$redis, "'redis', 'PHPREDIS_SESSION:', ''"],
        ] as [$settings, $sessions]) {
            $check = "PhpSessionChat\Session\Handler\PhpSettings::checkUploads('php_serialize', $sessions);";
            self::assertSame('', self::withUploadProgress($settings, '', $check), $sessions);
        }
        if (self::withUploadProgress($files, '', "ini_set('session.gc_maxlifetime', '100');") !== '') {
            // This version of PHP rejects all changes of session settings while upload progress is on.
            return;
        }
        // On the second start, PHP already has the settings of the URL.
        $twice = '$session = NativeHandler::fromUrl($argv[2]); $session->start(); $session->close(); $session->start();';
        self::assertSame('', self::withUploadProgress($files, "file://$other?format=php_serialize", $twice));
    }

    /**
     * @param array<string, string> $settings session settings in php.ini, besides upload progress and the format `php`
     * @return string class and message of the exception that the code throws, or ''
     */
    private static function withUploadProgress(array $settings, string $url, string $code): string
    {
        $page = 'require $argv[1]; use PhpSessionChat\Session\{HandlerFactory, NativeHandler};'
            . " try { $code } catch (Throwable \$error) { echo \$error::class, ': ', \$error->getMessage(); }";
        $options = [];
        foreach ($settings + [
            'upload_progress.enabled' => 'On',
            'serialize_handler' => 'php',
            'use_cookies' => '0',
        ] as $name => $value) {
            array_push($options, '-d', "session.$name=\"$value\"");
        }
        $arguments = [dirname(__DIR__, 2) . '/php/autoload.php', $url];
        $process = proc_open([PHP_BINARY, ...$options, '-r', $page, '--', ...$arguments], [1 => ['pipe', 'w']], $pipes);
        $thrown = stream_get_contents($pipes[1]);
        proc_close($process);
        return $thrown;
    }

    /** @dataProvider refused */
    public function testRejectsAnInvalidUrlWithoutQuotingSecrets(string $url, string $message): void
    {
        $error = self::thrown(InvalidSettings::class, fn () => HandlerFactory::fromUrl($url));
        self::assertStringContainsString($message, $error->getMessage());
        self::assertStringNotContainsString('secret', $error->getMessage());
    }

    /** @return iterable<array{string, string}> */
    public static function refused(): iterable
    {
        yield ['', 'not a URL'];
        yield ['127.0.0.1:11211', 'not a URL'];
        yield ['http://h?format=json', 'cannot write sessions to this kind'];
        yield ['session-server://', 'one server'];
        yield ['session-server://h,g', 'one server'];
        yield ['session-server://:secret@h', 'no user'];
        yield ['session-server://h?lock=5&lease=60', 'lease= is not an option'];
        yield ['session-server://h?prefix=x', 'prefix= is not an option'];
        yield ['session-server://h?ca=/etc/ca.pem', 'ca= is not an option'];
        yield ['session-server://h?tls=on&ca=/nowhere/ca.pem', 'ca=/nowhere/ca.pem is not a file with a certificate'];
        yield ['session-server:///run/sessions.sock?tls=on', 'cannot use TLS'];
        yield ['session-server://h?auth_file=/nowhere/secret', 'is empty or cannot be read'];
        yield ['session-server://h?auth_file=/etc', 'is empty or cannot be read'];
        yield ['session-server://h?auth_file=' . __FILE__, 'without blanks'];
        yield ["memcached://h:1?format=json\n", 'format= must be one of'];
        yield ['memcached://h:1?handler=memcached', 'NativeHandler'];
        yield ['memcached://h:1?format=json&prefix[]=x', 'this session store does not have'];
        yield ['redis://user:123?secret@h', 'in a password @ : / ? are %40 %3A %2F %3F'];
        yield ['redis://user:123?a&secret=4@h&format=json', 'in a password @ : / ? are %40 %3A %2F %3F'];
        yield ['redis://h?secret-4', 'this session store does not have'];
        yield ['memcached://h:1?format=wddx', 'format= must be one of json, php, '];
        yield ['memcached://h:1/0?format=json', 'without a path'];
        yield ['memcached://h:0?format=json', 'HOST:PORT'];
        yield ['memcached://user:secret@h:1?format=json', 'must not have a user'];
        yield ['memcached://?format=json', 'needs servers'];
        yield ['memcached://h?timeout=9s', 'timeout= must be'];
        yield ['memcached://h?distribution=memcache', 'distribution= must be one of modula, ketama, ketama_weighted'];
        yield ['memcached://h,g?weight=1,2,3', 'weight= must be'];
        yield ['memcached://h?redundancy=2', 'redundancy= is not an option'];
        yield ['memcached://h?prefix=a%20b', 'prefix= must be'];
        yield ['memcached://h?prefix=a%0d%0aflush_all', 'prefix= must be'];
        yield ['memcached://h?lock=0', 'lock= must be'];
        yield ['memcached://h?lock=601', 'lock'];
        yield ['memcached://h?lock=5&lease=2d', 'lease'];
        yield ['memcached://h?lifetime=0', 'lifetime'];
        yield ['memcached://h?lifetime=999d', 'lifetime'];
        yield ['memcached://h?layers=base64', 'layers= must be decrypt:KEYFILE'];
        yield ['memcached://h?layers=decrypt:/nowhere/keys', 'the key file /nowhere/keys cannot be read'];
        yield ['redis://:secret@h,g', 'one server'];
        yield ['redis://secret@h', 'needs a password'];
        yield ['redis://h/site', 'database'];
        yield ['redis://h/3?database=4', 'database'];
        yield ['redis://h?ca=/etc/ca.pem&format=json', 'ca= is not an option'];
        yield ['rediss://h?ca=/nowhere/ca.pem', 'ca=/nowhere/ca.pem is not a file with a certificate'];
        yield ['file://var/lib/php/sessions', 'three slashes'];
        yield ['file:///srv/sessions?depth=2', 'depth= must be 0'];
        yield ['file:///srv/sessions?prefix=../sess_&format=json', 'must not contain a /'];
        yield ['file:///srv/sessions?lock=5&lease=60&format=json', 'lease= is not an option'];
        yield ['mysql://u:secret@h/site?table=sessions&id=id&data=data&last=last', 'expires= is missing'];
        yield ['mysql://u:secret@h/site?table=sessions;&id=id&data=data&expires=expires', 'table= must be a name'];
        yield ['mysql://u:secret@h/site?expires_unit=datetime&' . self::COLUMNS, 'expires_unit= must be unix'];
        yield ['postgres://u:secret@h/site?last_unit=unix&' . self::COLUMNS, 'last_unit= is not an option'];
        yield ['postgres://:secret@h/site?' . self::COLUMNS, 'user'];
    }
}
