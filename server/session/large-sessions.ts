import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { StoredFormat } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import type { Identity, UserPaths } from './identity.ts';
import { SessionBusyError, StoreError } from './store.ts';

export interface ThreadSettings {
  format: StoredFormat;
  user: UserPaths;
}

export interface DecodeRequest {
  id: number;
  bytes: Uint8Array;
}

export type DecodeReply =
  | { id: number; found: Identity }
  | { id: number; wrong: string; explanation: string | undefined };

interface Pending {
  bytes: number;
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
  readonly #pending = new Map<number, Pending>();
  #thread: Worker | undefined;
  #next = 0;
  /** Bytes. */
  #waiting = 0;

  constructor(format: StoredFormat, user: UserPaths) {
    this.#settings = { format, user };
  }

  /**
   * The same as `identify` of the decoded bytes.
   * @throws FormatError as the decoder does
   * @throws SessionBusyError if too much waits already
   * @throws StoreError if the thread has ended
   */
  identify(bytes: Buffer): Promise<Identity> {
    if (this.#waiting + bytes.length > mostWaiting) {
      return Promise.reject(new SessionBusyError('too many large sessions are being read'));
    }
    const thread = this.#thread ?? this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { bytes: bytes.length, resolve, reject });
      this.#waiting += bytes.length;
      // As long as it works, the process does not end by itself.
      thread.ref();
      thread.postMessage({ id, bytes } satisfies DecodeRequest);
    });
  }

  close(): void {
    void this.#thread?.terminate();
  }

  #start(): Worker {
    // In the package this file and the thread's have been compiled.
    const file = new URL(`./large-sessions-thread${extname(import.meta.url)}`, import.meta.url);
    const thread = new Worker(file, { workerData: this.#settings });
    this.#thread = thread;
    thread.on('message', (reply: DecodeReply) => {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      this.#waiting -= pending?.bytes ?? 0;
      if (this.#pending.size === 0) thread.unref();
      if ('found' in reply) pending?.resolve(reply.found);
      else pending?.reject(new FormatError(reply.wrong, { explanation: reply.explanation }));
    });
    // The next large session starts another one.
    thread.on('error', (cause) => this.#fail(thread, cause));
    thread.on('exit', () => this.#fail(thread));
    return thread;
  }

  /** An error comes before the exit, and the next thread may have started in between: what waits is its work then. */
  #fail(thread: Worker, cause?: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    // The message may hold a part of a session.
    const { name = '', code = name } = (cause ?? {}) as NodeJS.ErrnoException;
    const why = code === '' ? '' : `: ${code}`;
    for (const { reject } of this.#pending.values()) {
      reject(new StoreError(`the thread that reads large sessions has ended${why}`, { cause }));
    }
    this.#pending.clear();
    this.#waiting = 0;
  }
}
