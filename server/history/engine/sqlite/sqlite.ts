import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, extname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { RequestError } from '../../../wire/errors.ts';
import type { Change } from '../../changes.ts';
import { type History, methods } from '../../history.ts';
import { claim } from './claim.ts';
import { isIndexed } from './index-state.ts';
import { type Batch, type Request, readsAtStart } from './protocol.ts';

/** Milliseconds until a thread that could not start is started again. They double with each try. */
const pauses = { shortest: 500, longest: 30_000 };

/** Milliseconds until a new message starts the thread for searching, which follows the history as often as that. */
const indexLater = 1000;

/**
 * The history in one SQLite file, in WAL mode. After the start the main thread does not touch the disk: one thread
 * writes, one reads, one searches. The latter two start when there is something for them to do, since each takes 8 MB.
 * If one cannot start then, what was asked of it is `storage_unavailable`, and it is tried again. The file belongs to one
 * chat server; other programs, such as a backup, may read it.
 * @param options.onFailure called if a thread has died, which only a bug can cause; nothing works from then on
 * @throws Error naming the file, when it cannot be opened, another chat server has it or a newer version wrote it, and
 * while a restored one is taking its place
 */
export async function openSqliteHistory(options: {
  path: string;
  onFailure: (error: Error) => void;
  onBatch?: (batch: { messages: number; commitMs: number }) => void;
}): Promise<History> {
  const { path, claimed } = claimFile(resolve(options.path));
  const listeners: ((change: Change) => void)[] = [];
  /** The last transaction whose changes were handed out, and answers that have seen a later one. */
  let handedOut = 0;
  let early: { commit: number; settle: () => void }[] = [];
  const onRead = ({ commit = 0 }: Batch, settle: () => void) => {
    if (commit <= handedOut) settle();
    else early.push({ commit, settle });
  };
  const reader = new ThreadAtNeed(() => Thread.start('reader', path, options.onFailure, onRead));
  const searcher = new ThreadAtNeed(() => Thread.start('searcher', path, options.onFailure, onRead));
  const onCommitted = ({ changes = [], commitMs, commit = 0 }: Batch, settle: () => void) => {
    for (const change of changes) for (const listener of listeners) listener(change);
    settle();
    handedOut = Math.max(handedOut, commit);
    const due = early.filter((one) => one.commit <= handedOut);
    early = early.filter((one) => one.commit > handedOut);
    for (const one of due) one.settle();
    const messages = changes.filter((change) => change.type === 'message' && change.is === 'new').length;
    if (messages > 0 && commitMs !== undefined) options.onBatch?.({ messages, commitMs });
    if (changes.some(isForIndexNow)) searcher.start();
    else if (messages > 0) searcher.startWithin(indexLater);
  };
  let opened: Thread | undefined;
  try {
    opened = await Thread.start('writer', path, options.onFailure, onCommitted);
    // After the writer, which has migrated it.
    if (!isIndexed(path)) searcher.start();
  } catch (error) {
    // As long as it may write, the file is claimed.
    await opened?.close();
    claimed.close();
    throw error;
  }
  const writer = opened;

  return {
    write: methods((op, input, asker) =>
      writer.call(asker === undefined ? { op, input } : { op, input, asker }),
    ),
    // The writer answers it, since what it asks about may still be on its way to the disk.
    probe: methods((op, input) => writer.call({ op, input, probe: true })),
    read: methods((op, input) => {
      // Searches have their own thread: a long one holds up no other read.
      const thread = op in readsAtStart ? writer : op === 'search' ? searcher : reader;
      return thread.call({ op, input, read: true });
    }),
    // No other server writes here, and a write or a read resolves when all that it has done or seen was handed out.
    current: () => Promise.resolve(),
    onChange: (listener) => {
      listeners.push(listener);
    },
    async close() {
      await searcher.close();
      await reader.close();
      await writer.close();
      claimed.close();
    },
  };
}

/** A restored history that is about to take the place of another one: see server/backup/restore.ts. */
export const restoredOf = (path: string): string => `${path}-restored`;

/** Whether the index for searching has to follow it at once: former texts stay in the history until it has. */
function isForIndexNow(change: Change): boolean {
  if (change.type === 'message') return change.is !== 'new';
  return change.type === 'reset' || (change.type === 'room' && change.is === 'deleted');
}

/** Makes the file if there is none, and claims it for this process. @returns its path without symbolic links */
function claimFile(path: string): { path: string; claimed: { close(): void } } {
  try {
    makeFolder(dirname(path));
    closeSync(openSync(path, 'a', 0o600));
    const real = realpathSync(path);
    if (existsSync(restoredOf(real))) {
      throw new Error(
        'a backup was being restored here, and that was interrupted: do it once more with the command "restore"',
      );
    }
    // Not a lock on the database itself, which others may read: a backup, for instance.
    const inUse =
      'another chat server, perhaps that of another site, is using it: stop that one if it is of the same site, else give each site its own CHAT_HISTORY and CHAT_FILES';
    return { path: real, claimed: claim(`${real}-lock`, inUse) };
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

/** @throws Error that says how root makes it, if this account may not */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'EACCES') throw cause;
    const account = accountName();
    const advice = `as root, install -d -o ${account} -m 700 ${folder}`;
    throw new Error(`the account ${account} may not make the folder ${folder}: ${advice} (${code})`);
  }
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a number that no account has.
    return String(process.geteuid?.());
  }
}

