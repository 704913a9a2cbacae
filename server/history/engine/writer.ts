import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { RequestError } from '../../wire/errors.ts';
import type { Change } from '../changes.ts';
import type { ErasureWrites } from '../erasure/erasing.ts';
import type { Writes } from '../history.ts';
import { batchOf, type Call, carryOut, type Outcome } from './batch.ts';
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
import { erasedDigest } from './sqlite/erased.ts';
import { Transaction } from './transaction.ts';
import type { Subjects } from './work.ts';

/**
 * Most operations of one transaction, and characters of what they hold: it bounds how long the first of its senders waits,
 * and a database takes statements of so many bytes only.
 */
const maxBatch = { calls: 500, characters: 1024 * 1024 };

/**
 * The pauses before a transaction is tried again, in milliseconds. Together they last as long as a short restart of the
 * database; when more time than `longestTry` is over, it is not tried again: its clients have no answer yet.
 */
const pauses = [0, 20, 100, 300, 600, 1000];
const longestTry = 4000;

/** The pause before the outcome of a COMMIT is asked for again. */
const askAgain = 250;
/** How long that is tried when the history is being closed. */
const longestClose = 2000;

interface Asked extends Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Batch {
  outcomes: Outcome[];
  changes: Change[];
  commitMs: number;
  /**
   * With several servers: the entry of this transaction. If it has none, or if that is not known: the last one there
   * was.
   */
  entry?: number;
  upTo?: number;
}

/**
 * Writes in group commits: what is asked for while a transaction is under way shares the next one. There is one
 * transaction at a time, so its changes are handed out in the order of the commits. Other servers may write into the
 * same database: each
 * transaction locks the rooms that it needs.
 */
export class Writer {
  readonly #dialect: ServerDialect;
  readonly #digestKey: Uint8Array;
  readonly #subjects: Subjects;
  readonly #onBatch: (batch: Batch) => Promise<void> | undefined;
  /** Whether other servers are to learn of the changes. */
  readonly #shared: boolean;
  /** The types of changes that go into the log; undefined until it is known. */
  #types: number | undefined;
  /** Until the changes of all transactions so far were handed out. */
  #handedOut: Promise<void> | undefined;
  /** Until the transaction that is being committed was handed out. */
  #ending: PromiseWithResolvers<void> | undefined;
  /** This run of the server: see `chat_writers`. */
  readonly #id = randomUUID();
  #number = 0;
  #connection: DatabaseConnection | undefined;
  #queue: Asked[] = [];
  #running: Promise<void> | undefined;
  #closeBefore: number | undefined;

  /** @param options.onBatch hands the changes out; its promise resolves when it has, unless it does so at once */
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

  call(
    op: keyof Writes,
    input: unknown,
    more: { probe?: true; asker?: string | undefined },
  ): Promise<unknown> {
    if (this.#closeBefore !== undefined) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#queue.push({ op, input, ...more, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /**
   * Resolves when all that others can see was handed out, by a server that is alone: a transaction is seen when it is
   * committed, before the answer to its COMMIT is here. Rejects if the database is gone meanwhile.
   */
  async current(): Promise<void> {
    await this.#ending?.promise;
  }

  /** Finishes what was asked for. */
  async close(): Promise<void> {
    this.#closeBefore ??= performance.now() + longestClose;
    await this.#running;
    // A lost database may keep it from ever being handed out.
    const rest = Math.max(0, this.#closeBefore - performance.now());
    await Promise.race([this.#handedOut, pause(rest, undefined, { ref: false })]);
    await this.#connection?.query(sql`DELETE FROM chat_writers WHERE id = ${this.#id}`).catch(() => {});
    this.#connection?.destroy();
  }

  async #run(): Promise<void> {
    // The calls of one turn of the event loop go together.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      await this.#commit(this.#queue.splice(0, batchOf(this.#subjects, this.#queue, maxBatch))).finally(() =>
        this.#ended(),
      );
    }
    this.#running = undefined;
  }

  async #commit(calls: readonly Asked[]): Promise<void> {
    const began = performance.now();
    let batch: Batch | undefined;
    for (let tried = 0; batch === undefined; tried++) {
      try {
        batch = await this.#transact(calls);
      } catch (error) {
        const problem = error instanceof SqlError ? error.problem : 'refused';
        const again = problem === 'again' || problem === 'lost';
        const wait = performance.now() - began < longestTry ? pauses[tried] : undefined;
        if (again && wait !== undefined && !this.#isOver) {
          await pause(wait * (0.5 + Math.random()));
          continue;
        }
        // Each by itself, so that an invalid call does not fail the others.
        if (!again && calls.length > 1) {
          for (const call of calls) await this.#commit([call]);
          return;
        }
        this.#fail(calls, error);
        // They would wait for the same failure, each in its turn.
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
    const handedOut = this.#onBatch(batch);
    if (handedOut === undefined) return answer();
    // The next transaction goes on meanwhile.
    this.#handedOut = handedOut.then(answer, (error) => this.#fail(calls, error));
  }

  #ended(): void {
    this.#ending?.resolve();
    this.#ending = undefined;
  }

  /** It is not known yet whether it has ended, and may stay so for long. */
  #unsure(error: SqlError): void {
    this.#fail(this.#queue.splice(0), error);
    if (this.#ending === undefined) return;
    this.#ending.reject(unavailable(error));
    this.#ending = awaited();
  }

  get #isOver(): boolean {
    return this.#closeBefore !== undefined && performance.now() > this.#closeBefore;
  }

  #fail(calls: readonly Asked[], error: unknown): void {
    const reason = error instanceof SqlError ? unavailable(error) : (error as Error);
    for (const call of calls) call.reject(reason);
  }

