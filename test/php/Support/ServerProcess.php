<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * A server that logs to a file in a folder of its own. It ends, and its folder is removed, with the test run at the
 * latest, even when the run is killed.
 */
class ServerProcess
{
    /** @var list<resource> */
    private static array $signs = [];

    /** @var resource */
    private $process;

    /**
     * Starts it, and waits until it is ready.
     *
     * @param list<string> $command a list, not a string: without a shell, the process ID is the server's own
     * @param string $folder made by folder()
     * @param string|\Closure(): bool $ready a text in its log, or a check
     * @param string|null $user the user as whom root runs it
     */
    public function __construct(
        array $command,
        public readonly string $folder,
        string|\Closure $ready,
        ?string $user = null,
    ) {
        $log = "$folder/log";
        $out = ['file', $log, 'a'];
        $as = $user !== null && posix_getuid() === 0 ? ["--reuid=$user", "--regid=$user", '--clear-groups'] : [];
        // setpriv becomes the server itself.
        $wrapped = ['setpriv', ...$as, '--pdeathsig=SIGQUIT', '--', ...$command];
        $process = @proc_open($wrapped, [0 => ['file', '/dev/null', 'r'], 1 => $out, 2 => $out], $pipes, $folder);
        if ($process === false) {
            throw new \RuntimeException("$command[0] cannot be started.");
        }
        $this->process = $process;
        register_shutdown_function($this->end(...));
        $isReady = is_string($ready)
            ? static fn (): bool => str_contains((string) file_get_contents($log), $ready)
            : $ready;
        for ($until = microtime(true) + 60; microtime(true) < $until; usleep(5000)) {
            if ($isReady()) {
                return;
            }
            if (!proc_get_status($process)['running']) {
                break;
            }
        }
        throw new \RuntimeException("$command[0] is not ready:\n" . file_get_contents($log));
    }

    /**
     * Stops the server without ending it: the kernel accepts connections, and nothing answers. The children of
     * PostgreSQL, which are its open connections, keep running.
     */
    public function pause(): void
    {
        proc_terminate($this->process, SIGSTOP);
        // Its threads stop a moment after the signal is sent, and could still answer until then.
        while (!proc_get_status($this->process)['stopped']) {
            usleep(1000);
        }
    }

    public function resume(): void
    {
        proc_terminate($this->process, SIGCONT);
    }

    public function end(): void
    {
        if (!is_resource($this->process)) {
            return;
        }
        // SIGQUIT also ends the children of PostgreSQL, which SIGKILL would not.
        proc_terminate($this->process, SIGQUIT);
        proc_terminate($this->process, SIGCONT);
        for ($until = microtime(true) + 3; microtime(true) < $until; usleep(2000)) {
            if (!proc_get_status($this->process)['running']) {
                break;
            }
        }
        proc_terminate($this->process, SIGKILL);
        proc_close($this->process);
    }

    /**
     * A port without a listener. It is reserved for this process until it ends: no other test gets it. An abstract Unix
     * socket of that name is the reservation, as for the tests in TypeScript (`ownPort` in test/helpers/child.ts).
     */
    public static function ownPort(): int
    {
        for (;;) {
            $port = random_int(10_081, 20_080);
            $sign = @stream_socket_server("unix://\0php-session-chat-test-port-$port");
            if ($sign === false) {
                continue;
            }
            self::$signs[] = $sign;
            $probe = @stream_socket_server("tcp://127.0.0.1:$port");
            if ($probe !== false) {
                fclose($probe);
                return $port;
            }
        }
    }

    /** A new folder. Root gives it to the user of the server's Debian package. */
    public static function folder(string $user = 'root'): string
    {
        $folder = Folder::temporary();
        if (posix_getuid() === 0) {
            chown($folder, $user);
        }
        return $folder;
    }

    /** A certificate for 127.0.0.1, its own authority, in the folder: `tls.pem` and `tls.key`, for the folder's owner. */
    public static function certificate(string $folder): void
    {
        $files = ['-keyout', "$folder/tls.key", '-out', "$folder/tls.pem"];
        $name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
        $kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
        self::run(['openssl', 'req', '-x509', ...$kind, ...$name, ...$files], 'openssl');
        chmod("$folder/tls.key", 0600);
        if (posix_getuid() === 0) {
            chown("$folder/tls.key", fileowner($folder));
        }
    }

    /**
     * The command that starts a server of this project. In a run that has made bundles (test/helpers/make-bundles.ts) it is
     * the bundle: it starts in a third of the time.
     *
     * @param string $subcommand of `php-session-chat`
     * @param list<string> $environment as `NAME=VALUE`
     * @return list<string>
     */
    protected static function program(string $subcommand, array $environment): array
    {
        $root = __DIR__ . '/../../..';
        $bundles = getenv('TEST_BUNDLES');
        return [
            'env', "NODE_COMPILE_CACHE=$root/node_modules/.cache/node", ...$environment, "$root/node_modules/.bin/node",
            $bundles === false ? "$root/server/command/main.ts" : "$bundles/server/command/main.mjs", $subcommand,
        ];
    }

    /** As `makeOnce` in test/helpers/kept-folder.ts: what takes the program a second is made once, and copied then. */
    protected static function makeOnce(string $folder, string $program, \Closure $make): void
    {
        $kept = __DIR__ . '/../../../node_modules/.cache/folders/' . strtr($program, '/', '-') . '-' . filemtime($program) . '000';
        if (!is_dir($kept)) {
            $make();
            @mkdir(dirname($kept), recursive: true);
            $own = "$kept." . getmypid();
            self::run(['cp', '-a', '--sparse=always', $folder, $own], 'coreutils');
            // Another test may have been faster.
            @rename($own, $kept) || self::run(['rm', '-rf', $own], 'coreutils');
            return;
        }
        self::run(['cp', '-a', '--sparse=always', $kept, $folder], 'coreutils');
    }

    /** @param list<string> $command */
    public static function run(array $command, string $package, ?string $folder = null): void
    {
        $process = @proc_open($command, [1 => ['file', '/dev/null', 'w'], 2 => ['pipe', 'w']], $pipes, $folder);
        $errors = $process === false ? '' : stream_get_contents($pipes[2]);
        if ($process === false || proc_close($process) !== 0) {
            throw new \RuntimeException("$command[0] failed: is the Debian package $package installed?\n$errors");
        }
    }
}
