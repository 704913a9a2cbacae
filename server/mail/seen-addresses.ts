import type { History } from '../history/history.ts';
import { isMailAddress } from '../text/mail-address.ts';

/** Stores the mail addresses from the sessions of users when they change. */
export class SeenAddresses {
  readonly #history: Pick<History, 'read' | 'write'>;
  readonly #onFailure: (error: Error) => void;
  /** The latest task of each user with tasks in progress. */
  readonly #tasks = new Map<string, Promise<void>>();

  constructor(history: Pick<History, 'read' | 'write'>, onFailure: (error: Error) => void) {
    this.#history = history;
    this.#onFailure = onFailure;
  }

  /**
   * Stores the address of a user in the background.
   * @param text if it is not a valid address, the stored address is deleted
   */
  note(user: string, text: string): void {
    const address = text.trim();
    this.#next(user, isMailAddress(address) ? address : null);
  }

  /** Deletes the address of a user whom the site banned, because no messages may be mailed to banned users. */
  forget(user: string): void {
    this.#next(user, null);
  }

  /** Runs the tasks of a user sequentially, because each must read what the previous one stored. */
  #next(user: string, address: string | null): void {
    const task = (this.#tasks.get(user) ?? Promise.resolve())
      .then(() => this.#store(user, address))
      .catch(this.#onFailure)
      .finally(() => {
        if (this.#tasks.get(user) === task) this.#tasks.delete(user);
      });
    this.#tasks.set(user, task);
  }

  /** Reads the stored address each time, because an erasure or another server may have changed it. */
  async #store(user: string, address: string | null): Promise<void> {
    const { read, write } = this.#history;
    const known = await read.mailAddress({ user });
    if ((known.address ?? null) !== address) await write.noteMailAddress({ user, address });
  }
}