function cannotOpen(path: string, cause: unknown): Error {
  return new Error(`the history ${path} cannot be opened: ${(cause as Error).message}`, { cause });
}

/** A thread that starts with the first call. */
class ThreadAtNeed {
  readonly #start: () => Promise<Thread>;
  /** Rejected during the pause after a start that failed. */
  #starting: Promise<Thread> | undefined;
  #thread: Thread | undefined;
  #pause = pauses.shortest;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(start: () => Promise<Thread>) {
    this.#start = start;
  }

  /** Starts it, if it is not there yet. */
  start(): void {
    if (this.#starting !== undefined || this.#closed) return;
    clearTimeout(this.#timer);
    this.#starting = this.#start();
    this.#starting.then(
      (thread) => {
        this.#thread = thread;
      },
      () => this.#startLater(),
    );
  }

  /** Starts it after at most so many milliseconds. */
  startWithin(ms: number): void {
    if (this.#starting !== undefined || this.#closed) return;
    this.#timer ??= setTimeout(() => this.start(), ms).unref();
  }

  #startLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#starting = undefined;
      this.start();
    }, this.#pause).unref();
    this.#pause = Math.min(2 * this.#pause, pauses.longest);
  }

  call<T>(call: Parameters<Thread['call']>[0]): Promise<T> {
    if (this.#thread !== undefined) return this.#thread.call(call);
    this.start();
    if (this.#starting === undefined) return Promise.reject(closed());
    return this.#starting.then(
      (thread) => thread.call(call),
      (cause: Error) => Promise.reject(new RequestError('storage_unavailable', cause.message, { cause })),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#starting?.then(
      (thread) => thread.close(),
      () => {},
    );
  }
}

function closed(cause?: unknown): RequestError {
  return new RequestError('storage_unavailable', 'the history is closed', { cause });
}

/** A worker thread that answers calls in the order in which they were made. */
class Thread {
  readonly #worker: Worker;
  /** The calls of one turn of the event loop go together: each message between threads costs more than most calls. */
  #outgoing: Request[] = [];
  readonly #pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #next = 0;
  #closing = false;
  #failure: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async start(
    name: 'reader' | 'searcher' | 'writer',
    path: string,
    onFailure: (error: Error) => void,
    onBatch: (batch: Batch, settle: () => void) => void,
  ): Promise<Thread> {
    // Tests run bundles, in which this file and the thread's are compiled.
    const file = new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(file, { workerData: { path } });
    const thread = new Thread(worker);
    await once(worker, 'message').catch((cause: Error) => {
      throw cannotOpen(path, cause);
    });
    worker.on('message', (batch: Batch) => {
      onBatch(batch, () => thread.#settle(batch));
    });
    worker.on('error', (error) => {
      const failure = error instanceof Error ? error : new Error(String(error));
      thread.#fail(failure);
      onFailure(failure);
    });
    worker.on('exit', () => thread.#fail(new Error('the history is closed')));
    return thread;
  }

  /** The history's interface pairs operations with their inputs and outputs. */
  call<T>(call: { op: string; input: unknown; read?: true; probe?: true; asker?: string }): Promise<T> {
    if (this.#failure !== undefined || this.#closing) {
      return Promise.reject(closed(this.#failure));
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      // The history's interface pairs the names of calls with their inputs.
      this.#send({ id, ...call } as Request);
    });
  }

  async close(): Promise<void> {
    if (this.#closing || this.#failure !== undefined) return;
    this.#closing = true;
    const ended = once(this.#worker, 'exit');
    this.#send({ close: true });
    await ended;
  }

  #send(request: Request): void {
    if (this.#outgoing.push(request) > 1) return;
    setImmediate(() => {
      const requests = this.#outgoing;
      this.#outgoing = [];
      this.#worker.postMessage(requests);
    });
  }

  #settle(batch: Batch): void {
    for (const outcome of batch.outcomes) {
      const pending = this.#pending.get(outcome.id);
      this.#pending.delete(outcome.id);
      // The call's id pairs the outcome with its output type; TypeScript cannot follow that.
      if (!('code' in outcome)) pending?.resolve(outcome.value as never);
      else if (outcome.code === 'internal') pending?.reject(new Error(outcome.detail));
      else {
        const { code, detail, retryAfterMs, current } = outcome;
        pending?.reject(
          new RequestError(code, detail, {
            ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
            ...(current === undefined ? {} : { current }),
          }),
        );
      }
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) {
      reject(closed(error));
    }
    this.#pending.clear();
  }
}
