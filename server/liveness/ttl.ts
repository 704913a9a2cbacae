import type { SessionReader } from '../session/read-session.ts';
import { StoreError } from '../session/store.ts';

/** For so many milliseconds after what a user does, the chat is in use. */
const activeFor = 60_000;
/** So often a session is renewed at most, in milliseconds; more often only if it would end before that. */
const renewEvery = 60_000;
const partOfLife = 1 / 3;

/** What ends within so many milliseconds is over: some stores count in whole seconds, and answers take their time. */
const precision = 1500;

/** Where the store gave no answer to that, it is not asked again for so many milliseconds. */
const askAgainAfter = 60_000;

/** How long a session is going to live. Times are those of the monotonic clock, in milliseconds. */
export interface Life {
  id: string;
  /** Absent while that is not known; `Infinity` when it has no end, or none that the store tells. */
  ends?: number;
  /** When the store was last asked. */
  asked: number;
  /** The longest that it was seen to have before it: about what PHP gives it with each page. */
  longest: number;
  /** When its user last did something in the chat. */
  active: number;
  renewed: number;
}

/** Of a session that nobody has asked about yet. */
export const newLife: Omit<Life, 'id'> = {
  asked: Number.NEGATIVE_INFINITY,
  longest: 0,
  active: Number.NEGATIVE_INFINITY,
  renewed: Number.NEGATIVE_INFINITY,
};

/**
 * Whether a session in which nobody is any more has come to the end of its life. A store that still has the record
 * knows it, whatever was known before; where it is gone, it was expected to end about now.
 */
export async function isOver(reader: SessionReader, { id, ends }: Life): Promise<boolean> {
  const expected = ends !== undefined && performance.now() > ends - precision;
  const left = await reader.remaining(id).catch((error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    return null;
  });
  return left === null ? expected : left === 0;
}

/** Whether it is time to ask: it may have been renewed since. @param interval between two looks */
export function nearsEnd({ ends, asked }: Life, interval: number): boolean {
  const now = performance.now();
  return ends === undefined ? now - asked > askAgainAfter : now > ends - precision - 2 * interval;
}

/**
 * Asks the store how long the session has to live.
 * @throws StoreError when it gives no answer: then the end of the session is told as a logout
 */
export async function learnLife(reader: SessionReader, life: Life): Promise<number | null> {
  const before = life.ends;
  delete life.ends;
  life.asked = performance.now();
  const left = await reader.remaining(life.id);
  const now = performance.now();
  life.ends = now + (left ?? Number.POSITIVE_INFINITY);
  if (left !== null && left !== Number.POSITIVE_INFINITY) {
    // Somebody has shortened it, and will have had a reason.
    const shortened =
      before !== undefined && before !== Number.POSITIVE_INFINITY && life.ends < before - precision;
    life.longest = shortened ? left : Math.max(life.longest, left);
  }
  return left;
}

/**
 * Renews the sessions of those who use the chat, as a page view would. Never for longer than PHP itself lets them
 * live, and never for less than they have.
 */
export class Keepalive {
  readonly #reader: SessionReader;
  readonly #onFailure: (error: StoreError) => void;

  constructor(reader: SessionReader, onFailure: (error: StoreError) => void) {
    this.#reader = reader;
    this.#onFailure = onFailure;
  }

  /** Whether its user is active, and it has not been renewed for long enough. */
  isDue(life: Life): boolean {
    const now = performance.now();
    const lifetime = this.#lifetime(life);
    const pause = lifetime === 0 ? renewEvery : Math.min(renewEvery, lifetime * partOfLife);
    return now - life.active <= activeFor && now - life.renewed >= pause;
  }

  async renew(life: Life): Promise<void> {
    life.renewed = performance.now();
    try {
      const left = await learnLife(this.#reader, life);
      const lifetime = this.#lifetime(life);
      if (lifetime === 0 || (left !== null && left > lifetime * (1 - partOfLife))) return;
      await this.#reader.touch(life.id, Math.ceil(lifetime / 1000));
      life.ends = performance.now() + lifetime;
    } catch (error) {
      // Not knowing how long it lives, one could shorten it.
      if (!(error instanceof StoreError)) throw error;
      this.#onFailure(error);
    }
  }

  #lifetime(life: Life): number {
    return this.#reader.lifetime ?? life.longest;
  }
}
