import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { RequestError } from '../../wire/errors.ts';
import type { Change } from '../records/changes.ts';
import { batchOf, type Call, type Outcome, runBatch } from './batch.ts';
import {
  allTypes,
  append,
  lastPosition,
  numberOf,
  ofTypes,
  positionOf,
  typesAfter,
  wantedTypes,
} from './change-log.ts';
import {
  type Asking,
  answered,
  type DatabaseConnection,
  raw,
  type ServerDialect,
  type Sql,
  SqlError,
  sql,
} from './dialect.ts';
import type { LostErasure } from './erase-again.ts';
import { erasedDigest } from './sqlite/erased.ts';
import { Transaction } from './transaction.ts';
import type { Subjects } from './work.ts';

/**
 * Limits of one transaction: operations, and characters of their texts. They bound how long the first sender waits,
 * and the size of statements, which the database limits.
 */
const maxBatch = { calls: 500, characters: 1024 * 1024 };

/**
 * Delays between attempts of a transaction, in milliseconds. Together they cover a short restart of the database. A
 * failure after `maxRetryMs` is final, because clients wait for their responses.
 */
const retryDelaysMs = [0, 20, 100, 300, 600, 1000];
const maxRetryMs = 4000;

/** Delay between checks whether a COMMIT succeeded, in milliseconds. */
const checkDelayMs = 250;
/** The time for retries and dispatching during `close`, in milliseconds. */
const maxCloseMs = 2000;

interface QueuedCall extends Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Batch {
  outcomes: Outcome[];
  changes: Change[];
  commitMs: number;
  /** With several servers: the log entry of this transaction. */
  entry?: number;
  /** The last log entry, if this transaction has none or its number is unknown. */
  upTo?: number;
}

/**
 * Writes in group commits: operations that arrive during a transaction share the next one. Transactions run one at a
 * time, so their changes are dispatched in commit order. Other servers may write to the same database, so each
 * transaction locks the rooms that it needs.
 */
export class Writer {
  readonly #dialect: ServerDialect;
  readonly #digestKey: Uint8Array;
  readonly #subjects: Subjects;
  readonly #onBatch: (batch: Batch) => Promise<void> | undefined;
  /** Whether other servers must receive the changes. */
  readonly #shared: boolean;
  /** The change types to log. Undefined until read from the database. */
  #types: number | undefined;
  /** Resolves when the changes of all transactions so far are dispatched. */
  #dispatched: Promise<void> | undefined;
  /** Resolves when the transaction being committed is dispatched. */
  #ending: PromiseWithResolvers<void> | undefined;
  /** The ID of this process instance in `chat_writers`. */
  readonly #id = randomUUID();
  #number = 0;
  #connection: DatabaseConnection | undefined;
  #queue: QueuedCall[] = [];
  #running: Promise<void> | undefined;
  #closeBefore: number | undefined;

  /** @param options.onBatch dispatches the changes. Returns a promise if it cannot do so at once. */
  constructor(
    dialect: ServerDialect,
    digestKey: Uint8Array,
    options: { subjects: Subjects; shared: boolean; onBatch: (batch: Batch) => Promise<void> | undefined },
  ) {
    this.#dialect = dialect;
    this.#digestKey = digestKey;
    this.#subjects = options.subjects;
    this.#shared = options.shared;
    if (options.shared) this.#types = allTypes;
    this.#onBatch = options.onBatch;
  }

