import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { isAlive, startSeparate } from '../limits/separate-process.ts';
import { Waiting } from '../limits/waiting.ts';
import { RequestError } from '../wire/errors.ts';
import type { Media } from './media.ts';

/** A request to an examining process. */
export interface Task {
  path: string;
  /** Accepted types: `image/*`, `application/pdf`. */
  types: readonly string[];
  /** The type of a picture to re-encode. */
  type?: string;
  /** Only a small picture is wanted: pixels of its longer side. */
  side?: number;
  /** The largest re-encoded picture. */
  maxBytes: number;
}

/** The answer of an examining process. */
export type Examined =
  | { type: string; made?: MadePicture; media?: Media }
  /** It is a picture of an accepted type. */
  | { picture: string }
  /** Its type is not accepted, or it is a picture beyond the bounds. */
  | { refused: true }
  /** It is a picture that exceeds `maxBytes` after it is re-encoded. */
  | { tooLarge: true }
  /** A system error code, or that the file cannot be decoded as its type. */
  | { failed: string };

/** A re-encoded picture. */
export interface MadePicture {
  bytes: Buffer;
  /** Absent for a small picture. */
  preview?: Buffer;
  width: number;
  height: number;
  blur: string;
}

/**
 * Milliseconds for which a file waits for others, and milliseconds for one task on a busy machine with the start of its
 * process, which bounds its CPU time itself. The sum is below the 60 s after which a proxy gives up.
 */
const longestWait = 20_000;
const longest = 30_000;
/** Milliseconds without work after which a process ends: with the picture library it takes 70 MB. */
const idleFor = 60_000;

/**
 * Has files examined by processes that any file may kill. Pictures take long, so they have a separate process and no
 * other file waits behind them.
 */
export class Examiner {
  readonly #types = new ExaminingProcess('types');
  readonly #pictures = new ExaminingProcess('pictures');

  /**
   * @param user the owner of the file; users whose files have taken less time lately come first
   * @param signal aborts the examination
   * @throws RequestError `rate_limited` if the file waits too long for others, or its examination for a busy machine
   * @throws Error if no process can be started; the signal's reason if it aborts
   */
  async examine(
    user: string,
    task: Task,
    signal?: AbortSignal,
  ): Promise<Exclude<Examined, { picture: string }>> {
    const beginBy = performance.now() + longestWait;
    const found = await this.#types.run(user, task, { signal, beginBy });
    if (!('picture' in found)) return found;
    const made = await this.#pictures.run(user, { ...task, type: found.picture }, { signal, beginBy });
    return 'picture' in made ? { failed: 'unreadable' } : made;
  }

  close(): void {
    this.#types.close();
    this.#pictures.close();
  }
}

interface Waiter {
  user: string;
  task: Task;
  signal: AbortSignal | undefined;
  /** Ends the waiting. */
  late: NodeJS.Timeout;
  resolve(found: Examined): void;
  reject(error: unknown): void;
}

/** A process that does one task after the other. */
class ExaminingProcess {
  readonly #kind: 'types' | 'pictures';
  #process: Promise<ChildProcess> | undefined;
  readonly #waiting = new Waiting<Waiter>();
  #busy = false;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(kind: 'types' | 'pictures') {
    this.#kind = kind;
  }

  run(
    user: string,
    task: Task,
    { signal, beginBy }: { signal: AbortSignal | undefined; beginBy: number },
  ): Promise<Examined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = (reason: unknown) => {
        clearTimeout(waiter.late);
        if (this.#waiting.remove(user, waiter)) reject(reason);
      };
      const late = setTimeout(() => leave(tooMany()), beginBy - performance.now()).unref();
      const waiter = { user, task, signal, late, resolve, reject };
      signal?.addEventListener('abort', () => leave(signal.reason), { once: true });
      this.#waiting.add(user, waiter);
      this.#next();
    });
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  #next(): void {
    if (this.#busy) return;
    const next = this.#waiting.next();
    if (next === undefined) return;
    this.#busy = true;
    clearTimeout(next.late);
    clearTimeout(this.#idle);
    const begun = performance.now();
    void this.#run(next.task, next.signal)
      .then(next.resolve, next.reject)
      .finally(() => {
        this.#busy = false;
        this.#waiting.count(next.user, performance.now() - begun);
        this.#idle = setTimeout(() => this.#end(), idleFor).unref();
        this.#next();
      });
  }

  async #run(task: Task, signal: AbortSignal | undefined): Promise<Examined> {
    if (this.#closed) throw new Error('the server is shutting down');
    const end = performance.now() + longest;
    this.#process ??= start(this.#kind);
    const starting = this.#process;
    const child = await starting.catch((error: Error) => {
      this.#process = undefined;
      throw error;
    });
    if (!isAlive(child)) {
      this.#process = undefined;
      return this.#run(task, signal);
    }
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      // Any other signal, and an exit, would wait for the library.
      const kill = () => child.kill('SIGKILL');
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        kill();
      }, end - performance.now());
      signal?.addEventListener('abort', kill);
      const done = (found: Examined) => {
        clearTimeout(late);
        signal?.removeEventListener('abort', kill);
        child.off('message', done);
        child.off('exit', onExit);
        if (signal?.aborted) reject(signal.reason);
        // The process bounds its CPU time itself, and has got too little of it: that says nothing about the file.
        else if (isLate) reject(tooMany());
        else resolve(found);
      };
      // A file that kills the process fails alone: the next one gets a new process.
      const onExit = () => done({ failed: 'ended' });
      child.on('message', done);
      child.on('exit', onExit);
      child.send(task);
    });
  }

  #end(): void {
    clearTimeout(this.#idle);
    const ending = this.#process;
    this.#process = undefined;
    ending?.then(
      (child) => child.kill('SIGKILL'),
      () => {},
    );
  }
}

const tooMany = () =>
  new RequestError('rate_limited', 'Too many files are being examined. Try again later.', {
    retryAfterMs: longest,
  });

async function start(kind: 'types' | 'pictures'): Promise<ChildProcess> {
  try {
    const file = new URL(`./examine${extname(import.meta.url)}`, import.meta.url);
    return await startSeparate(file, { args: [kind] });
  } catch (cause) {
    throw new Error(
      'the process that examines files cannot be started: is sharp installed for this system? If packages were installed while the server runs, restart the server',
      { cause },
    );
  }
}
