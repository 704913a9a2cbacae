<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/**
 * A server with its own folder, where it logs to a file. The server ends and the folder is removed with the test run at
 * the latest, even if the run is killed.
 */
class ServerProcess
{
    /** @var list<resource> */
    private static array $signs = [];

    /** @var resource */
    private $process;

    /**
     * Starts the server and waits until it is ready.
     *
     * @param list<string> $command a list, so that the process ID is the server's and not a shell's
     * @param string $folder created by folder()
     * @param string|\Closure(): bool $ready a text in its log, or a check
     * @param string|null $user the user for the server if the tests run as root
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
        // setpriv replaces itself with the server. In Turkish, it does not know the name SIGQUIT.
        $wrapped = ['setpriv', ...$as, '--pdeathsig=QUIT', '--', ...$command];
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
     * Suspends the server: the kernel accepts connections, but nothing responds. PostgreSQL's open connections are child
     * processes and keep running.
     */
    public function pause(): void
    {
        proc_terminate($this->process, SIGSTOP);
        // Its threads stop shortly after the signal, and could respond until then.
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
        // SIGQUIT also ends PostgreSQL's child processes, unlike SIGKILL.
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
     * A port without a listener, reserved for this process. An abstract Unix socket marks the reservation, like `ownPort` in
     * test/helpers/child.ts for the TypeScript tests.
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

    /** Creates a folder. Root assigns it to the user of the server's Debian package. */
    public static function folder(string $user = 'root'): string
    {
        $folder = Folder::temporary();
        if (posix_getuid() === 0) {
            chown($folder, $user);
        }
        return $folder;
    }

    /** Creates a self-signed certificate for 127.0.0.1 for the folder's owner: `tls.pem` and `tls.key`. */
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
     * The command that starts a server of this project. After test/helpers/make-bundles.ts it uses the bundle, which starts
     * faster.
     *
     * @param string $subcommand a subcommand of `php-session-chat`
     * @param list<string> $environment `NAME=VALUE`
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

    /** Creates a slow-to-create folder once and then copies it, like `makeOnce` in test/helpers/kept-folder.ts. */
    protected static function makeOnce(string $folder, string $program, \Closure $make): void
    {
        $kept = __DIR__ . '/../../../node_modules/.cache/folders/' . strtr($program, '/', '-') . '-' . filemtime($program) . '000';
        if (!is_dir($kept)) {
            $make();
            @mkdir(dirname($kept), recursive: true);
            $own = "$kept." . getmypid();
            self::run(['cp', '-a', '--sparse=always', $folder, $own], 'coreutils');
            // Another test may have created it already.
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
