import type { History } from '../history/history.ts';
import type { OnAsideFailure } from './asides.ts';

/** Milliseconds. Times are kept in such steps: a finer one would show when somebody reads. */
const step = 5 * 60 * 1000;

/** Notes when users were last here: once a step for each, however often somebody opens a page. */
export class LastHere {
  readonly #history: History;
  readonly #onFailure: OnAsideFailure;
  #at = 0;
  readonly #noted = new Set<string>();

  constructor(history: History, onFailure: OnAsideFailure) {
    this.#history = history;
    this.#onFailure = onFailure;
  }

  /** The user has no connection to this server any more. */
  left(user: string): void {
    const at = Math.floor(Date.now() / step) * step;
    if (at !== this.#at) this.#noted.clear();
    this.#at = at;
    if (this.#noted.has(user)) return;
    this.#noted.add(user);
    this.#history.write.noteHere({ user, at }).catch((error) => {
      this.#noted.delete(user);
      this.#onFailure('last_here', error);
    });
  }
}
