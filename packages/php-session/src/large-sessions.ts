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
  /** The caller's name of the option `charset`, because `useNames` does not reach the thread. */
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

/** Decoding this many bytes takes up to seven seconds. */
const maxQueuedBytes = 32 * 1024 * 1024;

/**
 * Finds the user in large sessions, in a separate thread. Decoding a megabyte takes up to 200 ms. On a site that stores
 * visitors' input in sessions, one visitor may create many large sessions and change them constantly.
 */
export class LargeSessions {
  readonly #settings: ThreadSettings;
  /** The queued jobs of each visitor. Visitors take turns. */
  readonly #queued = new Map<string, Job[]>();
  #queuedBytes = 0;
  #thread: Worker | undefined;
  #running: Job | undefined;

  constructor(format: StoredFormat, user: UserPaths) {
    this.#settings = { format, user, charsetOption: option('charset') };
  }

  /**
   * Decodes a session and calls `findUser` of identity.ts.
   * @throws FormatError as the decoder does
   * @throws SessionBusyError if the queue is full and this visitor has the most jobs
   * @throws StoreError if the thread crashes, or `close` is called first
   */
  findUser(visitor: string, bytes: Uint8Array): Promise<CheckResult<FoundUser>> {
    return new Promise((resolve, reject) => {
      const job = { bytes, resolve, reject };
      const jobs = this.#queued.get(visitor);
      if (jobs === undefined) this.#queued.set(visitor, [job]);
      else jobs.push(job);
      this.#queuedBytes += bytes.length;
      while (this.#queuedBytes > maxQueuedBytes)
        this.#takeNewest()?.reject(new SessionBusyError('too many large sessions are being read'));
      this.#runNext();
    });
  }

  close(): void {
    for (let job = this.#takeNext(); job !== undefined; job = this.#takeNext())
      job.reject(new StoreError('the store was closed'));
    void this.#thread?.terminate();
  }

  /** Removes and returns the oldest job of the next visitor. */
  #takeNext(): Job | undefined {
    const [visitor, jobs] = this.#queued.entries().next().value ?? [];
    if (visitor === undefined || jobs === undefined) return undefined;
    this.#queued.delete(visitor);
    const job = jobs.shift();
    if (jobs.length > 0) this.#queued.set(visitor, jobs);
    this.#queuedBytes -= job?.bytes.length ?? 0;
    return job;
  }

  /** Removes and returns the newest job of the visitor with the most jobs. */
  #takeNewest(): Job | undefined {
    const [visitor, jobs] = [...this.#queued].reduce((a, b) => (b[1].length > a[1].length ? b : a));
    const job = jobs.pop();
    if (jobs.length === 0) this.#queued.delete(visitor);
    this.#queuedBytes -= job?.bytes.length ?? 0;
    return job;
  }

  #runNext(): void {
    if (this.#running !== undefined) return;
    const job = this.#takeNext();
    // Only a busy thread keeps the process running.
    if (job === undefined) return this.#thread?.unref();
    this.#thread ??= this.#start();
    this.#thread.ref();
    this.#running = job;
    this.#thread.postMessage(job.bytes);
  }

  /** Starts the next job, and returns the completed one. */
  #complete(): Job | undefined {
    const job = this.#running;
    this.#running = undefined;
    this.#runNext();
    return job;
  }

  #start(): Worker {
    // In the installed package both files are compiled.
    const file = new URL(`./large-sessions-thread${extname(import.meta.url)}`, import.meta.url);
    const thread = new Worker(file, { workerData: this.#settings });
    thread.on('message', (reply: DecodeReply) => {
      const job = this.#complete();
      if ('result' in reply) job?.resolve(reply.result);
      else job?.reject(new FormatError(reply.wrong, { explanation: reply.explanation }));
    });
    thread.on('error', (error) => this.#fail(thread, error));
    thread.on('exit', () => this.#fail(thread));
    return thread;
  }

  /** Discards the thread and rejects its job. A new thread may exist before the old one emits `exit`. */
  #fail(thread: Worker, error?: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    // The error is not passed on, because its message may contain a part of a session.
    const { name = '', code = name } = (error ?? {}) as NodeJS.ErrnoException;
    const why = code === '' ? '' : `: ${code}`;
    this.#complete()?.reject(new StoreError(`the thread that reads large sessions has ended${why}`));
  }
}
