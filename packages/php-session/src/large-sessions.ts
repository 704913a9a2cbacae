import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { StoredFormat } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import type { FoundUser, UserPaths } from './identity.ts';
import type { CheckResult } from './login.ts';
import { option } from './names.ts';
import { SessionBusyError, StoreError } from './store.ts';

export interface ThreadSettings {
  format: StoredFormat;
  user: UserPaths;
  /** The name of the option, because `useNames` does not reach the thread. */
  charsetOption: string;
}

export type DecodeReply =
  | { result: CheckResult<FoundUser> }
  | { wrong: string; explanation: string | undefined };

interface Job {
  bytes: Uint8Array;
  resolve(result: CheckResult<FoundUser>): void;
  reject(error: Error): void;
}

/** The thread decodes 10 to 40 MB a second, and visitors may ask for more. */
const maxWaitingBytes = 32 * 1024 * 1024;

/**
 * Finds the user in large sessions, in a thread of its own: to decode a megabyte takes up to 200 ms, and a visitor whose
 * site keeps much of what they send may have many such sessions and change them all the time. The thread starts with the
 * first large session.
 */
export class LargeSessions {
  readonly #settings: ThreadSettings;
  /** The waiting jobs of each visitor. Visitors take turns. */
  readonly #waiting = new Map<string, Job[]>();
  #waitingBytes = 0;
  #thread: Worker | undefined;
  #running: Job | undefined;

  constructor(format: StoredFormat, user: UserPaths) {
    this.#settings = { format, user, charsetOption: option('charset') };
  }

  /**
   * Decodes a session and calls `findUser` of identity.ts.
   * @param visitor takes turns with the other visitors
   * @throws FormatError as the decoder does
   * @throws SessionBusyError if too much waits already
   * @throws StoreError if the thread has ended
   */
  findUser(visitor: string, bytes: Uint8Array): Promise<CheckResult<FoundUser>> {
    return new Promise((resolve, reject) => {
      const job = { bytes, resolve, reject };
      const waiting = this.#waiting.get(visitor);
      if (waiting === undefined) this.#waiting.set(visitor, [job]);
      else waiting.push(job);
      this.#waitingBytes += bytes.length;
      while (this.#waitingBytes > maxWaitingBytes)
        this.#takeNewest()?.reject(new SessionBusyError('too many large sessions are being read'));
      this.#next();
    });
  }

  close(): void {
    for (let job = this.#take(); job !== undefined; job = this.#take())
      job.reject(new StoreError('the store was closed'));
    void this.#thread?.terminate();
  }

  /** Removes and returns the first job of the visitor whose turn it is. */
  #take(): Job | undefined {
    const [visitor, jobs] = this.#waiting.entries().next().value ?? [];
    if (visitor === undefined || jobs === undefined) return undefined;
    this.#waiting.delete(visitor);
    const job = jobs.shift();
    if (jobs.length > 0) this.#waiting.set(visitor, jobs);
    this.#waitingBytes -= job?.bytes.length ?? 0;
    return job;
  }

  /** Removes and returns the newest job of the visitor with the most. */
  #takeNewest(): Job | undefined {
    const [visitor, jobs] = [...this.#waiting].reduce((a, b) => (b[1].length > a[1].length ? b : a));
    const job = jobs.pop();
    if (jobs.length === 0) this.#waiting.delete(visitor);
    this.#waitingBytes -= job?.bytes.length ?? 0;
    return job;
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const job = this.#take();
    // As long as it works, the process does not end by itself.
    if (job === undefined) return this.#thread?.unref();
    this.#thread ??= this.#start();
    this.#thread.ref();
    this.#running = job;
    this.#thread.postMessage(job.bytes);
  }

  /** The job is done. */
  #done(): Job | undefined {
    const job = this.#running;
    this.#running = undefined;
    this.#next();
    return job;
  }

  #start(): Worker {
    // In the package this file and the thread's have been compiled.
    const file = new URL(`./large-sessions-thread${extname(import.meta.url)}`, import.meta.url);
    const thread = new Worker(file, { workerData: this.#settings });
    thread.on('message', (reply: DecodeReply) => {
      const job = this.#done();
      if ('result' in reply) job?.resolve(reply.result);
      else job?.reject(new FormatError(reply.wrong, { explanation: reply.explanation }));
    });
    thread.on('error', (cause) => this.#fail(thread, cause));
    thread.on('exit', () => this.#fail(thread));
    return thread;
  }

  /** The next session starts another thread. An error comes before the exit, and that thread may have started in between. */
  #fail(thread: Worker, cause?: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    // The message may hold a part of a session.
    const { name = '', code = name } = (cause ?? {}) as NodeJS.ErrnoException;
    const why = code === '' ? '' : `: ${code}`;
    this.#done()?.reject(new StoreError(`the thread that reads large sessions has ended${why}`, { cause }));
  }
}
