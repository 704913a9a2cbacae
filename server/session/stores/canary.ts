import { setTimeout as pause } from 'node:timers/promises';
import { StoreError } from '../store.ts';
import { within } from './deadline.ts';

// Milliseconds. What is lost in the worst case: `every` + `timeout` until it shows, and a look at all sessions after
// that. Together it has to be far below the two seconds in which a logout is noticed.
const every = 500;
const timeout = 300;
/** Notifications count as complete when nothing has spoken against it for so long. */
const calm = 3000;
/** The longest pause after failures: a store that refuses the canary is not asked twice a second. */
const longestPause = 60_000;

/** How long a canary lives if nobody replaces it. */
export const canarySeconds = 5;

/** What canaries are called by turns: one that comes late is not taken for the next one. */
const names = 8;

/** How a store's notifications are put to the proof. */
export interface Proof {
  /**
   * Writes the canary `name`.
   * @param before the canary that was written last
   * @returns counts of what the store notifies nobody of; null if the canary `before` is gone, since whatever took it may
   * have taken sessions too
   * @throws StoreError
   */
  write(name: number, before: number): Promise<string | null>;
  /** What is notified of the canary `name`: see `heard`. */
  notifications(name: number): readonly string[];
}

/**
 * Proves again and again that a store's notifications are complete: an item of our own is written, its notification
 * has to come, the one before has to be there still, and nothing may have happened in the store that it notifies nobody of.
 */
export class Canary {
  readonly #proof: Proof;
  /** Aborted at the end of the connection over which the notifications come. */
  #connection: AbortSignal | undefined;
  #missing = new Set<string>();
  #onHeard = () => {};
  #onDoubt = () => {};

  constructor(proof: Proof) {
    this.#proof = proof;
  }

  /** @param connection over which notifications come from now on, until it is aborted */
  listen(connection: AbortSignal): void {
    this.#connection = connection;
    connection.addEventListener('abort', () => this.#onDoubt());
    this.#onDoubt();
  }

  heard(notification: string): void {
    if (this.#missing.delete(notification) && this.#missing.size === 0) this.#onHeard();
  }

  /**
   * @param report told whether the notifications are complete, at each change; at first they are not
   * @returns ends it
   */
  prove(report: (complete: boolean) => void): () => void {
    const control = new AbortController();
    void this.#run(report, control.signal);
    return () => control.abort();
  }

  async #run(report: (complete: boolean) => void, signal: AbortSignal): Promise<void> {
    let complete = false;
    let state: string | undefined;
    let calmSince = 0;
    let failures = 0;
    const tell = (now: boolean) => {
      if (now === complete || signal.aborted) return;
      complete = now;
      report(now);
    };
    const doubt = () => {
      state = undefined;
      tell(false);
    };
    this.#onDoubt = doubt;
    for (let name = 0; ; name = (name + 1) % names) {
      const began = performance.now();
      const found = this.#connection?.aborted === false ? await this.#once(name) : undefined;
      if (signal.aborted) return;
      if (found == null) doubt();
      else if (found !== state) {
        doubt();
        state = found;
        calmSince = performance.now();
      } else if (performance.now() - calmSince >= calm) tell(true);
      failures = found === undefined ? failures + 1 : 0;
      const wanted = Math.min(longestPause, every * 2 ** failures);
      const left = failures === 0 ? began + wanted - performance.now() : wanted;
      await pause(Math.max(0, left), undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
    }
  }

  /** @returns undefined if it has failed */
  async #once(name: number): Promise<string | null | undefined> {
    this.#missing = new Set(this.#proof.notifications(name));
    const heard = new Promise<void>((resolve) => {
      this.#onHeard = resolve;
    });
    const late = () => new StoreError('a notification of our own has not come');
    const written = this.#proof.write(name, (name + names - 1) % names);
    try {
      const [found] = await within(timeout, Promise.all([written, heard]), late);
      return found;
    } catch (error) {
      if (error instanceof StoreError) return undefined;
      throw error;
    }
  }
}

/**
 * Proves the notifications of several servers: they are complete while those of each server are.
 * @returns ends it
 */
export function proveAll(canaries: readonly Canary[], report: (complete: boolean) => void): () => void {
  let missing = canaries.length;
  const ends = canaries.map((canary) =>
    canary.prove((complete) => {
      const before = missing;
      missing += complete ? -1 : 1;
      if (before === 0 || missing === 0) report(missing === 0);
    }),
  );
  return () => {
    for (const end of ends) end();
  };
}