  async #transact(calls: readonly Asked[]): Promise<Batch> {
    const began = performance.now();
    const connection = await this.#connected();
    const number = ++this.#number;
    const transaction = new Transaction();
    const asked = <T>(asking: Asking<T>) => answered(asking, connection);
    let ending: Batch | undefined;
    try {
      transaction.later(raw('BEGIN'));
      // It has to be there, and locked, before COMMIT is sent: see `#isCommitted`.
      transaction.later(this.#mark(number));
      const place = {
        dialect: this.#dialect,
        transaction,
        subjects: this.#subjects,
        digestKey: this.#digestKey,
      };
      const { outcomes, changes, changed } = await asked(carryOut(place, calls));
      this.#listErased(transaction, calls);
      const batch = (handOut: Pick<Batch, 'entry' | 'upTo'>): Batch => ({
        outcomes,
        changes,
        commitMs: performance.now() - began,
        ...handOut,
      });
      if (changed) ending = batch({});
      const end = raw(changed ? 'COMMIT' : 'ROLLBACK');
      this.#types = await asked(typesAfter(calls, this.#types ?? 0));
      const logged = ofTypes(changes, this.#types);
      // Last, and in one trip with COMMIT: an entry locks what all servers need.
      const entry = logged.length > 0 ? append(this.#dialect, logged) : [];
      if (!this.#shared) {
        if (changed) this.#ending ??= awaited();
        await asked(transaction.queryAll([...entry, end]));
        return batch({});
      }
      // If there is no entry, what the rules have seen is known here before they are answered.
      const numbered = entry.length > 0 ? entry : [lastPosition];
      const [answer = []] = await asked(transaction.queryAll([...numbered, end]));
      return batch(entry.length > 0 ? { entry: numberOf(answer) } : { upTo: numberOf(answer) });
    } catch (error) {
      if (ending === undefined || !(error instanceof SqlError && error.problem === 'lost')) {
        await connection.query(raw('ROLLBACK')).catch(() => this.#disconnect());
        throw error;
      }
      this.#disconnect();
      const last = await this.#isCommitted(number);
      if (last === null) throw error;
      // Its number is lost. It is among those up to the last one.
      return { ...ending, commitMs: performance.now() - began, ...(this.#shared ? { upTo: last } : {}) };
    }
  }

  async #connected(): Promise<DatabaseConnection> {
    if (this.#connection !== undefined) return this.#connection;
    const connection = await this.#dialect.connect();
    try {
      // Apart from the transactions: each finds the row, and its lock can be waited for.
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

  /** So that a backup from before an erasure does not undo it. */
  #listErased(transaction: Transaction, calls: readonly Asked[]): void {
    const rows = calls.flatMap(({ op, input, probe }) => {
      if (op !== 'erase' || probe === true) return [];
      const { user, at, messages } = input as ErasureWrites['erase']['in'];
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
   * Whether the transaction of that number, whose COMMIT got no answer, has been carried out. It waits for as long as it
   * takes: nothing else is written before the answer is known, and no client gets a guess.
   * @returns the number of the last entry since; null if it has not
   */
  async #isCommitted(number: number): Promise<number | null> {
    for (;;) {
      try {
        const connection = await this.#dialect.connect();
        try {
          // Waits for the lock of that transaction, if it still goes on.
          const [row] = await connection.query(
            sql`SELECT num FROM chat_writers WHERE id = ${this.#id} FOR UPDATE`,
          );
          return row?.num === number ? await positionOf(connection) : null;
        } finally {
          connection.destroy();
        }
      } catch (error) {
        if (!(error instanceof SqlError) || this.#isOver) throw error;
        this.#unsure(error);
        await pause(askAgain);
      }
    }
  }
}

function awaited(): PromiseWithResolvers<void> {
  const ending = Promise.withResolvers<void>();
  // Perhaps nobody waits for it.
  ending.promise.catch(() => {});
  return ending;
}

/** The error that a client gets when the database has failed. */
export function unavailable(error: SqlError): RequestError {
  return new RequestError(error.code, error.message, { cause: error });
}

export function closed(cause?: unknown): RequestError {
  return new RequestError('storage_unavailable', 'the history is closed', { cause });
}
