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
  /** The ID under which this server holds the lease. */
  server: string;
  /** Aborts when the server shuts down. */
  signal: AbortSignal;
}

/** A consumer of the change log. */
export interface Consumer {
  /** The position is stored under this name. */
  name: string;
  /** The types of changes to consume. An entry with such a change is passed with all its changes. */
  types: readonly Change['type'][];
  /** Changes are batched for this time, in milliseconds, because each batch costs two transactions. Default 0. */
  batchMs?: number;
  /** Minimum time between the starts of two batches, in milliseconds. Only with `batchMs`, and if it is longer. */
  apart?: number;
  /**
   * Processes the next entries. `entries` can be empty if entries were skipped. After an error, or a crash before the
   * position is stored, the entries are passed again, here or on another server. The returned rows are stored exactly
   * once, in one transaction with the position.
   * @throws if it did not process all entries
   */
  take(entries: readonly LoggedEntry[], lease: Lease): Promise<ConsumedRows> | ConsumedRows;
  /** Called after the rows were stored, or were discarded because another server took the lease. */
  stored?(rows: ConsumedRows): void;
}

interface Failures {
  /** Called when a consumer or the history fails. It is retried after a delay. */
  onFailure(consumer: string, error: Error): void;
  /** Called when entries were deleted before a consumer processed them, because it was too far behind. */
  onSkipped(consumer: string, entries: number): void;
}

/** Maximum entries of one batch. */
const mostEntries = 100;
/**
 * A consumer moves past entries without changes for it after this time, in milliseconds, so that they can be deleted.
 */
const passAfter = 30_000;
/** The time for consumers to stop, in milliseconds. Unfinished entries are processed after the next start. */
const longestStop = 2000;

/**
 * Runs the consumers of the change log, each on one server at a time. Changes wake them, and they are idle without
 * changes. A failing consumer does not delay others.
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
  /** Whether another server holds the lease, or the last attempt failed. Changes do not wake the consumer then. */
  #isWaiting = false;
  #running: Promise<void> | undefined;
  #later: NodeJS.Timeout | undefined;
  #batchTimer: NodeJS.Timeout | undefined;
  #pause = pauses.shortest;
  /** When the last batch started, as in `performance.now()`. */
  #began = Number.NEGATIVE_INFINITY;

  constructor(history: History, consumer: Consumer, server: string, failures: Failures) {
    this.#history = history;
    this.#consumer = consumer;
    this.#server = server;
    this.#failures = failures;
  }

  changed(type: Change['type']): void {
    const { types, batchMs, apart = 0 } = this.#consumer;
    if (types.includes(type)) {
      if (batchMs === undefined) this.wake();
      else this.#batchTimer ??= this.#wakeAfter(Math.max(batchMs, this.#began + apart - performance.now()));
    } else this.#later ??= this.#wakeIn(passAfter);
  }

  wake(): void {
    this.#isWoken = true;
    if (this.#isWaiting || this.#stopping.signal.aborted) return;
    this.#running ??= this.#run();
  }

  /** Releases the lease after the current entries. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#later);
    clearTimeout(this.#batchTimer);
    await this.#running;
    // If this fails, the lease expires.
    await this.#consume({ lease: 0, most: 0, renews: true }).catch(() => {});
  }

  #wakeAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#batchTimer = undefined;
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

  /** Processes entries until none are left. @returns the remaining lease of another server in milliseconds, if any */
  async #takeAll(): Promise<number | undefined> {
    const { name } = this.#consumer;
    let done: { done?: number; rows?: ConsumedRows } = {};
    for (;;) {
      const next = await this.#consume({ lease: leaseTime, most: mostEntries, ...done });
      if (done.rows !== undefined) this.#consumer.stored?.(done.rows);
      if ('leasedForMs' in next) return next.leasedForMs;
      const { entries, skipped, upTo } = next;
      if (skipped > 0) this.#failures.onSkipped(name, skipped);
      if (entries.length + skipped === 0 || this.#stopping.signal.aborted) return undefined;
      done = { done: upTo, rows: await this.#take(entries) };
    }
  }

  async #take(entries: readonly LoggedEntry[]): Promise<ConsumedRows> {
    // If this fails, another server may take over. The position of this server is not stored then.
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
