import type { History } from '../history/history.ts';
import type { OnAsideFailure } from './asides.ts';

/** Times are rounded down to multiples of this step. A finer step would reveal when a user reads. */
const stepMs = 5 * 60 * 1000;

/** Records when users were last seen, at most once per step and user. */
export class LastHere {
  readonly #history: History;
  readonly #closing: AbortSignal;
  readonly #onFailure: OnAsideFailure;
  #at = 0;
  readonly #recorded = new Set<string>();

  constructor(history: History, closing: AbortSignal, onFailure: OnAsideFailure) {
    this.#history = history;
    this.#closing = closing;
    this.#onFailure = onFailure;
  }

  /** Records that the user's last connection to this server was closed. */
  left(user: string): void {
    if (this.#closing.aborted) return;
    const at = Math.floor(Date.now() / stepMs) * stepMs;
    if (at !== this.#at) this.#recorded.clear();
    this.#at = at;
    if (this.#recorded.has(user)) return;
    this.#recorded.add(user);
    this.#history.write.noteHere({ user, at }).catch((error) => {
      this.#recorded.delete(user);
      this.#onFailure('last_here', error);
    });
  }
}
