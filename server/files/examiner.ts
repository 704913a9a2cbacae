import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';

/** What the process is asked. */
export interface Task {
  path: string;
  /** Types that are taken: `image/*`, `application/pdf`. */
  types: readonly string[];
}

/** What it answers. */
export type Examined =
  | { type: string; made?: MadePicture }
  /** It is of a type that is not taken, or a picture beyond the bounds. */
  | { refused: true }
  /** A code of the system, or that the file cannot be read as what it is. */
  | { failed: string };

/** A picture that was made anew. */
export interface MadePicture {
  path: string;
  preview: string;
  /** Bytes. */
  size: number;
  width: number;
  height: number;
  blur: string;
}

/** Milliseconds for one file, and for the process to be there. */
const longest = 20_000;
const longestStart = 30_000;
/** Without anything to do, the process ends after so many milliseconds: it takes 70 MB. */
const idleFor = 60_000;

interface Waiting {
  user: string;
  task: Task;
  resolve(found: Examined): void;
  reject(error: Error): void;
}

/** Has files examined, one after the other, by a process that may die of any of them. */
export class Examiner {
  #process: Promise<ChildProcess> | undefined;
  readonly #waiting: Waiting[] = [];
  #busy = false;
  #lastUser: string | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param user whose file it is: those of several users take turns
   * @throws Error if no process can be started
   */
  examine(user: string, task: Task): Promise<Examined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ user, task, resolve, reject });
      this.#next();
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#process?.then(
      (child) => child.kill('SIGKILL'),
      () => {},
    );
  }

  #next(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    const other = this.#waiting.findIndex(({ user }) => user !== this.#lastUser);
    const [next] = this.#waiting.splice(Math.max(other, 0), 1);
    if (next === undefined) return;
    this.#busy = true;
    this.#lastUser = next.user;
    clearTimeout(this.#idle);
    this.#run(next.task)
      .then(next.resolve, next.reject)
      .finally(() => {
        this.#busy = false;
        this.#idle = setTimeout(() => this.#end(), idleFor).unref();
        this.#next();
      });
  }

  async #run(task: Task): Promise<Examined> {
    if (this.#closed) throw new Error('the server is shutting down');
    this.#process ??= start();
    const starting = this.#process;
    const child = await starting.catch((error: Error) => {
      this.#process = undefined;
      throw error;
    });
    if (!isAlive(child)) {
      this.#process = undefined;
      return this.#run(task);
    }
    return new Promise((resolve) => {
      // What a file does to the process says something about the file alone.
      const late = setTimeout(() => child.kill('SIGKILL'), longest);
      const onExit = () => done({ failed: 'ended' });
      const done = (found: Examined) => {
        clearTimeout(late);
        child.off('message', done);
        child.off('exit', onExit);
        resolve(found);
      };
      child.on('message', done);
      child.on('exit', onExit);
      child.send(task);
    });
  }

  #end(): void {
    const ending = this.#process;
    this.#process = undefined;
    ending?.then(
      (child) => child.kill('SIGKILL'),
      () => {},
    );
  }
}

const isAlive = (child: ChildProcess): boolean =>
  child.connected && child.exitCode === null && child.signalCode === null;

function start(): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const file = new URL(`./examine${extname(import.meta.url)}`, import.meta.url);
    const { NODE_COMPILE_CACHE, PATH, TMPDIR } = process.env;
    // The settings have keys and passwords: nothing of them is for it.
    const env = Object.fromEntries(
      Object.entries({ NODE_COMPILE_CACHE, PATH, TMPDIR }).filter(([, value]) => value !== undefined),
    );
    // Loaded here: most servers get along without it for long.
    const { fork } = process.getBuiltinModule('node:child_process');
    const child = fork(file, { env, execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const fail = () => {
      clearTimeout(late);
      reject(
        new Error('the process that examines files cannot be started: is sharp installed for this system?'),
      );
    };
    const late = setTimeout(() => child.kill('SIGKILL'), longestStart);
    child.once('error', fail);
    child.once('exit', fail);
    child.once('message', () => {
      clearTimeout(late);
      child.off('exit', fail);
      // A server that ends does not wait for it.
      child.unref();
      child.channel?.unref();
      resolve(child);
    });
  });
}
