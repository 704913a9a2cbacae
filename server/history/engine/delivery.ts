import type { Change } from '../changes.ts';
import type { Entry } from './change-log.ts';
import { SqlError } from './dialect.ts';

/** With a bus, missing entries usually come as hints within this time. */
const hintTimeoutMs = 20;
/** Without a bus, they are read. Entries that are committed meanwhile are read together. */
const gatherMs = 2;
/** The pause after a read that failed or found nothing, in milliseconds. */
const failurePause = 250;
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, failurePause));
/** Entries of other servers that are kept until their turn; the rest is read when its turn comes. */
const mostWaiting = 1000;

/**
 * Hands out what all servers have changed, this one too, by one rule: the entry that is next is handed out, a lower one
 * is ignored, and for a higher one the entries between are waited for and then read. So the order is the same everywhere,
 * and a hint that is lost, late or doubled harms nobody.
 */
export class Delivery {
  readonly #read: (after: number) => Promise<Entry[]>;
  readonly #deliver: (changes: readonly Change[]) => void;
  readonly #onFailure: (error: Error) => void;
  readonly #delayMs: number;
  /** The last entry that was handed out, and the last one that is known of. */
  #position: number;
  #known: number;
  readonly #waiting = new Map<number, readonly Change[]>();
  #until: { num: number; resolve(): void; reject(error: Error): void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #closed: Error | undefined;

  /**
   * @param options.position the number of the last entry before those that are handed out
   * @param options.hasBus whether `hint` is called with the entries of other servers
   * @param options.read the next entries after a number; empty if there are none
   * @param options.onFailure called when entries were deleted before they were read, and after a bug in this program:
   * nothing more is handed out
   */
  constructor(options: {
    position: number;
    hasBus: boolean;
    read: (after: number) => Promise<Entry[]>;
    deliver: (changes: readonly Change[]) => void;
    onFailure: (error: Error) => void;
  }) {
    this.#position = options.position;
    this.#known = options.position;
    this.#read = options.read;
    this.#deliver = options.deliver;
    this.#onFailure = options.onFailure;
    this.#delayMs = options.hasBus ? hintTimeoutMs : gatherMs;
  }

  get position(): number {
    return this.#position;
  }

  /** An entry of this server. Until its turn it is kept, however many others are, since it alone says who asked. */
  own(num: number, changes: readonly Change[]): Promise<void> {
    // An entry that was read back meanwhile has had its turn.
    if (num > this.#position) this.#waiting.set(num, changes);
    return this.upTo(num);
  }

  /** A hint: there is an entry of that number, and what it holds if the hint says so. */
  hint(num: number, changes?: readonly Change[]): void {
    if (num <= this.#position) return;
    if (changes !== undefined && this.#waiting.size < mostWaiting && !this.#waiting.has(num)) {
      this.#waiting.set(num, changes);
    }
    this.#learn(num);
    if (!this.#waiting.has(num)) this.#catchUp();
  }

  /** Resolves when everything up to that entry was handed out. */
  upTo(num: number): Promise<void> {
    if (num <= this.#position) return Promise.resolve();
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#until.push({ num, resolve, reject });
      this.#learn(num);
    });
  }

  /** Hands out nothing more. The promises of `own` and `upTo` reject with that error. */
  close(error: Error): void {
    this.#closed = error;
    clearTimeout(this.#timer);
    for (const { reject } of this.#until.splice(0)) reject(error);
  }

  #learn(num: number): void {
    this.#known = Math.max(this.#known, num);
    this.#advance();
    if (this.#known === this.#position || this.#closed !== undefined) return;
    this.#timer ??= setTimeout(() => this.#catchUp(), this.#delayMs);
  }

  #advance(): void {
    for (;;) {
      const next = this.#waiting.get(this.#position + 1);
      if (next === undefined || this.#closed !== undefined) break;
      this.#waiting.delete(++this.#position);
      this.#known = Math.max(this.#known, this.#position);
      this.#deliver(next);
    }
    if (this.#known === this.#position) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (this.#until.length === 0) return;
    const done = this.#until.filter(({ num }) => num <= this.#position);
    this.#until = this.#until.filter(({ num }) => num > this.#position);
    for (const { resolve } of done) resolve();
  }

  #catchUp(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
      // Entries that came while it read.
      if (this.#known > this.#position) this.#learn(this.#known);
    });
  }

  async #readAll(): Promise<void> {
    while (this.#known > this.#position && this.#closed === undefined) {
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
        if (num <= this.#position || this.#waiting.has(num)) continue;
        this.#waiting.set(num, changes);
      }
      this.#advance();
      if (this.#position > after || this.#closed !== undefined) continue;
      // An entry that is not there yet is not committed, whatever a hint said; the last entry is never deleted.
      const [first] = entries;
      if (first !== undefined) {
        const gone = `what was written before ${first.num} is gone`;
        return this.#fail(new Error(`this server stood still for too long: ${gone}`));
      }
      this.#known = this.#position;
      // Somebody may repeat without end what was recorded on the bus before the database was restored.
      await pause();
    }
  }

  #fail(error: Error): void {
    // It was closed while it read.
    if (this.#closed !== undefined) return;
    this.close(error);
    this.#onFailure(error);
  }
}
