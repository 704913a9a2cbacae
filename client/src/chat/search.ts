import { isBlank } from '../../../server/text/blank.ts';
import type { Holding } from '../../../server/wire/content.ts';
import type { Message } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Room } from '../store/room.ts';
import type { Follower } from './chat-listener.ts';

/** The delay after the last keystroke before a search is sent. */
const PAUSE_MS = 250;
const PAGE = 25;
/** After this many empty pages, the user decides whether to continue. */
const MOST_EMPTY = 5;

/** The filters besides the text. */
export interface SearchFilters {
  readonly has?: Holding;
  /** The author's user ID. */
  readonly from?: string;
  /** Unix milliseconds: sent at `sentFrom` or later, and before `sentBefore`. */
  readonly sentFrom?: number;
  readonly sentBefore?: number;
}

export interface SearchState {
  readonly query: string;
  readonly filters: SearchFilters;
  /** Undefined: search all rooms that the user may read. */
  readonly room: string | undefined;
  /** Undefined until the first answer. */
  readonly messages: readonly Message[] | undefined;
  /** Whether there are older hits. */
  readonly more: boolean;
  readonly busy: boolean;
  readonly error: RequestError | undefined;
}

/** Searches messages. Responses to earlier searches are ignored. */
export class Search implements Follower {
  /** Undefined while there is no search. */
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

  /** Called with each keystroke. A blank query without filters ends the search. */
  find(query: string, filters: SearchFilters, room: string | undefined): void {
    this.clear();
    if (isBlank(query) && Object.keys(filters).length === 0) return this.#changed();
    this.state = { query, filters, room, messages: undefined, more: false, busy: true, error: undefined };
    this.#timer = setTimeout(() => void this.#ask(), PAUSE_MS);
    this.#changed();
  }

  /** Repeats the last request, which failed. */
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

  /** Updates the hits after a message has changed. */
  message(message: Message): void {
    const { state } = this;
    if (state?.messages?.some(({ id }) => id === message.id) !== true) return;
    const messages = state.messages
      .map((known) => (known.id === message.id && known.rev < message.rev ? message : known))
      .filter(({ deletedAt }) => deletedAt === undefined);
    this.state = { ...state, messages };
  }

  /** Repeats the search. The old hits stay until the response arrives. */
  reset({ id }: Room): void {
    if (this.state?.messages?.some(({ room }) => room === id) !== true) return;
    this.#next = undefined;
    void this.#ask();
  }

  /** Removes the room's hits. Repeats the search if there were any, or if a search is in progress. */
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
      // A page may be empty although there are older hits.
      do {
        const { messages, next } = await this.#connection.request('message:search', {
          query: isBlank(state.query) ? undefined : state.query,
          ...state.filters,
          limit: PAGE,
          room: state.room,
          cursor: this.#next,
        });
        if (asked !== this.#asked) return;
        this.#next = next;
        found.push(...messages);
      } while (found.length === 0 && this.#next !== undefined && ++empty < MOST_EMPTY);
      // Hits may have been changed or deleted during the request.
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
      // Hits from before a repeated search may not exist any longer.
      this.#set({ ...before, messages: first ? undefined : before.messages, busy: false, error });
    }
  }

  #set(state: SearchState): void {
    this.state = state;
    this.#changed();
  }
}