  call(op: string, input: unknown, more: { probe?: true; asker?: string | undefined }): Promise<unknown> {
    if (this.#closeBefore !== undefined) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#queue.push({ op, input, ...more, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /**
   * Resolves when everything visible to readers is dispatched, for a server that runs alone. A committed transaction is
   * visible before this server receives the response to COMMIT. Rejects if the database is lost during the wait.
   */
  async current(): Promise<void> {
    await this.#ending?.promise;
  }

  /** Finishes the queued operations. */
  async close(): Promise<void> {
    this.#closeBefore ??= performance.now() + maxCloseMs;
    await this.#running;
    // If the database is lost, the last changes may never be dispatched.
    const rest = Math.max(0, this.#closeBefore - performance.now());
    await Promise.race([this.#dispatched, pause(rest, undefined, { ref: false })]);
    await this.#connection?.query(sql`DELETE FROM chat_writers WHERE id = ${this.#id}`).catch(() => {});
    this.#connection?.destroy();
  }

  async #run(): Promise<void> {
    // Batches the calls of one event-loop tick.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      await this.#commit(this.#queue.splice(0, batchOf(this.#subjects, this.#queue, maxBatch))).finally(() =>
        this.#finishEnding(),
      );
    }
    this.#running = undefined;
  }

  async #commit(calls: readonly QueuedCall[]): Promise<void> {
    const began = performance.now();
    let batch: Batch | undefined;
    for (let attempt = 0; batch === undefined; attempt++) {
      try {
        batch = await this.#transact(calls);
      } catch (error) {
        const problem = error instanceof SqlError ? error.problem : 'refused';
        const isRetryable = problem === 'again' || problem === 'lost';
        const wait = performance.now() - began < maxRetryMs ? retryDelaysMs[attempt] : undefined;
        if (isRetryable && wait !== undefined && !this.#isPastClose) {
          await pause(wait * (0.5 + Math.random()));
          continue;
        }
        // One at a time, so that an invalid call does not fail the others.
        if (!isRetryable && calls.length > 1) {
          for (const call of calls) await this.#commit([call]);
          return;
        }
        this.#fail(calls, error);
        // Otherwise each queued call would wait for the same failure.
        if (problem === 'lost') this.#fail(this.#queue.splice(0), error);
        return;
      }
    }
    const { outcomes } = batch;
    const answer = () => {
      for (const [n, call] of calls.entries()) {
        const outcome = outcomes[n] as Outcome;
        if ('value' in outcome) call.resolve(outcome.value);
        else call.reject(outcome.error);
      }
    };
    const dispatched = this.#onBatch(batch);
    if (dispatched === undefined) return answer();
    // The next transaction does not wait for the dispatch.
    this.#dispatched = dispatched.then(answer, (error) => this.#fail(calls, error));
  }

  #finishEnding(): void {
    this.#ending?.resolve();
    this.#ending = undefined;
  }

  /** Fails the waiting calls and reads while the outcome of a COMMIT is unknown, which may take long. */
  #failWaiting(error: SqlError): void {
    this.#fail(this.#queue.splice(0), error);
    if (this.#ending === undefined) return;
    this.#ending.reject(unavailable(error));
    this.#ending = createEnding();
  }

