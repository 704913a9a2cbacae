import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, extname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { FairTurns } from '../../limits/fair-queue.ts';
import { readInTurn, type Turn } from '../../limits/requester.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Renewal } from '../engine/background.ts';
import { searches } from '../engine/limits.ts';
import { claim } from '../engine/sqlite/claim.ts';
import { isIndexed } from '../engine/sqlite/index-state.ts';
import { formatOf } from '../engine/sqlite/migrations.ts';
import { type History, methods, type ReadOnlyHistory } from '../history.ts';
import type { Change } from '../records/changes.ts';
import { movedAway, UnknownTables, UnusableHistory } from '../unusable.ts';
import { type Batch, type Request, readsByWriter, type ThreadReply } from './protocol.ts';

/** Delays in milliseconds before a failed start of a thread is retried. They double with each attempt. */
const restartDelaysMs = { shortest: 500, longest: 30_000 };

/** A new message starts the search thread after this time. The thread follows the history at the same interval. */
const indexDelayMs = 1000;

/**
 * Opens the history in one SQLite file, in WAL mode. After the start the main thread does not access the disk. One
 * thread writes, one reads, one searches. The latter two start on demand, because each takes 8 MB. If a thread cannot
 * start, its calls fail with `storage_unavailable`, and the start is retried. The file belongs to one chat server;
 * other programs, such as a backup, may read it.
 * @param options.onFailure called if a thread dies, which only a bug can cause. All further calls fail.
 * @throws UnusableHistory
 */
export async function openSqliteHistory(options: {
  path: string;
  onFailure: (error: Error) => void;
  onBatch?: (batch: { messages: number; commitMs: number }) => void;
  onRenewal?: (is: Renewal) => void;
  onMigration?: (is: { migration: string }) => void;
}): Promise<History> {
  const { path, fileClaim } = claimFile(resolve(options.path));
  const listeners: ((change: Change) => void)[] = [];
  /** The last transaction whose changes are dispatched. */
  let dispatched = 0;
  /** Results of reads that include later transactions. They wait until the changes of these are dispatched. */
  let waitingReads: { commit: number; settle: () => void }[] = [];
  const onRead = ({ commit = 0, renewal }: Batch, settle: () => void) => {
    if (renewal !== undefined) options.onRenewal?.(renewal);
    if (commit <= dispatched) settle();
    else waitingReads.push({ commit, settle });
  };
  const reader = new LazyThread(() => Thread.start('reader', path, options.onFailure, onRead));
  const searcher = new LazyThread(() => Thread.start('searcher', path, options.onFailure, onRead));
  const searchTurns = new FairTurns(1);
  const onCommitted = ({ changes = [], commitMs, commit = 0 }: Batch, settle: () => void) => {
    for (const change of changes) for (const listener of listeners) listener(change);
    settle();
    dispatched = Math.max(dispatched, commit);
    const readyReads = waitingReads.filter((read) => read.commit <= dispatched);
    waitingReads = waitingReads.filter((read) => read.commit > dispatched);
    for (const read of readyReads) read.settle();
    const messages = changes.filter((change) => change.type === 'message' && change.is === 'new').length;
    if (messages > 0 && commitMs !== undefined) options.onBatch?.({ messages, commitMs });
    if (changes.some(needsIndexNow)) searcher.start();
    else if (messages > 0) searcher.startWithin(indexDelayMs);
  };
  let opened: Thread | undefined;
  try {
    opened = await Thread.start('writer', path, options.onFailure, onCommitted, options.onMigration);
    // Checked after the writer has migrated the file.
    if (!isIndexed(path)) searcher.start();
  } catch (error) {
    // Release the file only once the writer has stopped.
    await opened?.close();
    fileClaim.close();
    throw error;
  }
  const writer = opened;

  return {
    write: methods((op, input, asker) =>
      writer.call(asker === undefined ? { op, input } : { op, input, asker }),
    ),
    // The writer runs probes, because the write that a probe repeats may not be committed yet.
    probe: methods((op, input) => writer.call({ op, input, probe: true })),
    read: methods((op, input) => {
      const call = { op, input, read: true } as const;
      if (op in readsByWriter) return writer.call(call);
      return readInTurn((turn) => {
        // Searches have their own thread, so a long one does not block other reads.
        if (op in searches) return searchTurns.run(turn.account, () => searcher.call(call), turn.maxWaitMs);
        return reader.call({ ...call, turn });
      });
    }),
    // No other server writes here, and each write or read resolves after the changes that it includes are dispatched.
    current: () => Promise.resolve(),
    onChange: (listener) => {
      listeners.push(listener);
    },
    async close() {
      await searcher.close();
      await reader.close();
      await writer.close();
      fileClaim.close();
    },
  };
}

/** Opens the history in a file that no server uses, and that its caller has claimed. Only searches write, to the index. */
export function openSqliteReads(path: string): ReadOnlyHistory {
  const start = (name: 'reader' | 'searcher') =>
    new LazyThread(() =>
      Thread.start(
        name,
        realpathSync(path),
        () => {},
        (_, settle) => settle(),
      ),
    );
  const [reader, searcher] = [start('reader'), start('searcher')];
  return {
    read: methods((op, input) => (op in searches ? searcher : reader).call({ op, input, read: true })),
    async close() {
      await searcher.close();
      await reader.close();
    },
  };
}

