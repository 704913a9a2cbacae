import type { History } from '../history/history.ts';

/** Activity of a user is recorded at most once in this time, in milliseconds. */
const step = 30_000;
/** A user is online for this time after an activity, in milliseconds. */
export const hereFor = 2 * 60_000;

/**
 * A user may be online for this time after a recorded activity, in milliseconds. Activity soon after it is not
 * recorded.
 */
export const longestHere = step + hereFor;

/**
 * Whether a user with this latest recorded activity is online. An open connection alone does not count. Activity in the
 * far future was recorded before the clock was set back.
 */
export const isHere = (activeAt: number | undefined, at: number) =>
  activeAt !== undefined && Math.abs(at - activeAt) < longestHere;

/** Records the latest activity of users, so that every server knows who is online. */
export class Acts {
  readonly #history: Pick<History, 'write'>;
  readonly #onFailure: (error: Error) => void;
  #step = 0;
  readonly #noted = new Set<string>();

  constructor(history: Pick<History, 'write'>, onFailure: (error: Error) => void) {
    this.#history = history;
    this.#onFailure = onFailure;
  }

  /** Records user activity in the background. */
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
