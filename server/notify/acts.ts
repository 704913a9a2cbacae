import type { History } from '../history/history.ts';

/** Milliseconds in which one act of a user is noted. */
const step = 30_000;
/** Milliseconds after an act for which a user is here. */
export const hereFor = 2 * 60_000;

/** Milliseconds after the note of an act for which a user may be here. */
export const longestHere = step + hereFor;

/**
 * Whether a user whose last act was noted then is here: an open connection alone is not presence. An act of the far future
 * was noted before the clock was set back.
 */
export const isHere = (activeAt: number | undefined, at: number) =>
  activeAt !== undefined && Math.abs(at - activeAt) < longestHere;

/** Notes the last acts of users, so that every server knows who is here. */
export class Acts {
  readonly #history: Pick<History, 'write'>;
  readonly #onFailure: (error: Error) => void;
  #step = 0;
  readonly #noted = new Set<string>();

  constructor(history: Pick<History, 'write'>, onFailure: (error: Error) => void) {
    this.#history = history;
    this.#onFailure = onFailure;
  }

  /** The user has done something. Nothing waits for this. */
  note(user: string): void {
    const at = Date.now();
    const now = Math.floor(at / step);
    if (now !== this.#step) this.#noted.clear();
    this.#step = now;
    if (this.#noted.has(user)) return;
    this.#noted.add(user);
    this.#history.write.noteActive({ user, at }).catch((error: Error) => {
      this.#noted.delete(user);
      this.#onFailure(error);
    });
  }
}
