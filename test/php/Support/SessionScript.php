<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** A piece of a site run in a PHP process of its own, with the handler set and the visitor's cookie. */
final class SessionScript
{
    private function __construct(
        public readonly string $id,
        public readonly array $session,
        public readonly string $error,
    ) {
    }

    /**
     * @param string|null $cookie the session ID that the visitor's browser sends
     * @param string $code runs after session_start(); an exception's class and message end up in ->error
     * @param array<string, string> $settings of php.ini
     */
    public static function run(?string $cookie, string $code, array $settings = []): self
    {
        $settings += ['session.use_strict_mode' => '1', 'session.serialize_handler' => 'php_serialize'];
        $command = [PHP_BINARY];
        foreach ($settings as $name => $value) {
            array_push($command, '-d', "$name=$value");
        }
        $store = 'memcached://127.0.0.1:' . getenv('MEMCACHED_PORT') . '?prefix=sessions/&format=json';
        $script = [
            'require ' . var_export(dirname(__DIR__, 3) . '/php-app/src/autoload.php', true) . ';',
            '$handler = PhpSessionChat\Session\StoreUrl::handler(' . var_export($store, true) . ');',
            'session_set_save_handler($handler, false);',
            $cookie === null ? '' : '$_COOKIE["PHPSESSID"] = ' . var_export($cookie, true) . ';',
            '$error = ""; $session = [];',
            'try { session_start(); ' . $code . '; session_write_close(); $session = $_SESSION; }',
            'catch (Throwable $e) { $error = get_class($e) . ": " . $e->getMessage(); }',
            'echo json_encode(["id" => session_id(), "session" => $session, "error" => $error]);',
        ];
        array_push($command, '-r', implode("\n", $script));
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes);
        [$output, $warnings] = [stream_get_contents($pipes[1]), stream_get_contents($pipes[2])];
        proc_close($process);
        $result = json_decode($output, true);
        if ($result === null || $warnings !== '') {
            throw new \RuntimeException("The script failed:\n$output\n$warnings");
        }
        return new self($result['id'], $result['session'], $result['error']);
    }
}
