import { type Deferred, deferred } from '../deferred.ts';
import { SessionBusyError } from '../store.ts';
import { deadline } from './deadline.ts';

const mostRemembered = 10_000;

/**
 * How large a session is, a visitor decides: what he typed may lie in it. So large ones are asked for apart from the
 * others, one question after another, and whoever has a small session waits for none of them.
 */
export class LargeSessions {
  readonly #known = new Set<string>();
  readonly #timeout: number;
  readonly #store: string;
  readonly #waiting: Deferred<void>[] = [];
  #asking = false;

  /**
   * @param timeout for which a question waits for its turn, in milliseconds
   * @param store for the failure
   */
  constructor(timeout: number, store: string) {
    this.#timeout = timeout;
    this.#store = store;
  }

  /** Whether it was large when it was last asked for. */
  has(id: string): boolean {
    return this.#known.has(id);
  }

  note(id: string, large: boolean): void {
    this.#known.delete(id);
    if (!large) return;
    this.#known.add(id);
    if (this.#known.size > mostRemembered) this.#known.delete(this.#known.values().next().value as string);
  }

  /** @throws SessionBusyError when others take all the time: so no more wait than are served in it */
  async inTurn<T>(question: () => Promise<T>): Promise<T> {
    if (this.#asking) await this.#turn();
    this.#asking = true;
    try {
      return await question();
    } finally {
      const next = this.#waiting.splice(Math.random() * this.#waiting.length, 1)[0];
      if (next === undefined) this.#asking = false;
      else next.resolve();
    }
  }

  /** Sessions are looked at in the same order again and again: by chance, or the same ones would always come too late. */
  async #turn(): Promise<void> {
    const turn = deferred<void>();
    this.#waiting.push(turn);
    const begun = deadline(this.#timeout, () => {
      this.#waiting.splice(this.#waiting.indexOf(turn), 1);
      turn.reject(
        new SessionBusyError(
          `${this.#store} has more large sessions to send than it can in ${this.#timeout} ms`,
        ),
      );
    });
    await turn.promise.finally(begun);
  }
}
