import type { ChildProcess } from 'node:child_process';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
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

/**
 * No core dumps, no bytes in files, few open files, and no program that it could start gives it more rights. Not every
 * system has `setpriv`.
 */
const launcher =
  'ulimit -c 0; ulimit -f 0; ulimit -n 256; p=$(command -v setpriv) && exec "$p" --no-new-privs "$0" "$@"; exec "$0" "$@"';

/**
 * Starts a module as a process of its own, for input that may be hostile. The process can read the program's own files,
 * and nothing else of this machine: docs/security.md says what holds it back. It must send a message when it is ready,
 * and end when the channel closes. It does not keep this process from ending.
 * @throws Error if it does not start
 */
export async function startSeparate(module: URL, kind: Kind): Promise<ChildProcess> {
  if (process.getuid?.() !== 0) return start(module, kind, undefined);
  // Other users may not be able to read the program, or do not exist in this container.
  return start(module, kind, userIds[kind]).catch(() => start(module, kind, undefined));
}

function start(module: URL, kind: Kind, user: number | undefined): Promise<ChildProcess> {
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
      execArgv: ['-c', launcher, process.execPath, ...optionsOf(module, kind)],
      // Sends buffers as they are.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    endFirst(child);
    const fail = () => {
      clearTimeout(late);
      reject(new Error(`the process ${module.pathname} does not start`));
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

function optionsOf(module: URL, kind: Kind): string[] {
  const confined = new URL(`./confined${extname(import.meta.url)}`, import.meta.url);
  const program = dirname(dirname(fileURLToPath(confined)));
  const readable = [program, fileURLToPath(module)];
  for (let folder = program; folder !== dirname(folder); ) {
    folder = dirname(folder);
    const modules = join(folder, 'node_modules');
    readable.push(join(folder, 'package.json'), modules);
    // It may be a link.
    if (existsSync(modules)) readable.push(realpathSync(modules));
  }
  return [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    ...permissions[kind],
    // It opens files without asking for the permission.
    '--no-experimental-sqlite',
    '--disallow-code-generation-from-strings',
    `--import=${pathToFileURL(fileURLToPath(confined))}`,
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