/**
 * Checks whether a server can use the tables of the file, which may be missing or in use.
 * @throws UnusableHistory
 */
export function checkSqliteHistory(setting: string): void {
  const path = resolve(setting);
  if (!existsSync(path)) return;
  try {
    requireCurrent(realpathSync(path));
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      formatOf(db);
    } finally {
      db.close();
    }
  } catch (error) {
    throw new UnusableHistory(path, error as Error);
  }
}

/** @throws UnknownTables if a restore was interrupted, or if the history was moved */
function requireCurrent(path: string): void {
  if (existsSync(restoredOf(path)))
    throw new UnknownTables('a restore was interrupted: run the command "restore" again');
  if (existsSync(movedMarkOf(path))) throw movedAway();
}

/** Returns the path of a restored history before it replaces the old one: see server/backup/restore.ts. */
export const restoredOf = (path: string): string => `${path}-restored`;

/** Returns the path of the file that marks a moved history. */
export const movedMarkOf = (path: string): string => `${path}-moved`;

/** Whether the search index must follow at once: until then deleted texts stay in the history. */
function needsIndexNow(change: Change): boolean {
  if (change.type === 'message') return change.is !== 'new';
  return change.type === 'reset' || (change.type === 'room' && change.is === 'deleted');
}

/** Creates the file if it is missing, and claims it for this process. @returns its path without symbolic links */
function claimFile(path: string): { path: string; fileClaim: { close(): void } } {
  try {
    makeFolder(dirname(path));
    closeSync(openSync(path, 'a', 0o600));
    const real = realpathSync(path);
    // A lock file, not a lock on the database, because other programs may read that.
    const inUse =
      'another chat server is using it. If that server is for the same site, stop it. Otherwise give each site its own CHAT_HISTORY and CHAT_FILES';
    const fileClaim = claim(`${real}-lock`, inUse);
    try {
      requireCurrent(real);
    } catch (error) {
      fileClaim.close();
      throw error;
    }
    return { path: real, fileClaim };
  } catch (error) {
    throw new UnusableHistory(path, explained(path, error as Error));
  }
}

/**
 * Creates the folder of the history if it is missing.
 * @throws Error with the command for root, if this account lacks the permission
 */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'EACCES') throw cause;
    const account = accountName();
    const advice = `as root, run: install -d -o ${account} -m 700 ${folder}`;
    const error = new Error(
      `the account ${account} may not create the folder ${folder} (${code}); ${advice}`,
    );
    throw Object.assign(error, { code });
  }
}

/** Explains EROFS, which a systemd unit causes even if the disk can be written. */
function explained(path: string, error: Error & { code?: string }): Error {
  if (error.code !== 'EROFS') return error;
  const folder = dirname(path);
  const explanation = new Error(
    `the folder ${folder} is read-only for this process (EROFS): a systemd unit may write only to StateDirectory= and ReadWritePaths=. Move the history and the files to the StateDirectory=, in the Debian package /var/lib/php-session-chat/main, and correct CHAT_HISTORY and CHAT_FILES; or add ReadWritePaths=${folder} to the unit`,
  );
  return Object.assign(explanation, { code: error.code });
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a user ID without an account.
    return String(process.geteuid?.());
  }
}

/** A thread that starts on the first call. */
class LazyThread {
  readonly #start: () => Promise<Thread>;
  /** A rejected promise while the retry of a failed start is pending. */
  #starting: Promise<Thread> | undefined;
  #thread: Thread | undefined;
  #pause = restartDelaysMs.shortest;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(start: () => Promise<Thread>) {
    this.#start = start;
  }

  /** Starts the thread if it is not running. */
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

  /** Starts the thread within `ms` milliseconds. */
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
    this.#pause = Math.min(2 * this.#pause, restartDelaysMs.longest);
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

/** A worker thread of the history. */
class Thread {
  readonly #worker: Worker;
  /** Calls of one event-loop tick are sent together, because a message between threads costs more than most calls. */
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
    onMigration?: (is: { migration: string }) => void,
  ): Promise<Thread> {
    // In a bundle, this file and the thread's are compiled.
    const file = new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(file, { workerData: { path } });
    const thread = new Thread(worker);
    await new Promise<void>((resolve, reject) => {
      const onMessage = (reply: ThreadReply) => {
        if ('migration' in reply) return onMigration?.(reply);
        worker.off('message', onMessage).off('error', reject);
        resolve();
      };
      worker.on('message', onMessage).on('error', reject);
    }).catch((cause: Error) => {
      throw new UnusableHistory(path, cause);
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

  /** Calls the thread. The history's interface pairs operations with their inputs and outputs. */
  call<T>(call: {
    op: string;
    input: unknown;
    read?: true;
    probe?: true;
    asker?: string;
    turn?: Turn;
  }): Promise<T> {
    if (this.#failure !== undefined || this.#closing) {
      return Promise.reject(closed(this.#failure));
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
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
            retryAfterMs,
            current,
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
