import { RequestError } from '../connection/connection-state.ts';
import type { Desk } from './desk.ts';

type Page<Item> = readonly [items: readonly Item[], next: string | undefined, all?: number | undefined];

/** A list that comes page by page. The answer to what is no longer asked is dropped. */
export class Pages<Item> {
  items: readonly Item[] = [];
  state: 'loading' | 'here' | 'failed' = 'loading';
  /** Where the next page begins; undefined where all are here. */
  next: string | undefined;
  /** How many there are without a search, if the answer says so. */
  all: number | undefined;
  readonly #desk: Desk;
  readonly #ask: (cursor: { cursor?: string }) => Promise<Page<Item>>;
  readonly #changed: () => void;
  #asked = 0;
  #busy = false;

  constructor(desk: Desk, ask: (cursor: { cursor?: string }) => Promise<Page<Item>>, changed: () => void) {
    this.#desk = desk;
    this.#ask = ask;
    this.#changed = changed;
  }

  /** From the beginning: what is known stays until the answer has come. */
  async load(): Promise<void> {
    this.#asked++;
    this.#busy = false;
    this.next = undefined;
    if (this.state === 'failed') this.state = 'loading';
    await this.#page();
  }

  async more(): Promise<void> {
    if (this.next !== undefined && !this.#busy) await this.#page(this.next);
  }

  /** Asks again for the page that has failed: the beginning, or the next one. */
  async again(): Promise<void> {
    await (this.next === undefined ? this.load() : this.more());
  }

  clear(): void {
    this.#asked++;
    this.items = [];
    this.next = undefined;
    this.all = undefined;
    this.state = 'loading';
  }

  async #page(cursor?: string): Promise<void> {
    const asked = this.#asked;
    this.#busy = true;
    try {
      if (this.#desk.connection.state.kind !== 'ready') await this.#desk.connection.connected();
      const [items, next, all] = await this.#ask(cursor === undefined ? {} : { cursor });
      if (asked !== this.#asked) return;
      this.items = cursor === undefined ? items : [...this.items, ...items];
      this.next = next;
      this.all = all;
      this.state = 'here';
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (asked !== this.#asked) return;
      this.state = 'failed';
    }
    this.#busy = false;
    this.#changed();
  }
}
