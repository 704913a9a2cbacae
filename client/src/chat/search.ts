import type { Message } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Room } from '../store/room.ts';
import { blank } from '../text/paste.ts';
import type { Follower } from './chat-listener.ts';

/** The pause after the last key before a search is sent, in milliseconds. */
const PAUSE_MS = 250;
const PAGE = 25;
/** After so many empty pages the reader says whether to go on. */
const MOST_EMPTY = 5;

/** Which messages are looked for, beside their text. */
export interface SearchFilters {
  readonly has?: 'pictures' | 'files' | 'links';
  /** The id of the author. */
  readonly from?: string;
  /** In milliseconds since 1970: at this time or later, and before that one. */
  readonly sentFrom?: number;
  readonly sentBefore?: number;
}

export interface SearchState {
  readonly query: string;
  readonly filters: SearchFilters;
  /** Absent: in all rooms that one may read. */
  readonly room: string | undefined;
  /** Undefined until the first answer. */
  readonly messages: readonly Message[] | undefined;
  /** There are older ones. */
  readonly more: boolean;
  readonly busy: boolean;
  readonly error: RequestError | undefined;
}

/** Looks for messages. An answer to a question that is no longer asked is dropped. */
export class Search implements Follower {
  /** Undefined while nothing is looked for. */
  state: SearchState | undefined;
  readonly #connection: Connection;
  readonly #changed: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #next: string | undefined;
  #asked = 0;

  constructor(connection: Connection, changed: () => void) {
    this.#connection = connection;
    this.#changed = changed;
  }

  /** With every letter. A blank query without filters shows nothing. */
  find(query: string, filters: SearchFilters, room: string | undefined): void {
    this.clear();
    if (blank(query) && Object.keys(filters).length === 0) return this.#changed();
    this.state = { query, filters, room, messages: undefined, more: false, busy: true, error: undefined };
    this.#timer = setTimeout(() => void this.#ask(), PAUSE_MS);
    this.#changed();
  }

  /** The last request, which has failed, once more. */
  again(): void {
    void this.#ask();
  }

  async older(): Promise<void> {
    if (this.state?.busy === false && this.#next !== undefined) await this.#ask();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#asked++;
    this.#next = undefined;
    this.state = undefined;
  }

  /** A message that may be among the results is another one now. */
  message(message: Message): void {
    const { state } = this;
    if (state?.messages?.some(({ id }) => id === message.id) !== true) return;
    const messages = state.messages
      .map((known) => (known.id === message.id && known.rev < message.rev ? message : known))
      .filter(({ deletedAt }) => deletedAt === undefined);
    this.state = { ...state, messages };
  }

  /** The search is repeated; the former hits stay until its answer. */
  reset({ id }: Room): void {
    if (this.state?.messages?.some(({ room }) => room === id) !== true) return;
    this.#next = undefined;
    void this.#ask();
  }

  /** Its hits go at once, also those that are on their way; the repeated search finds what one may still read. */
  removed({ id }: Room): void {
    const { state } = this;
    if (state === undefined) return;
    const messages = state.messages?.filter(({ room }) => room !== id);
    if (!state.busy && messages?.length === state.messages?.length) return;
    this.state = { ...state, messages };
    this.#next = undefined;
    void this.#ask();
  }

  async #ask(): Promise<void> {
    const { state } = this;
    if (state === undefined) return;
    const asked = ++this.#asked;
    const first = this.#next === undefined;
    this.#set({ ...state, busy: true, error: undefined });
    try {
      const found: Message[] = [];
      let empty = 0;
      // A page may be empty although there are older ones.
      do {
        const { messages, next } = await this.#connection.request('message:search', {
          ...(blank(state.query) ? {} : { query: state.query }),
          ...state.filters,
          limit: PAGE,
          ...(state.room === undefined ? {} : { room: state.room }),
          ...(this.#next === undefined ? {} : { cursor: this.#next }),
        });
        if (asked !== this.#asked) return;
        this.#next = next;
        found.push(...messages);
      } while (found.length === 0 && this.#next !== undefined && ++empty < MOST_EMPTY);
      // Some of those that were known may have been changed or deleted meanwhile.
      const known = first ? [] : (this.state?.messages ?? []);
      this.#set({
        ...state,
        messages: [...known, ...found],
        more: this.#next !== undefined,
        busy: false,
        error: undefined,
      });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (asked !== this.#asked) return;
      const before = this.state ?? state;
      // Hits of a search that is repeated may not be there any more.
      this.#set({ ...before, messages: first ? undefined : before.messages, busy: false, error });
    }
  }

  #set(state: SearchState): void {
    this.state = state;
    this.#changed();
  }
}
