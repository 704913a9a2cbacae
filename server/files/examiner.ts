import type { ChildProcess } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { extname } from 'node:path';
import { FairQueue, TaskTimes } from '../limits/fair-queue.ts';
import { isAlive, startSeparate } from '../limits/separate-process.ts';
import { RequestError } from '../wire/errors.ts';
import type { Media } from './media.ts';

/** A file to examine. */
export interface ExaminedFile extends Omit<Task, 'size' | 'type'> {
  path: string;
}

/** A task for an examining process. It contains no path; the process requests the bytes. */
export interface Task {
  /** In bytes. */
  size: number;
  /** The accepted types, such as `image/*` or `application/pdf`. */
  types: readonly string[];
  /** The type of a picture to re-encode. */
  type?: string;
  /** Pixels of the longer side, if only a small picture is wanted. */
  side?: number;
  /** Maximum size of a re-encoded picture, in bytes. */
  maxBytes: number;
}

export type ToExaminer = Task | { bytes: Buffer };

/** `memory`: bytes that the process uses after the task; infinite if the process ends. */
export type ToServer =
  | 'ready'
  | { read: { at: number; length: number } }
  | { found: Examined; memory: number };

/** The result of a task. */
export type Examined =
  | { type: string; made?: MadePicture; media?: Media }
  /** The file is a picture of this accepted type. */
  | { picture: string }
  /** The file cannot be accepted. `refused` is a message for the sender. */
  | { refused: string; code: 'file_type' | 'file_limit' | 'file_damaged' }
  /** The re-encoded picture has this many bytes, more than `maxBytes`. */
  | { tooLarge: number }
  /** The task exceeds the limits of a process for quick tasks. */
  | { isSlow: true }
  /** The file cannot be decoded as its type, or it crashed the process. */
  | { failed: true };

/** A re-encoded picture. */
export interface MadePicture {
  bytes: Buffer;
  /** Absent if only a small picture was wanted. */
  preview?: Buffer;
  width: number;
  height: number;
  blur: string;
}

/**
 * The time that a file may wait for other files and for the start of its process. It is longer than any single task, so
 * one user's file cannot cause the rejection of another user's file. Together with `maxTaskMs` it is below the 60 s
 * after which a proxy gives up.
 */
const maxWaitMs = 30_000;
/** The time for one task. The process limits its own CPU time. */
const maxTaskMs = 25_000;
/** Idle time in ms after which a process ends. With the picture library it uses 150 MB of memory. */
const idleFor = 60_000;
/** After a task, a process with more bytes of memory is replaced, so that each large picture has the same memory. */
const maxIdleMemory = 384 * 1024 * 1024;
/** Maximum bytes that a process gets per read. */
const maxRead = 4 * 1024 * 1024;

/**
 * `types` detects types, and `pictures` re-encodes pictures. Both give up a task that takes more than some CPU seconds,
 * and `slow` repeats it, so no other file waits behind a large or hostile file.
 */
export type ExaminerKind = 'types' | 'pictures' | 'slow';

/** Examines files in separate processes, because a hostile file may crash its process. */
export class Examiner {
  /** A user's slow files also put the user's quick files behind those of others. */
  readonly #times = new TaskTimes();
  readonly #types = new ExaminingProcess('types', this.#times);
  readonly #pictures = new ExaminingProcess('pictures', this.#times);
  readonly #slow = new ExaminingProcess('slow', this.#times);

