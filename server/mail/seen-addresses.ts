import type { History } from '../history/history.ts';
import { isMailAddress } from './address.ts';

/** Stores the addresses that the sessions of users have, each once. */
export class SeenAddresses {
  readonly #history: Pick<History, 'read' | 'write'>;
  readonly #onFailure: (error: Error) => void;

  constructor(history: Pick<History, 'read' | 'write'>, onFailure: (error: Error) => void) {
    this.#history = history;
    this.#onFailure = onFailure;
  }

  /** Nothing waits for this. */
  note(user: string, text: string): void {
    const address = text.trim();
    if (isMailAddress(address)) this.#store(user, address).catch(this.#onFailure);
  }

  /** Asks for what is stored, and remembers nothing: an erasure or another server may have changed it. */
  async #store(user: string, address: string): Promise<void> {
    const { read, write } = this.#history;
    const known = await read.mailAddress({ user });
    if (known.address !== address) await write.noteMailAddress({ user, address });
  }
}
