import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { SessionBusyError } from '../store.ts';
import { deadline } from './deadline.ts';
import { Semaphore } from './semaphore.ts';

/** A batch holds so many ids at most. */
export const mostTogether = 500;
/** The store remembers so many large sessions at most. */
const mostRemembered = 10_000;

/**
 * Gathers the ids that are asked for in one turn of the event loop and asks the store once for all of them. Each
 * caller gets the answer for its own id, or the failure of the whole question.
 * @param load asks the store; its answer has the ids that exist
 * @param most ids in one question
 */
export function batched<T>(
  load: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  most = mostTogether,
): (id: string) => Promise<T | null> {
  let gathered = new Set<string>();
  let answer: Promise<ReadonlyMap<string, T>>;
  return (id) => {
    if (gathered.size === 0 || gathered.size === most) {
      const ids = new Set<string>();
      gathered = ids;
      answer = turnOfTheLoop().then(() => {
        if (gathered === ids) gathered = new Set();
        return load([...ids]);
      });
    }
    gathered.add(id);
    return answer.then((found) => found.get(id) ?? null);
  };
}

/**
 * A visitor can make a session large, for example by what they type. Large sessions are therefore asked for apart
 * from the others and one question at a time, so that small sessions never wait for them.
 */
export class LargeLookups {
  readonly #known = new Set<string>();
  readonly #timeout: number;
  readonly #store: string;
  /**
   * A random waiter is next: sessions are checked in the same order again and again, and the same ones would always
   * be served too late.
   */
  readonly #question = new Semaphore(1, (waiting) => Math.floor(Math.random() * waiting));

  /**
   * @param timeout for which a question waits for those before it, in milliseconds
   * @param store the name of the store, for the error
   */
  constructor(timeout: number, store: string) {
    this.#timeout = timeout;
    this.#store = store;
  }

  /** Whether the session was large when it was last asked for. */
  has(id: string): boolean {
    return this.#known.has(id);
  }

  note(id: string, large: boolean): void {
    this.#known.delete(id);
    if (!large) return;
    this.#known.add(id);
    if (this.#known.size > mostRemembered) this.#known.delete(this.#known.values().next().value as string);
  }

  /**
   * Asks the question when no other one is under way.
   * @throws SessionBusyError if the others take all the time; the queue therefore never grows without bound
   */
  async oneAtATime<T>(question: () => Promise<T>): Promise<T> {
    const control = new AbortController();
    const started = deadline(this.#timeout, () =>
      control.abort(
        new SessionBusyError(
          `${this.#store} has more large sessions to send than it can in ${this.#timeout} ms`,
        ),
      ),
    );
    await this.#question.acquire(control.signal).finally(started);
    try {
      return await question();
    } finally {
      this.#question.release();
    }
  }
}
