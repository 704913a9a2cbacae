import type { Container, Saved } from './containers/container.ts';
import { Turns } from './turns.ts';

/** Enough to keep a disk busy; each may hold a whole session. */
const atOnce = 8;

/**
 * Reads from a container a few sessions at once, however many ask, and long ones in turn: to cut one into its values,
 * and to make a reply of them, takes far longer than to read it, and some ten times its bytes.
 */
export function readInTurns(container: Container, turns: Turns): Container {
  const reads = new Places(atOnce);
  const longReads = new Places(atOnce);
  const isLong = (saved: Saved | null) => saved !== null && Turns.isLong(saved.data.length);
  const readLong = async (id: string) => {
    const saved = await container.open(id);
    if (saved !== null) await turns.take(saved.data.length);
    return saved;
  };
  return {
    ...container,
    get count() {
      return container.count;
    },
    open(id) {
      return (
        reads
          .during(() => container.open(id))
          // Read again when there is a place: hundreds of them are not to be held, nor to be in the way of the others.
          .then((saved) => (isLong(saved) ? longReads.during(() => readLong(id)) : saved))
      );
    },
  };
}

/** So many are at work at once; the others wait in order of arrival. */
class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Not before the one that asked has used what it got.
      process.nextTick(() => this.#leave());
    }
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