  /**
   * Examines a file.
   * @param user the uploader. Files of the user whose files took the least time recently come first.
   * @param signal aborts the examination
   * @throws RequestError `rate_limited` if the file waited too long for others, or the task was late on a busy machine
   * @throws Error if no process can be started; the signal's reason if it aborts
   */
  async examine(
    user: string,
    file: ExaminedFile,
    signal?: AbortSignal,
  ): Promise<Exclude<Examined, { picture: string } | { isSlow: true }>> {
    const options = { signal, beginBy: performance.now() + maxWaitMs };
    const run = async (quick: ExaminingProcess, work: Work) => {
      const quickly = await quick.run(user, work, options);
      const found = 'isSlow' in quickly ? await this.#slow.run(user, work, options) : quickly;
      return 'isSlow' in found ? ({ failed: true } as const) : found;
    };
    const found = await run(this.#types, file);
    if (!('picture' in found)) return found;
    const made = await run(this.#pictures, { ...file, type: found.picture });
    return 'picture' in made ? { failed: true } : made;
  }

  close(): void {
    for (const one of [this.#types, this.#pictures, this.#slow]) one.close();
  }
}

type Work = ExaminedFile & Pick<Task, 'type'>;

interface Waiter {
  user: string;
  work: Work;
  signal: AbortSignal | undefined;
  /** The end of the wait, by `performance.now()`. */
  beginBy: number;
  /** Rejects the file if it waits too long. */
  late: NodeJS.Timeout;
  resolve(found: Examined): void;
  reject(error: unknown): void;
}

/** A process that runs one task at a time, with a queue. */
class ExaminingProcess {
  readonly #kind: ExaminerKind;
  #process: Promise<ChildProcess> | undefined;
  readonly #waiting: FairQueue<Waiter>;
  #busy = false;
  /** The user whose file ended the last process. The start of the next one counts as this user's time. */
  #ender: string | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(kind: ExaminerKind, times: TaskTimes) {
    this.#kind = kind;
    this.#waiting = new FairQueue(times);
  }

  run(
    user: string,
    work: Work,
    { signal, beginBy }: { signal: AbortSignal | undefined; beginBy: number },
  ): Promise<Examined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = (reason: unknown) => {
        clearTimeout(waiter.late);
        if (this.#waiting.remove(user, waiter)) reject(reason);
      };
      const late = setTimeout(() => leave(tooMany()), beginBy - performance.now()).unref();
      const waiter = { user, work, signal, beginBy, late, resolve, reject };
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
    void this.#run(next)
      .then(next.resolve, next.reject)
      .finally(() => {
        this.#busy = false;
        this.#idle = setTimeout(() => this.#end(), idleFor).unref();
        this.#next();
      });
  }

  async #run({ user, work: { path, ...asked }, signal, beginBy }: Waiter): Promise<Examined> {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const child = await this.#counted(this.#ender ?? user, () => this.#startedBy(beginBy));
      this.#ender = undefined;
      signal?.throwIfAborted();
      const ask = () => this.#ask(child, file, { ...asked, size }, signal);
      return await this.#counted(user, ask).finally(() => {
        if (this.#process === undefined || !isAlive(child)) this.#ender = user;
      });
    } finally {
      await file.close();
    }
  }

  async #counted<T>(user: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    return work().finally(() => this.#waiting.count(user, performance.now() - startedAt));
  }

  /**
   * Returns a live process. It continues to start after the wait, because on a busy machine each new one would be late.
   * @throws RequestError `rate_limited` after the wait
   */
  #startedBy(beginBy: number): Promise<ChildProcess> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(tooMany()), beginBy - performance.now());
      this.#started()
        .finally(() => clearTimeout(late))
        .then(resolve, reject);
    });
  }

  /** Returns a live process. Use it without awaiting anything else, because it may end at any time. */
  async #started(): Promise<ChildProcess> {
    if (this.#closed) throw new Error('the server is shutting down');
    this.#process ??= start(this.#kind);
    const child = await this.#process.catch((error: Error) => {
      this.#process = undefined;
      throw error;
    });
    if (isAlive(child)) return child;
    this.#process = undefined;
    return this.#started();
  }

  #ask(
    child: ChildProcess,
    file: FileHandle,
    task: Task,
    signal: AbortSignal | undefined,
  ): Promise<Examined> {
    return new Promise((resolve, reject) => {
      // Any other signal would have to wait for the picture library.
      const kill = () => child.kill('SIGKILL');
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        kill();
      }, maxTaskMs);
      signal?.addEventListener('abort', kill);
      const done = (found: Examined, error?: Error) => {
        clearTimeout(late);
        signal?.removeEventListener('abort', kill);
        child.off('message', onMessage);
        child.off('exit', onExit);
        if (signal?.aborted) reject(signal.reason);
        // The process got too little CPU time on a busy machine, so the file may be valid.
        else if (isLate) reject(tooMany());
        else if (error !== undefined) reject(error);
        else resolve(found);
      };
      // Only the file that crashed the process fails. The next file gets a new process.
      const onExit = () => done({ failed: true });
      const onMessage = (message: ToServer) => {
        if (message === 'ready') return;
        if ('read' in message) {
          const { at, length } = message.read;
          readPart(file, at, length).then(
            (bytes) => child.send({ bytes } satisfies ToExaminer),
            (error: Error) => {
              kill();
              done({ failed: true }, error);
            },
          );
          return;
        }
        if (message.memory > maxIdleMemory) this.#end();
        done(message.found);
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(task satisfies ToExaminer);
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

async function readPart(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.min(length, maxRead));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
  return bytes.subarray(0, bytesRead);
}

const tooMany = () =>
  new RequestError('rate_limited', 'Too many files are being examined. Try again later.', {
    retryAfterMs: maxTaskMs,
  });

async function start(kind: ExaminerKind): Promise<ChildProcess> {
  try {
    const file = new URL(`./examine${extname(import.meta.url)}`, import.meta.url);
    return await startSeparate(file, kind);
  } catch (cause) {
    throw new Error(
      'the process that examines files cannot be started. If packages were installed while the server runs, restart the server',
      { cause },
    );
  }
}
