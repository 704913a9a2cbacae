import type { History } from '../history/history.ts';
import { isMailAddress } from './address.ts';

/** Users whose addresses are known to be stored. */
const mostKnown = 100_000;

/** Stores the addresses that the sessions of users have, each once. */
export class SeenAddresses {
  readonly #history: Pick<History, 'write'>;
  readonly #onFailure: (error: Error) => void;
  readonly #known = new Map<string, string>();

  constructor(history: Pick<History, 'write'>, onFailure: (error: Error) => void) {
    this.#history = history;
    this.#onFailure = onFailure;
  }

  /** Nothing waits for this. */
  note(user: string, text: string): void {
    const address = text.trim();
    if (this.#known.get(user) === address || !isMailAddress(address)) return;
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(user, address);
    this.#history.write.noteMailAddress({ user, address }).catch((error: Error) => {
      this.#known.delete(user);
      this.#onFailure(error);
    });
  }
}
