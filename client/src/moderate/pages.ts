import { RequestError } from '../connection/connection-state.ts';
import type { Desk } from './desk.ts';

type Page<Item> = readonly [items: readonly Item[], next: string | undefined, all?: number | undefined];

/** A list that is loaded page by page. Responses to outdated requests are ignored. */
export class Pages<Item> {
  items: readonly Item[] = [];
  state: 'loading' | 'here' | 'failed' = 'loading';
  /** The cursor of the next page; undefined after the last page. */
  next: string | undefined;
  /** The total number without a search, if the response contains it. */
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

  /** Loads the first page. The old items stay until the response arrives. */
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

  /** Requests the failed page again, which is the first or the next page. */
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
      const [items, next, all] = await this.#ask({ cursor });
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
