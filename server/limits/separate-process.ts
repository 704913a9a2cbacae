import type { ChildProcess } from 'node:child_process';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A longer start (ms) counts as hanging. On a busy machine, starts take many times longer than usual. */
const startTimeoutMs = 120_000;

/**
 * The user IDs of separate processes if the server runs as root. Packages, service managers and container images
 * (65532) do not use these IDs. Each kind has its own ID, so that it cannot affect the others.
 */
const userIds = { mails: 65_527, slow: 65_528, types: 65_529, pictures: 65_530, pages: 65_531 } as const;

/** The kinds of separate processes. */
type Kind = keyof typeof userIds;

/** The WebAssembly of sharp needs threads. */
const ofSharp = ['--allow-worker', '--disable-warning=PERM0006'];
/**
 * Additional permissions of Node. Without them, a process can only read the program's files, and can start neither
 * programs nor native code.
 */
const permissions: Record<Kind, readonly string[]> = {
  mails: [],
  types: [],
  pictures: ofSharp,
  slow: ofSharp,
  pages: ['--allow-net'],
};

/** No core dumps, no bytes written to files, and few open files. */
const limits = 'ulimit -c 0; ulimit -f 0; ulimit -n 256;';
/** The sandbox sets `no_new_privs` itself. Not every system has `setpriv`. */
const withoutSandbox = 'p=$(command -v setpriv) && exec "$p" --no-new-privs "$0" "$@"; exec "$0" "$@"';
/** Not every build of Node supports native calls, and not every service allows them. */
let hasSandbox = process.platform === 'linux' && isBuiltin('node:ffi');
let onSandboxForbidden = () => {};
/** Sets the listener that is called once if the service manager forbids the system calls of the sandbox. */
export const whenSandboxForbidden = (listener: () => void): void => {
  onSandboxForbidden = listener;
};

let rootStays: Promise<boolean> | undefined;

/**
 * Whether separate processes run as root, because their own user IDs cannot be used here or cannot read the program.
 */
export function isSeparateRoot(): Promise<boolean> {
  rootStays ??= new Promise<boolean>((resolve) => {
    if (process.getuid?.() !== 0) return resolve(false);
    const { execFile } = process.getBuiltinModule('node:child_process');
    const check = 'test -x "$0" || exit; for path; do test -r "$path" || exit; done';
    const user = { uid: userIds.types, gid: userIds.types };
    const paths = readable().filter((path) => existsSync(path));
    execFile('/bin/sh', ['-c', check, process.execPath, ...paths], user, (error) => resolve(error !== null));
    // The call throws without the right to change the user, or in a user namespace without these IDs.
  }).catch(() => true);
  return rootStays;
}

/**
 * Starts a module in a separate process, for input that may be hostile. The process can read the program's own files,
 * and nothing else on this machine (see docs/security.md). The module must send a message when it is ready, and exit
 * when the channel closes. The process does not keep the server running.
 * @param options the options of Node
 * @throws Error if the process does not start
 */
export async function startSeparate(
  module: URL,
  kind: Kind,
  options = optionsOf(module, kind),
): Promise<ChildProcess> {
  const user = process.getuid?.() === 0 && !(await isSeparateRoot()) ? userIds[kind] : undefined;
  const command = [module, kind, options, user] as const;
  return start(...command).catch((error: Error) => {
    // The system call filter of the service manager ended the process.
    if (error.cause !== 'SIGSYS') throw error;
    if (hasSandbox) onSandboxForbidden();
    hasSandbox = false;
    return start(...command);
  });
}

function start(
  module: URL,
  kind: Kind,
  options: readonly string[],
  user: number | undefined,
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const { PATH } = process.env;
    // The environment contains keys and passwords, which the separate process must not get.
    const env = {
      ...(PATH === undefined ? {} : { PATH }),
      // libvips keeps large pictures in memory, because the process cannot write files.
      VIPS_DISC_THRESHOLD: '4g',
    };
    // Loaded on demand, since most servers rarely need it.
    const { fork } = process.getBuiltinModule('node:child_process');
    const child = fork(module, [kind], {
      ...(user === undefined ? {} : { uid: user, gid: user }),
      cwd: '/',
      env,
      execPath: '/bin/sh',
      execArgv: hasSandbox
        ? [
            '-c',
            // The sandbox passes the channel to the Node process that it starts.
            `${limits} export SEPARATE_CHANNEL=$NODE_CHANNEL_FD; unset NODE_CHANNEL_FD; exec "$0" "$@"`,
            process.execPath,
            pathOf('enter-sandbox'),
            ...options,
          ]
        : ['-c', `${limits} ${withoutSandbox}`, process.execPath, ...options],
      // Sends buffers without conversion.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    endFirst(child);
    const fail = (_: unknown, signal?: NodeJS.Signals) => {
      clearTimeout(late);
      reject(new Error(`the process ${fileURLToPath(module)} does not start`, { cause: signal }));
    };
    const late = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs);
    // Stays registered, because a message to a process that just ended causes an error.
    child.on('error', fail);
    child.once('exit', fail);
    child.once('message', () => {
      clearTimeout(late);
      child.off('exit', fail);
      child.unref();
      child.channel?.unref();
      resolve(child);
    });
  });
}

const pathOf = (name: string) =>
  fileURLToPath(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url));

/** Returns the files of the program and of its packages. */
function readable(): string[] {
  const program = dirname(dirname(pathOf('confined')));
  const paths = [program];
  for (let folder = program; folder !== dirname(folder); ) {
    folder = dirname(folder);
    const modules = join(folder, 'node_modules');
    paths.push(join(folder, 'package.json'), modules);
    // `modules` may be a symbolic link.
    if (existsSync(modules)) paths.push(realpathSync(modules));
  }
  return paths;
}

export function optionsOf(module: URL, kind: Kind): string[] {
  return [
    '--permission',
    ...[...readable(), fileURLToPath(module)].map((path) => `--allow-fs-read=${path}`),
    ...permissions[kind],
    // SQLite opens files without checking the permission.
    '--no-experimental-sqlite',
    '--disallow-code-generation-from-strings',
    '--disable-sigusr1',
    `--import=${pathToFileURL(pathOf('confined'))}`,
  ];
}

/** Makes the kernel end this process before all others, such as the server, if memory runs out. */
function endFirst({ pid }: ChildProcess): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // The file exists only on Linux, and only for a process that has started.
  }
}

export const isAlive = (child: ChildProcess): boolean =>
  child.connected && child.exitCode === null && child.signalCode === null;
