import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { claim } from '../../claim.ts';
import { RequestError } from '../../errors.ts';
import type { Message } from '../../events.ts';
import type { History } from '../history.ts';
import type { ReadCall, Reply, Request, WriteCall } from './protocol.ts';

/**
 * The history in one SQLite file, in WAL mode. After the start the main thread touches no disk: one thread writes,
 * another reads. The file is for one chat server; other programs, such as a backup, may read it meanwhile.
 * @param options.onFailure a thread has died, which only a bug can bring about; nothing works from then on
 * @throws Error naming the file, when it cannot be opened, another chat server has it or a newer version wrote it
 */
export async function openSqliteHistory(options: {
  path: string;
  onFailure: (error: Error) => void;
  onBatch?: (batch: { messages: number; commitMs: number }) => void;
}): Promise<History> {
  const { path, claimed } = claimFile(resolve(options.path));
  const listeners: ((message: Message) => void)[] = [];
  const onCommitted = (batch: Batch) => {
    for (const outcome of batch.outcomes) {
      if ('stored' in outcome && outcome.stored) for (const listener of listeners) listener(outcome.stored);
    }
    if (batch.commitMs === undefined) return;
    const messages = batch.outcomes.filter((outcome) => 'stored' in outcome).length;
    if (messages > 0) options.onBatch?.({ messages, commitMs: batch.commitMs });
  };
  let writer: Thread;
  let reader: Thread;
  try {
    writer = await Thread.start('./writer.ts', path, options.onFailure, onCommitted);
    // After the writer: a file opened for reading only must exist, in WAL mode and in the newest form.
    reader = await Thread.start('./reader.ts', path, options.onFailure);
  } catch (error) {
    claimed.close();
    throw error;
  }

  return {
    rooms: () => reader.call({ op: 'rooms' }),
    createRooms: (ids) => writer.call({ op: 'createRooms', ids }),
    append: (message) => writer.call({ op: 'append', message }),
    // Asked of the writer, since the first one may still be on its way to the disk.
    repeatOf: (message) => writer.call({ op: 'repeatOf', message }),
    onCommit: (listener) => {
      listeners.push(listener);
    },
    memberships: (userId) => reader.call({ op: 'memberships', userId }),
    readSeq: (room, userId) => reader.call({ op: 'readSeq', room, userId }),
    addMember: (room, userId) => writer.call({ op: 'addMember', room, userId }),
    newest: (room, upTo, limit) => reader.call({ op: 'newest', room, upTo, limit }),
    changes: (room, since, upTo, limit) => reader.call({ op: 'changes', room, since, upTo, limit }),
    async close() {
      await reader.close();
      await writer.close();
      claimed.close();
    },
  };
}

/** Makes the file where there is none, and keeps it for this process. @returns its path without symbolic links */
function claimFile(path: string): { path: string; claimed: { close(): void } } {
  try {
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, 'a', 0o600));
    const real = realpathSync(path);
    // Not a lock on the database itself, which others may read: a backup, for instance.
    const inUse = 'another chat server is using it; stop that one first, or set CHAT_HISTORY to another file';
    return { path: real, claimed: claim(`${real}-lock`, inUse) };
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

function cannotOpen(path: string, cause: unknown): Error {
  return new Error(`the history ${path} cannot be opened: ${(cause as Error).message}`, { cause });
}

type Batch = Extract<Reply, { outcomes: unknown }>;

/** A worker thread that answers calls in the order in which they were made. */
class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #next = 0;
  #closing = false;
  #failure: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async start(
    file: string,
    path: string,
    onFailure: (error: Error) => void,
    onBatch?: (batch: Batch) => void,
  ): Promise<Thread> {
    const worker = new Worker(new URL(file, import.meta.url), { workerData: { path } });
    const thread = new Thread(worker);
    await once(worker, 'message').catch((cause: Error) => {
      throw cannotOpen(path, cause);
    });
    worker.on('message', (batch: Batch) => {
      onBatch?.(batch);
      thread.#settle(batch);
    });
    worker.on('error', (error) => {
      const failure = error instanceof Error ? error : new Error(String(error));
      thread.#fail(failure);
      onFailure(failure);
    });
    worker.on('exit', () => thread.#fail(new Error('the history is closed')));
    return thread;
  }

  call<T>(call: WriteCall | ReadCall): Promise<T> {
    if (this.#failure !== undefined || this.#closing) {
      return Promise.reject(
        new RequestError('storage_unavailable', 'the history is closed', { cause: this.#failure }),
      );
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call } satisfies Request);
    });
  }

  async close(): Promise<void> {
    if (this.#closing || this.#failure !== undefined) return;
    this.#closing = true;
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage({ close: true } satisfies Request);
    await ended;
  }

  #settle(batch: Batch): void {
    for (const outcome of batch.outcomes) {
      const pending = this.#pending.get(outcome.id);
      this.#pending.delete(outcome.id);
      if (!('code' in outcome)) pending?.resolve(outcome.value as never);
      else if (outcome.code === 'internal') pending?.reject(new Error(outcome.detail));
      else pending?.reject(new RequestError(outcome.code, outcome.detail));
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) {
      reject(new RequestError('storage_unavailable', 'the history is closed', { cause: error }));
    }
    this.#pending.clear();
  }
}
