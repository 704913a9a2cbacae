import type { SessionReader } from '../session/read-session.ts';
import { StoreError } from '../session/store.ts';

/** For so many milliseconds after what a user does, the chat is in use. */
const activeFor = 60_000;
/** So often a session is renewed at most, in milliseconds; more often only if it would end before that. */
const renewEvery = 60_000;
const partOfLife = 1 / 3;

/** What ends within so many milliseconds is over: some stores count in whole seconds, and answers take their time. */
const precision = 1500;

/** How long a session is going to live. Times are those of the monotonic clock, in milliseconds. */
export interface Life {
  id: string;
  /** Absent until the store was asked; `Infinity` when it has no end, or none that the store tells. */
  ends?: number;
  /** The longest that it was ever seen to have before it: about what PHP gives it with each page. */
  longest: number;
  /** When its user last did something in the chat. */
  active: number;
  renewed: number;
}

/** Of a session that nobody has asked about yet. */
export const newLife: Omit<Life, 'id'> = {
  longest: 0,
  active: Number.NEGATIVE_INFINITY,
  renewed: Number.NEGATIVE_INFINITY,
};

/** Whether a session that is gone has come to the end of its life. */
export const isOver = ({ ends }: Life): boolean => ends !== undefined && performance.now() > ends - precision;

/** Whether it is time to ask: never asked, or it may have been renewed since. @param interval between two looks */
export const nearsEnd = ({ ends }: Life, interval: number): boolean =>
  ends === undefined || performance.now() > ends - precision - 2 * interval;

/** Asks the store. What it does not tell is no failure: the end of such a session is told as a logout. */
export async function learnLife(reader: SessionReader, life: Life): Promise<number | null> {
  const left = await reader.remaining(life.id).catch((error: unknown) => {
    if (error instanceof StoreError) return null;
    throw error;
  });
  life.ends = performance.now() + (left ?? Number.POSITIVE_INFINITY);
  if (left !== null && left !== Number.POSITIVE_INFINITY) life.longest = Math.max(life.longest, left);
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
    const lifetime = this.#lifetime(life);
    const now = performance.now();
    return (
      lifetime > 0 &&
      now - life.active <= activeFor &&
      now - life.renewed >= Math.min(renewEvery, lifetime * partOfLife)
    );
  }

  async renew(life: Life): Promise<void> {
    const lifetime = this.#lifetime(life);
    life.renewed = performance.now();
    const left = await learnLife(this.#reader, life);
    if (left !== null && left > lifetime * (1 - partOfLife)) return;
    try {
      await this.#reader.touch(life.id, Math.ceil(lifetime / 1000));
      life.ends = performance.now() + lifetime;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#onFailure(error);
    }
  }

  #lifetime(life: Life): number {
    return this.#reader.lifetime ?? life.longest;
  }
}
