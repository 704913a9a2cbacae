import type { ChildProcess } from 'node:child_process';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Milliseconds for a start on a busy machine. */
const startTimeoutMs = 30_000;

/**
 * The users of separate processes if the server runs as root. Packages, service managers and container images (65532) do
 * not use these numbers. Each process has its own, so that it cannot touch the others.
 */
const userIds = { types: 65_529, pictures: 65_530, pages: 65_531 } as const;

/** What a separate process does. */
type Kind = keyof typeof userIds;

/**
 * Node's permissions. Files can be read from the program alone, and neither programs nor native code can be started.
 * The WebAssembly of sharp needs threads.
 */
const permissions: Record<Kind, readonly string[]> = {
  types: [],
  pictures: ['--allow-worker', '--disable-warning=PERM0006'],
  pages: ['--allow-net'],
};

/** No core dumps, no bytes in files, and few open files. */
const limits = 'ulimit -c 0; ulimit -f 0; ulimit -n 256;';
/** The sandbox sets `no_new_privs` itself. Not every system has `setpriv`. */
const withoutSandbox = 'p=$(command -v setpriv) && exec "$p" --no-new-privs "$0" "$@"; exec "$0" "$@"';
/** Not every build of Node can make the native calls, and not every service allows them. */
let hasSandbox = process.platform === 'linux' && isBuiltin('node:ffi');
let onSandboxForbidden = () => {};
/** The listener is called once if the service manager forbids the system calls of the sandbox. */
export const whenSandboxForbidden = (listener: () => void): void => {
  onSandboxForbidden = listener;
};

let rootStays: Promise<boolean> | undefined;

/** Whether separate processes run as root, because their own users cannot be used here or cannot read the program. */
export function isSeparateRoot(): Promise<boolean> {
  rootStays ??= new Promise<boolean>((resolve) => {
    if (process.getuid?.() !== 0) return resolve(false);
    const { execFile } = process.getBuiltinModule('node:child_process');
    const check = 'test -x "$0" || exit; for path; do test -r "$path" || exit; done';
    const user = { uid: userIds.types, gid: userIds.types };
    const paths = readable().filter((path) => existsSync(path));
    execFile('/bin/sh', ['-c', check, process.execPath, ...paths], user, (error) => resolve(error !== null));
    // Without the right to become another user, or in a user namespace without these users, the call throws.
  }).catch(() => true);
  return rootStays;
}

/**
 * Starts a module as a process of its own, for input that may be hostile. The process can read the program's own files,
 * and nothing else of this machine: docs/security.md says what holds it back. It must send a message when it is ready,
 * and end when the channel closes. It does not keep this process from ending.
 * @param options Node's
 * @throws Error if it does not start
 */
export async function startSeparate(
  module: URL,
  kind: Kind,
  options = optionsOf(module, kind),
): Promise<ChildProcess> {
  const user = process.getuid?.() === 0 && !(await isSeparateRoot()) ? userIds[kind] : undefined;
  const command = [module, kind, options, user] as const;
  return start(...command).catch((error: Error) => {
    // A filter of system calls that the service manager has set.
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
    // The environment holds keys and passwords, which this process must not get.
    const env = {
      ...(PATH === undefined ? {} : { PATH }),
      // libvips keeps large pictures in memory, because it has no files.
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
            // The sandbox hands the channel on to the Node that it starts.
            `${limits} export SEPARATE_CHANNEL=$NODE_CHANNEL_FD; unset NODE_CHANNEL_FD; exec "$0" "$@"`,
            process.execPath,
            pathOf('enter-sandbox'),
            ...options,
          ]
        : ['-c', `${limits} ${withoutSandbox}`, process.execPath, ...options],
      // Sends buffers as they are.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    endFirst(child);
    const fail = (_: unknown, signal?: NodeJS.Signals) => {
      clearTimeout(late);
      reject(new Error(`the process ${module.pathname} does not start`, { cause: signal }));
    };
    const late = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs);
    // Stays, because a message to a process that has just ended is an error.
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

/** The files of the program and of its packages. */
function readable(): string[] {
  const program = dirname(dirname(pathOf('confined')));
  const paths = [program];
  for (let folder = program; folder !== dirname(folder); ) {
    folder = dirname(folder);
    const modules = join(folder, 'node_modules');
    paths.push(join(folder, 'package.json'), modules);
    // It may be a link.
    if (existsSync(modules)) paths.push(realpathSync(modules));
  }
  return paths;
}

export function optionsOf(module: URL, kind: Kind): string[] {
  return [
    '--permission',
    ...[...readable(), fileURLToPath(module)].map((path) => `--allow-fs-read=${path}`),
    ...permissions[kind],
    // It opens files without asking for the permission.
    '--no-experimental-sqlite',
    '--disallow-code-generation-from-strings',
    '--disable-sigusr1',
    `--import=${pathToFileURL(pathOf('confined'))}`,
  ];
}

/** Where memory runs out, the kernel ends this process before all others, such as the server. */
function endFirst({ pid }: ChildProcess): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // Linux alone has that file, and only of a process that has started.
  }
}

export const isAlive = (child: ChildProcess): boolean =>
  child.connected && child.exitCode === null && child.signalCode === null;
