import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { StoredFormat } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import type { Identity, UserPaths } from './identity.ts';
import { SessionBusyError, StoreError } from './store.ts';
import { Waiting } from './waiting.ts';

export interface ThreadSettings {
  format: StoredFormat;
  user: UserPaths;
}

export type DecodeReply = { found: Identity } | { wrong: string; explanation: string | undefined };

interface Job {
  user: string;
  bytes: Uint8Array;
  resolve(found: Identity): void;
  reject(error: Error): void;
}

/** Bytes that may wait for the thread: it decodes 10 to 40 MB in a second, and visitors may ask for more. */
const mostWaiting = 32 * 1024 * 1024;

/**
 * Finds the user in large sessions, in a thread of its own: to decode a megabyte takes up to 200 ms, and a visitor whose
 * site keeps much of what they send may have many such sessions and change them all the time. The thread starts with the
 * first large session.
 */
export class LargeSessions {
  readonly #settings: ThreadSettings;
  readonly #waiting = new Waiting<Job>();
  #waitingBytes = 0;
  #thread: Worker | undefined;
  #running: (Job & { begun: number }) | undefined;

  constructor(format: StoredFormat, user: UserPaths) {
    this.#settings = { format, user };
  }

  /**
   * The same as `identify` of the decoded bytes.
   * @param user whom the time counts for: the sessions of whoever has used the least lately come first
   * @throws FormatError as the decoder does
   * @throws SessionBusyError if too much waits already
   * @throws StoreError if the thread has ended
   */
  identify(user: string, bytes: Uint8Array): Promise<Identity> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(user, { user, bytes, resolve, reject });
      this.#waitingBytes += bytes.length;
      while (this.#waitingBytes > mostWaiting)
        this.#taken(this.#waiting.dropLast())?.reject(
          new SessionBusyError('too many large sessions are being read'),
        );
      this.#next();
    });
  }

  close(): void {
    for (let job = this.#waiting.next(); job !== undefined; job = this.#waiting.next())
      job.reject(new StoreError('the store was closed'));
    void this.#thread?.terminate();
  }

  #taken(job: Job | undefined): Job | undefined {
    this.#waitingBytes -= job?.bytes.length ?? 0;
    return job;
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const job = this.#taken(this.#waiting.next());
    // As long as it works, the process does not end by itself.
    if (job === undefined) return this.#thread?.unref();
    this.#thread ??= this.#start();
    this.#thread.ref();
    this.#running = { ...job, begun: performance.now() };
    this.#thread.postMessage(job.bytes);
  }

  /** The job is done. */
  #done(): Job | undefined {
    const job = this.#running;
    this.#running = undefined;
    if (job !== undefined) this.#waiting.count(job.user, performance.now() - job.begun);
    this.#next();
    return job;
  }

  #start(): Worker {
    // In the package this file and the thread's have been compiled.
    const file = new URL(`./large-sessions-thread${extname(import.meta.url)}`, import.meta.url);
    const thread = new Worker(file, { workerData: this.#settings });
    thread.on('message', (reply: DecodeReply) => {
      const job = this.#done();
      if ('found' in reply) job?.resolve(reply.found);
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
