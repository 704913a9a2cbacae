import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** Milliseconds for a start on a busy machine. */
const longest = 30_000;

/**
 * Starts a module as a process of its own, for input that may be hostile: it can only harm that process. It must send a
 * message when it is ready, and end when the channel closes. It does not keep this process from ending.
 * @param threads those in which Node looks up names, reads files and decompresses; 4 without it
 * @throws Error if it does not start
 */
export function startSeparate(
  module: URL,
  { args = [], threads }: { args?: readonly string[]; threads?: number } = {},
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const { NODE_COMPILE_CACHE, PATH, TMPDIR } = process.env;
    // The environment holds keys and passwords, which this process must not get.
    const given = { NODE_COMPILE_CACHE, PATH, TMPDIR, UV_THREADPOOL_SIZE: threads?.toString() };
    const env = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    // Loaded on demand, since most servers rarely need it.
    const { fork } = process.getBuiltinModule('node:child_process');
    const child = fork(module, args, {
      env,
      execArgv: [],
      // Sends buffers as they are.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    endFirst(child);
    const fail = () => {
      clearTimeout(late);
      reject(new Error(`the process ${module.pathname} does not start`));
    };
    const late = setTimeout(() => child.kill('SIGKILL'), longest);
    child.once('error', fail);
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
