import type { Change } from '../records/changes.ts';
import type { Entry } from './change-log.ts';
import { SqlError } from './dialect.ts';

/** With a bus: the usual maximum delay of a hint. After it, missing entries are read. */
const hintTimeoutMs = 20;
/** Without a bus: the delay before a read. Entries committed within it are read together. */
const batchDelayMs = 2;
/** Delay in milliseconds after a read that failed or returned nothing. */
const retryDelayMs = 250;
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, retryDelayMs));
/** Maximum buffered entries of other servers. Further ones are read from the log later. */
const maxBuffered = 1000;

/**
 * Dispatches the changes of all servers, including this one, in log order. An entry that was already dispatched is
 * ignored. If earlier entries are missing, they are awaited, and then read from the log. So all servers use the same
 * order, and a lost, late or duplicate hint does no harm.
 */
export class Delivery {
  readonly #read: (after: number) => Promise<Entry[]>;
  readonly #deliver: (changes: readonly Change[]) => void;
  readonly #onFailure: (error: Error) => void;
  readonly #delayMs: number;
  /** The number of the last dispatched entry, and of the newest entry that this server knows of. */
  #position: number;
  #newest: number;
  readonly #buffered = new Map<number, readonly Change[]>();
  #waiters: { num: number; resolve(): void; reject(error: Error): void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #closed: Error | undefined;

  /**
   * @param options.position the entry to start after
   * @param options.hasBus whether `hint` is called for entries of other servers
   * @param options.read returns the next entries after a number; empty if there are none
   * @param options.onFailure called after the delivery stopped, because entries were deleted before they were read or
   * because of a bug
   */
  constructor(options: {
    position: number;
    hasBus: boolean;
    read: (after: number) => Promise<Entry[]>;
    deliver: (changes: readonly Change[]) => void;
    onFailure: (error: Error) => void;
  }) {
    this.#position = options.position;
    this.#newest = options.position;
    this.#read = options.read;
    this.#deliver = options.deliver;
    this.#onFailure = options.onFailure;
    this.#delayMs = options.hasBus ? hintTimeoutMs : batchDelayMs;
  }

  get position(): number {
    return this.#position;
  }

  /**
   * Buffers an entry of this server until its turn, even beyond `maxBuffered`, because the log does not contain the
   * connection that requested the changes.
   * @returns a promise that resolves when the entry is dispatched
   */
  own(num: number, changes: readonly Change[]): Promise<void> {
    // If the entry was already read back from the log, it is already dispatched.
    if (num > this.#position) this.#buffered.set(num, changes);
    return this.upTo(num);
  }

  /** Reports that an entry exists, with its changes if the hint includes them. */
  hint(num: number, changes?: readonly Change[]): void {
    if (num <= this.#position) return;
    if (changes !== undefined && this.#buffered.size < maxBuffered && !this.#buffered.has(num)) {
      this.#buffered.set(num, changes);
    }
    this.#noteEntry(num);
    if (!this.#buffered.has(num)) this.#catchUp();
  }

  /** Resolves when all entries up to `num` are dispatched. */
  upTo(num: number): Promise<void> {
    if (num <= this.#position) return Promise.resolve();
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ num, resolve, reject });
      this.#noteEntry(num);
    });
  }

  /** Stops the delivery. Pending promises of `own` and `upTo` reject with `error`. */
  close(error: Error): void {
    this.#closed = error;
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  #noteEntry(num: number): void {
    this.#newest = Math.max(this.#newest, num);
    this.#advance();
    if (this.#newest === this.#position || this.#closed !== undefined) return;
    this.#timer ??= setTimeout(() => this.#catchUp(), this.#delayMs);
  }

  #advance(): void {
    for (;;) {
      const next = this.#buffered.get(this.#position + 1);
      if (next === undefined || this.#closed !== undefined) break;
      this.#buffered.delete(++this.#position);
      this.#newest = Math.max(this.#newest, this.#position);
      this.#deliver(next);
    }
    if (this.#newest === this.#position) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (this.#waiters.length === 0) return;
    const done = this.#waiters.filter(({ num }) => num <= this.#position);
    this.#waiters = this.#waiters.filter(({ num }) => num > this.#position);
    for (const { resolve } of done) resolve();
  }

  #catchUp(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
      // More entries arrived during the read.
      if (this.#newest > this.#position) this.#noteEntry(this.#newest);
    });
  }

  async #readAll(): Promise<void> {
    while (this.#newest > this.#position && this.#closed === undefined) {
      const after = this.#position;
      let entries: Entry[];
      try {
        entries = await this.#read(after);
      } catch (error) {
        if (!(error instanceof SqlError)) return this.#fail(error as Error);
        await pause();
        continue;
      }
      for (const { num, changes } of entries) {
        if (num <= this.#position || this.#buffered.has(num)) continue;
        this.#buffered.set(num, changes);
      }
      this.#advance();
      if (this.#position > after || this.#closed !== undefined) continue;
      // The log always keeps its last entry. So after an empty read, nothing newer is committed. If the read found only
      // later entries, the next one was deleted.
      const [first] = entries;
      if (first !== undefined) {
        const gone = `log entries before ${first.num} were deleted`;
        return this.#fail(new Error(`this server was blocked for too long: ${gone}`));
      }
      this.#newest = this.#position;
      // Another client of the bus may replay hints from before a restore. The pause prevents a busy loop of reads.
      await pause();
    }
  }

  #fail(error: Error): void {
    // The delivery may have been closed during the read.
    if (this.#closed !== undefined) return;
    this.close(error);
    this.#onFailure(error);
  }
}
