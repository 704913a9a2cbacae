import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { RequestError } from '../../errors.ts';
import type { Change, Writes } from '../history.ts';
import { rules } from '../rules.ts';
import { probe } from '../work.ts';
import { type Connection, type Dialect, raw, type Sql, SqlError, sql } from './dialect.ts';
import { append, lastPosition, numberOf, positionOf } from './journal.ts';
import { load } from './load.ts';
import { needsOf } from './needs.ts';
import { store } from './store.ts';
import { Transaction } from './transaction.ts';
import { LoadedWork, Missing } from './work.ts';

/**
 * Most operations of one transaction, and characters of what they hold: it bounds how long the first of its senders waits,
 * and a database takes statements of so many bytes only.
 */
const maxBatch = 500;
const maxCharacters = 1024 * 1024;
/** About so many of a statement are those of one reaction. */
const charactersOfReaction = 100;

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

interface Call {
  op: keyof Writes;
  input: unknown;
  probe: boolean;
  asker: string | undefined;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

type Outcome = { value: unknown } | { error: Error };

interface Batch {
  outcomes: Outcome[];
  changes: Change[];
  commitMs: number;
  /** With several servers: the entry of this transaction. If it has none, or if that is not known: the last one there was. */
  entry?: number;
  upTo?: number;
}

/**
 * Writes in group commits: what is asked for while a transaction is under way shares the next one. One transaction at a
 * time, so its changes are handed out in the order of the commits. Other servers may write into the same database: each
 * transaction locks the rooms that it needs.
 */
export class Writer {
  readonly #dialect: Dialect;
  readonly #digestKey: Uint8Array;
  readonly #onBatch: (batch: Batch) => Promise<void> | undefined;
  /** Whether other servers are to learn of the changes. */
  readonly #shared: boolean;
  /** Until the changes of all transactions so far were handed out. */
  #handedOut: Promise<void> | undefined;
  /** This run of the server: see `chat_writers`. */
  readonly #id = randomUUID();
  #number = 0;
  #connection: Connection | undefined;
  #queue: Call[] = [];
  #running: Promise<void> | undefined;
  #closeBefore: number | undefined;

  /** @param options.onBatch hands the changes out; its promise resolves when it has, unless it does so at once */
  constructor(
    dialect: Dialect,
    digestKey: Uint8Array,
    options: { shared: boolean; onBatch: (batch: Batch) => Promise<void> | undefined },
  ) {
    this.#dialect = dialect;
    this.#digestKey = digestKey;
    this.#shared = options.shared;
    this.#onBatch = options.onBatch;
  }

  call(
    op: keyof Writes,
    input: unknown,
    more: { probe?: true; asker?: string | undefined },
  ): Promise<unknown> {
    if (this.#closeBefore !== undefined) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#queue.push({ op, input, probe: more.probe ?? false, asker: more.asker, resolve, reject });
      this.#running ??= this.#run();
    });
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
    while (this.#queue.length > 0) await this.#commit(this.#queue.splice(0, batchOf(this.#queue)));
    this.#running = undefined;
  }

  async #commit(calls: readonly Call[]): Promise<void> {
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
        // One by one: what is wrong with one of them is not the others' fault.
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

  get #isOver(): boolean {
    return this.#closeBefore !== undefined && performance.now() > this.#closeBefore;
  }