  get #isPastClose(): boolean {
    return this.#closeBefore !== undefined && performance.now() > this.#closeBefore;
  }

  #fail(calls: readonly QueuedCall[], error: unknown): void {
    const reason = error instanceof SqlError ? unavailable(error) : (error as Error);
    for (const call of calls) call.reject(reason);
  }

  async #transact(calls: readonly QueuedCall[]): Promise<Batch> {
    const began = performance.now();
    const connection = await this.#connected();
    const number = ++this.#number;
    const transaction = new Transaction();
    const run = <T>(asking: Asking<T>) => answered(asking, connection);
    let ending: Batch | undefined;
    try {
      transaction.later(raw('BEGIN'));
      // The row must be written and locked before COMMIT is sent: see `#isCommitted`.
      transaction.later(this.#mark(number));
      const context = {
        dialect: this.#dialect,
        transaction,
        subjects: this.#subjects,
        digestKey: this.#digestKey,
      };
      const { outcomes, changes, changed } = await run(runBatch(context, calls));
      this.#listErased(transaction, calls);
      const batch = (position: Pick<Batch, 'entry' | 'upTo'>): Batch => ({
        outcomes,
        changes,
        commitMs: performance.now() - began,
        ...position,
      });
      if (changed) ending = batch({});
      const end = raw(changed ? 'COMMIT' : 'ROLLBACK');
      this.#types = await run(typesAfter(calls, this.#types ?? 0));
      const logged = ofTypes(changes, this.#types);
      // Last, and in one round trip with COMMIT: appending locks a row that all servers need.
      const entry = logged.length > 0 ? append(this.#dialect, logged) : [];
      if (!this.#shared) {
        if (changed) this.#ending ??= createEnding();
        await run(transaction.queryAll([...entry, end]));
        return batch({});
      }
      // Without an entry, the response waits for the entries of other servers that the rules may have read.
      const numbered = entry.length > 0 ? entry : [lastPosition];
      const [answer = []] = await run(transaction.queryAll([...numbered, end]));
      return batch(entry.length > 0 ? { entry: numberOf(answer) } : { upTo: numberOf(answer) });
    } catch (error) {
      if (ending === undefined || !(error instanceof SqlError && error.problem === 'lost')) {
        await connection.query(raw('ROLLBACK')).catch(() => this.#disconnect());
        throw error;
      }
      this.#disconnect();
      const last = await this.#isCommitted(number);
      if (last === null) throw error;
      // The entry's number is lost, but is at most the number of the current last entry.
      return { ...ending, commitMs: performance.now() - began, ...(this.#shared ? { upTo: last } : {}) };
    }
  }

  async #connected(): Promise<DatabaseConnection> {
    if (this.#connection !== undefined) return this.#connection;
    const connection = await this.#dialect.connect();
    try {
      // Outside a transaction, so that the row exists and later transactions only lock it.
      await connection.query(this.#mark(this.#number));
      this.#types ??= await answered(wantedTypes(), connection);
    } catch (error) {
      connection.destroy();
      throw error;
    }
    this.#connection = connection;
    return connection;
  }

  #mark(number: number): Sql {
    const row = [this.#id, number, Date.now()];
    return this.#dialect.upsert('chat_writers', ['id'], ['id', 'num', 'since'], [row]);
  }

  /** Lists erasures, so that restoring an older backup does not undo them. */
  #listErased(transaction: Transaction, calls: readonly QueuedCall[]): void {
    const rows = calls.flatMap(({ op, input, probe }) => {
      if (op !== 'erase' || probe === true) return [];
      const { user, at, messages } = input as LostErasure;
      return [[erasedDigest(this.#digestKey, user), at, messages]];
    });
    if (rows.length === 0) return;
    transaction.later(this.#dialect.insertNew('chat_erased', ['digest', 'at', 'erases'], rows));
  }

  #disconnect(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  /**
   * Checks whether a transaction whose COMMIT got no response was committed. Retries until the database responds,
   * because no other write may run before, and clients must not receive a guess.
   * @returns the number of the log's last entry; null if the transaction was not committed
   */
  async #isCommitted(number: number): Promise<number | null> {
    for (;;) {
      try {
        const connection = await this.#dialect.connect();
        try {
          // If the transaction is still running, this waits for its lock.
          const [row] = await connection.query(
            sql`SELECT num FROM chat_writers WHERE id = ${this.#id} FOR UPDATE`,
          );
          return row?.num === number ? await positionOf(connection) : null;
        } finally {
          connection.destroy();
        }
      } catch (error) {
        if (!(error instanceof SqlError) || this.#isPastClose) throw error;
        this.#failWaiting(error);
        await pause(checkDelayMs);
      }
    }
  }
}

function createEnding(): PromiseWithResolvers<void> {
  const ending = Promise.withResolvers<void>();
  // Prevents an unhandled rejection if no read is waiting.
  ending.promise.catch(() => {});
  return ending;
}

/** Converts a database failure to the error that clients receive. */
export function unavailable(error: SqlError): RequestError {
  return new RequestError(error.code, error.message, { cause: error });
}

export function closed(cause?: unknown): RequestError {
  return new RequestError('storage_unavailable', 'the history is closed', { cause });
}
