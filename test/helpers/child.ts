import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

export { freePort as ownPort } from '../../scripts/ports.mjs';

export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Everything written to standard output and standard error so far. */
  output(): string;
  /** Resolves with the first match in the output, from this index on. Rejects if the process ends before that. */
  until(pattern: RegExp, from?: number): Promise<RegExpExecArray>;
  /** Sends a signal to the whole process group. After SIGSTOP, returns once the process has stopped. */
  signal(name: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. @returns the exit code, or the signal's name */
  stop(name?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** Node's compile cache for all servers that tests start, because compiling takes much of a start. */
const compiled = { NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/node') };

const root = join(import.meta.dirname, '../..');

/**
 * Returns the arguments with the bundle instead of the source of a program, because the bundle starts faster. Returns
 * them unchanged if there are no bundles (see make-bundles.ts), as in a benchmark, or if a test imports code into the
 * program that depends on the names of the sources.
 */
export function bundled(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): string[] {
  const { TEST_BUNDLES: bundles } = process.env;
  const needsSources = env.NODE_OPTIONS?.includes('--import') && env.FAULTY_DISK_BUNDLED === undefined;
  if (bundles === undefined || needsSources) return [...args];
  return args.map((arg) => {
    const source = /^((?:server|session-server|test\/helpers)\/.*)\.ts$/.exec(
      relative(root, resolve(cwd, arg)),
    );
    const bundle = join(bundles, `${source?.[1]}.mjs`);
    return source !== null && existsSync(bundle) ? bundle : arg;
  });
}

const running = new Set<Child>();
process.on('exit', () => {
  for (const child of running) child.signal('SIGKILL');
});
// Vitest ends its workers by SIGTERM, whose default action would skip the handler above.
process.on('SIGTERM', () => process.exit(143));

/**
 * Waits until all threads of a process have stopped. On a busy machine they continue for a while and could still answer
 * a test.
 */
export function untilStopped(pid: number): void {
  const threads = `/proc/${pid}/task`;
  const isRunning = (thread: string) => {
    try {
      return /\) [RSD] /.test(readFileSync(join(threads, thread, 'stat'), 'latin1'));
    } catch {
      // The thread has ended.
      return false;
    }
  };
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(threads) && readdirSync(threads).some(isRunning)) Atomics.wait(clock, 0, 0, 1);
}

/** Starts a real process in its own process group, so that children it forks (php -S workers) end with it. */
export function startChild(command: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const env = { ...compiled, ...(options.env ?? process.env) };
  const child = spawn(command, bundled(args, String(options.cwd ?? '.'), env), {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...options,
    env,
  });
  let text = '';
  const waiting = new Set<() => void>();
  let failure: Error | undefined;
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const check of waiting) check();
    });
  }
  child.on('error', (error) => {
    failure = new Error(`${command} could not be started: is its Debian package installed?`, {
      cause: error,
    });
    for (const check of waiting) check();
  });
  child.on('close', () => {
    ended = true;
    running.delete(self);
    for (const check of waiting) check();
  });

  const self: Child = {
    process: child,
    get pid() {
      if (child.pid === undefined) throw failure ?? new Error(`${command} has no pid`);
      return child.pid;
    },
    output: () => text,
    until(pattern, from = 0) {
      return new Promise((resolve, reject) => {
        const check = () => {
          const match = pattern.exec(text.slice(from));
          if (match === null && !ended && failure === undefined) return;
          waiting.delete(check);
          if (match !== null) resolve(match);
          else reject(failure ?? new Error(`${command} ended before ${pattern}:\n${text}`));
        };
        waiting.add(check);
        check();
      });
    },
    signal(name) {
      if (child.pid === undefined || ended) return;
      try {
        process.kill(-child.pid, name);
        if (name === 'SIGSTOP') untilStopped(child.pid);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    },
    async stop(name = 'SIGTERM') {
      if (!ended && child.pid !== undefined) {
        const closed = once(child, 'close');
        self.signal(name);
        // A stopped process handles signals only once it continues.
        if (name !== 'SIGSTOP') self.signal('SIGCONT');
        await closed;
      }
      return child.exitCode ?? child.signalCode;
    },
  };
  running.add(self);
  return self;
}