  #fail(calls: readonly Call[], error: unknown): void {
    const reason = error instanceof SqlError ? unavailable(error) : (error as Error);
    for (const call of calls) call.reject(reason);
  }

  async #transact(calls: readonly Call[]): Promise<Batch> {
    const began = performance.now();
    const connection = await this.#connected();
    const number = ++this.#number;
    const transaction = new Transaction(connection);
    const outcomes: Outcome[] = [];
    const changes: Change[] = [];
    let ending = false;
    const batch = (handOut: Pick<Batch, 'entry' | 'upTo'>): Batch => ({
      outcomes,
      changes,
      commitMs: performance.now() - began,
      ...handOut,
    });
    try {
      transaction.later(raw('BEGIN'));
      // It has to be there, and locked, before COMMIT is sent: see `#isCommitted`.
      transaction.later(this.#mark(number));
      const work = new LoadedWork(this.#digestKey);
      const place = { dialect: this.#dialect, transaction };
      await load(
        place,
        work,
        calls.flatMap(({ op, input }) => needsOf(op, input)),
      );
      await transaction.flush();
      for (const call of calls) {
        outcomes.push(await perform(call, work, changes, (missing) => load(place, work, [missing.need])));
      }
      const changed = work.changed || changes.length > 0;
      if (changed) await store(place, work);
      ending = changed;
      const end = raw(changed ? 'COMMIT' : 'ROLLBACK');
      if (!this.#shared) {
        await transaction.query(end);
        return batch({});
      }
      // Last, and in one trip with COMMIT: an entry locks what all servers need. If there is none, what the rules have seen
      // is known here before they are answered.
      const numbered = changes.length > 0 ? append(this.#dialect, changes) : [lastPosition];
      const [answer = []] = await transaction.queryAll([...numbered, end]);
      return batch(changes.length > 0 ? { entry: numberOf(answer) } : { upTo: numberOf(answer) });
    } catch (error) {
      if (!ending || !(error instanceof SqlError && error.problem === 'lost')) {
        await connection.query(raw('ROLLBACK')).catch(() => this.#disconnect());
        throw error;
      }
      this.#disconnect();
      const last = await this.#isCommitted(number);
      if (last === null) throw error;
      // Its number is lost. It is among those up to the last one.
      return batch(this.#shared ? { upTo: last } : {});
    }
  }

  async #connected(): Promise<Connection> {
    if (this.#connection !== undefined) return this.#connection;
    const connection = await this.#dialect.connect();
    try {
      // Apart from the transactions: each finds the row, and its lock can be waited for.
      await connection.query(this.#mark(this.#number));
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
        this.#fail(this.#queue.splice(0), error);
        await pause(askAgain);
      }
    }
  }
}

/** How many of the calls make the next transaction; one at least. A step of an erasure has one of its own. */
function batchOf(calls: readonly Call[]): number {
  let characters = 0;
  let size = 0;
  for (const call of calls) {
    characters += charactersOf(call);
    if (call.op === 'eraseStep') return Math.max(size, 1);
    if (size === maxBatch || (characters > maxCharacters && size > 0)) break;
    size++;
  }
  return size;
}

function charactersOf({ op, input }: Call): number {
  if (op === 'tell') return JSON.stringify(input).length;
  const { text = '', reactions = [] } = input as { text?: string; reactions?: readonly unknown[] };
  return text.length + reactions.length * charactersOfReaction;
}

/** Carries out one operation. A refusal is an answer; anything else that is thrown undoes the whole transaction. */
async function perform(
  call: Call,
  work: LoadedWork,
  changes: Change[],
  onMissing: (missing: Missing) => Promise<void>,
): Promise<Outcome> {
  const { op, input, asker } = call;
  if (!(op in rules)) throw new Error(`the history has no write called ${op}`);
  // The map pairs each operation with its input; TypeScript cannot follow that.
  const rule = rules[op as 'send'];
  const made = changes.length;
  for (;;) {
    work.begin();
    try {
      if (call.probe) {
        const known = probe(work, (readOnly) => rule(readOnly as LoadedWork, input as never, []));
        return { value: known?.value ?? null };
      }
      const value = rule(work, input as never, changes);
      if (asker !== undefined) for (const change of changes.slice(made)) change.asker = asker;
      return { value };
    } catch (error) {
      work.undo();
      changes.length = made;
      if (error instanceof RequestError) return { error };
      if (!(error instanceof Missing)) throw error;
      await onMissing(error);
    }
  }
}

/** The error that a client gets when the database has failed. */
export function unavailable(error: SqlError): RequestError {
  return new RequestError(error.code, error.message, { cause: error });
}

export function closed(cause?: unknown): RequestError {
  return new RequestError('storage_unavailable', 'the history is closed', { cause });
}
