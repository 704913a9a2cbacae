import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Change,
  type ConsumedRows,
  type History,
  type LoggedEntry,
  leaseTime,
  type Writes,
} from '../history/history.ts';
import { pauses } from './rounds.ts';

/** The lease of a consumer, which one server holds at a time. */
export interface Lease {
  /** The name under which this server holds it. */
  server: string;
  /** Aborts when the server shuts down. */
  signal: AbortSignal;
}

/** Something that follows the log of changes: a name, and a function over its entries. */
export interface Consumer {
  /** The position is stored under this name. */
  name: string;
  /** The types of changes that it takes. It gets all changes of an entry that has such a change. */
  types: readonly Change['type'][];
  /** Milliseconds for which changes are gathered: each time it takes entries costs two transactions. None by default. */
  gather?: number;
  /** Milliseconds between two times while changes keep coming, if that is more. */
  apart?: number;
  /**
   * Takes the next entries. If it throws, or if the server ends before the position is stored, they come again, here or on
   * another server. If entries were skipped, there may be none. The rows that it returns are stored exactly once: in one
   * transaction with the position.
   * @throws when it has not taken all of them
   */
  take(entries: readonly LoggedEntry[], lease: Lease): Promise<ConsumedRows> | ConsumedRows;
  /** Called when such rows are stored. */
  stored?(rows: ConsumedRows): void;
}

interface Failures {
  /** Called when a consumer has failed, or the history: it is tried again after a pause. */
  onFailure(consumer: string, error: Error): void;
  /** Called when entries were deleted before a consumer has taken them: it was too far behind. */
  onSkipped(consumer: string, entries: number): void;
}

/** Entries that are taken at once. */
const mostEntries = 100;
/** Milliseconds until a consumer passes entries that hold nothing for it, so that they can be deleted. */
const passAfter = 30_000;
/** Milliseconds that they have to stop. Entries that are not done by then come again. */
const longestStop = 2000;

/**
 * Has consumers follow the log of changes of a history: each on one of its servers at a time. The changes wake them;
 * nothing is done while there are none. A consumer that fails holds up no other.
 */
export function runConsumers(
  history: History,
  consumers: readonly Consumer[],
  failures: Failures,
): { stop(): Promise<void> } {
  const server = randomUUID();
  const runs = consumers.map((consumer) => new Run(history, consumer, server, failures));
  history.onChange(({ type }) => {
    for (const run of runs) run.changed(type);
  });
  for (const run of runs) run.wake();
  history.write
    .keepConsumers({ names: consumers.map(({ name }) => name) })
    .catch((error: Error) => failures.onFailure('all', error));
  return {
    async stop() {
      await Promise.race([
        Promise.all(runs.map((run) => run.stop())),
        pause(longestStop, undefined, { ref: false }),
      ]);
    },
  };
}

/** A consumer on this server. */
class Run {
  readonly #history: History;
  readonly #consumer: Consumer;
  readonly #server: string;
  readonly #failures: Failures;
  readonly #stopping = new AbortController();
  #isWoken = false;
  /** Another server holds the lease, or the last attempt failed: a change does not wake it earlier. */
  #isWaiting = false;
  #running: Promise<void> | undefined;
  #later: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #pause = pauses.shortest;
  /** When it last began to take entries, in milliseconds of `performance.now()`. */
  #began = Number.NEGATIVE_INFINITY;

  constructor(history: History, consumer: Consumer, server: string, failures: Failures) {
    this.#history = history;
    this.#consumer = consumer;
    this.#server = server;
    this.#failures = failures;
  }

  changed(type: Change['type']): void {
    const { types, gather, apart = 0 } = this.#consumer;
    if (types.includes(type)) {
      if (gather === undefined) this.wake();
      else this.#gathering ??= this.#wakeAfter(Math.max(gather, this.#began + apart - performance.now()));
    } else this.#later ??= this.#wakeIn(passAfter);
  }

  wake(): void {
    this.#isWoken = true;
    if (this.#isWaiting || this.#stopping.signal.aborted) return;
    this.#running ??= this.#run();
  }

  /** Gives the lease back, after the entries that are being taken. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#later);
    clearTimeout(this.#gathering);
    await this.#running;
    // If the history fails, the lease ends by itself.
    await this.#consume({ lease: 0, most: 0, renews: true }).catch(() => {});
  }

  #wakeAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#gathering = undefined;
      this.wake();
    }, ms).unref();
  }

  #wakeIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#later = undefined;
      this.#isWaiting = false;
      this.wake();
    }, ms).unref();
  }

  async #run(): Promise<void> {
    while (this.#isWoken && !this.#stopping.signal.aborted) {
      this.#isWoken = false;
      this.#began = performance.now();
      let wait: number | undefined;
      try {
        wait = await this.#takeAll();
        this.#pause = pauses.shortest;
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        this.#failures.onFailure(this.#consumer.name, error as Error);
        wait = this.#pause;
        this.#pause = Math.min(2 * this.#pause, pauses.longest);
      }
      if (wait === undefined) continue;
      clearTimeout(this.#later);
      this.#isWaiting = true;
      this.#later = this.#wakeIn(wait);
      break;
    }
    this.#running = undefined;
  }

  /** Takes entries until none is left. @returns milliseconds for which another server holds the lease */
  async #takeAll(): Promise<number | undefined> {
    const { name } = this.#consumer;
    let done: { done?: number; rows?: ConsumedRows } = {};
    for (;;) {
      const next = await this.#consume({ lease: leaseTime, most: mostEntries, ...done });
      if (done.rows !== undefined) this.#consumer.stored?.(done.rows);
      if ('heldFor' in next) return next.heldFor;
      const { entries, skipped, upTo } = next;
      if (skipped > 0) this.#failures.onSkipped(name, skipped);
      if (entries.length + skipped === 0 || this.#stopping.signal.aborted) return undefined;
      done = { done: upTo, rows: await this.#take(entries) };
    }
  }

  async #take(entries: readonly LoggedEntry[]): Promise<ConsumedRows> {
    // If that fails, another server may go on: the position then tells.
    const renew = () => this.#consume({ lease: leaseTime, most: 0, renews: true }).catch(() => {});
    const renewing = setInterval(renew, leaseTime / 3).unref();
    try {
      return await this.#consumer.take(entries, { server: this.#server, signal: this.#stopping.signal });
    } finally {
      clearInterval(renewing);
    }
  }

  #consume(input: Omit<Writes['consume']['in'], 'name' | 'by' | 'types'>) {
    const { name, types } = this.#consumer;
    return this.#history.write.consume({ name, by: this.#server, types, ...input });
  }
}
