import type { ChildProcess } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { extname } from 'node:path';
import { FairQueue } from '../limits/fair-queue.ts';
import { isAlive, startSeparate } from '../limits/separate-process.ts';
import { RequestError } from '../wire/errors.ts';
import type { Media } from './media.ts';

/** A file to examine. */
export interface ExaminedFile extends Omit<Task, 'size' | 'type'> {
  path: string;
}

/** A request to an examining process, which gets no path: it asks for the bytes. */
export interface Task {
  /** Bytes. */
  size: number;
  /** Accepted types: `image/*`, `application/pdf`. */
  types: readonly string[];
  /** The type of a picture to re-encode. */
  type?: string;
  /** Only a small picture is wanted: pixels of its longer side. */
  side?: number;
  /** The largest re-encoded picture. */
  maxBytes: number;
}

export type ToExaminer = Task | { bytes: Buffer };

/** `memory`: bytes that the process uses afterwards; infinite if it ends. */
export type ToServer =
  | 'ready'
  | { read: { at: number; length: number } }
  | { found: Examined; memory: number };

/** The answer of an examining process. */
export type Examined =
  | { type: string; made?: MadePicture; media?: Media }
  /** It is a picture of an accepted type. */
  | { picture: string }
  /** Why it cannot be accepted: what the sender should know. */
  | { refused: string; code: 'file_type' | 'file_limit' | 'file_damaged' }
  /** It is a picture that exceeds `maxBytes` after it is re-encoded: its bytes then. */
  | { tooLarge: number }
  /** It cannot be decoded as its type, or it has ended the process. */
  | { failed: true };

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
 * process, which bounds its CPU time itself. A file outwaits any single task, so one user cannot have the files of others
 * refused. The sum is below the 60 s after which a proxy gives up.
 */
const maxWaitMs = 30_000;
const maxTaskMs = 25_000;
/** Milliseconds without work after which a process ends: with the picture library it takes 150 MB. */
const idleFor = 60_000;
/** Bytes of a process after which it ends, so that each large picture has the same memory. */
const maxIdleMemory = 384 * 1024 * 1024;
/** Bytes that a process reads at once. */
const maxRead = 4 * 1024 * 1024;

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
    file: ExaminedFile,
    signal?: AbortSignal,
  ): Promise<Exclude<Examined, { picture: string }>> {
    const beginBy = performance.now() + maxWaitMs;
    const found = await this.#types.run(user, file, { signal, beginBy });
    if (!('picture' in found)) return found;
    const made = await this.#pictures.run(user, { ...file, type: found.picture }, { signal, beginBy });
    return 'picture' in made ? { failed: true } : made;
  }

  close(): void {
    this.#types.close();
    this.#pictures.close();
  }
}

type Work = ExaminedFile & Pick<Task, 'type'>;

interface Waiter {
  user: string;
  work: Work;
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
  readonly #waiting = new FairQueue<Waiter>();
  #busy = false;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(kind: 'types' | 'pictures') {
    this.#kind = kind;
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
      const waiter = { user, work, signal, late, resolve, reject };
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
    void this.#run(next.work, next.signal)
      .then(next.resolve, next.reject)
      .finally(() => {
        this.#busy = false;
        this.#waiting.count(next.user, performance.now() - begun);
        this.#idle = setTimeout(() => this.#end(), idleFor).unref();
        this.#next();
      });
  }

  async #run({ path, ...asked }: Work, signal: AbortSignal | undefined): Promise<Examined> {
    const end = performance.now() + maxTaskMs;
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const child = await this.#started();
      signal?.throwIfAborted();
      return await this.#ask(child, file, { ...asked, size }, { signal, end });
    } finally {
      await file.close();
    }
  }

  /** A process that is alive. It must be asked without waiting for anything else, because it may end at any time. */
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
    { signal, end }: { signal: AbortSignal | undefined; end: number },
  ): Promise<Examined> {
    return new Promise((resolve, reject) => {
      // Any other signal, and an exit, would wait for the library.
      const kill = () => child.kill('SIGKILL');
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        kill();
      }, end - performance.now());
      signal?.addEventListener('abort', kill);
      const done = (found: Examined, error?: Error) => {
        clearTimeout(late);
        signal?.removeEventListener('abort', kill);
        child.off('message', onMessage);
        child.off('exit', onExit);
        if (signal?.aborted) reject(signal.reason);
        // The process bounds its CPU time itself, and has got too little of it: that says nothing about the file.
        else if (isLate) reject(tooMany());
        else if (error !== undefined) reject(error);
        else resolve(found);
      };
      // A file that kills the process fails alone: the next one gets a new process.
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

async function start(kind: 'types' | 'pictures'): Promise<ChildProcess> {
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
