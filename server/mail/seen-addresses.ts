import type { History } from '../history/history.ts';
import { isMailAddress } from './address.ts';

/** Stores the addresses that the sessions of users have, each once. */
export class SeenAddresses {
  readonly #history: Pick<History, 'read' | 'write'>;
  readonly #onFailure: (error: Error) => void;
  /** The last task of each user that is under way. */
  readonly #tasks = new Map<string, Promise<void>>();

  constructor(history: Pick<History, 'read' | 'write'>, onFailure: (error: Error) => void) {
    this.#history = history;
    this.#onFailure = onFailure;
  }

  /**
   * Nothing waits for this.
   * @param text if it is no address, the user has none any more
   */
  note(user: string, text: string): void {
    const address = text.trim();
    this.#next(user, isMailAddress(address) ? address : null);
  }

  /** The site does not let the user in any more: nothing of what others write there is to be mailed. */
  forget(user: string): void {
    this.#next(user, null);
  }

  /** Tasks of a user run one after the other: each has to find what the one before has stored. */
  #next(user: string, address: string | null): void {
    const task = (this.#tasks.get(user) ?? Promise.resolve())
      .then(() => this.#store(user, address))
      .catch(this.#onFailure)
      .finally(() => {
        if (this.#tasks.get(user) === task) this.#tasks.delete(user);
      });
    this.#tasks.set(user, task);
  }

  /** Asks for what is stored, and remembers nothing: an erasure or another server may have changed it. */
  async #store(user: string, address: string | null): Promise<void> {
    const { read, write } = this.#history;
    const known = await read.mailAddress({ user });
    if ((known.address ?? null) !== address) await write.noteMailAddress({ user, address });
  }
}
