import { folded } from '../../../../server/text/folding.ts';
import type { User } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';

const PAUSE_MS = 250;
/** A single letter is the start of too many names. */
const SHORTEST = 2;

/** Finds the other users whose name or ID begins with a query. */
export class PeopleByName {
  /** The users that match the last query, as far as they are known. */
  users: readonly User[] = [];
  readonly #chat: Chat;
  readonly #most: number;
  readonly #changed: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param most - maximum number of users */
  constructor(chat: Chat, most: number, changed: () => void) {
    this.#chat = chat;
    this.#most = most;
    this.#changed = changed;
  }

  /** Call when the query has changed. */
  find(typed: string): void {
    this.stop();
    const query = typed.trim();
    const { findPeople, direct } = this.#chat.can;
    const isAsked = query.length >= SHORTEST && findPeople && direct;
    // Enter takes the first user, so users who do not match the new text must not wait for the response.
    this.users = this.users.filter(({ name }) => isAsked && has(name, query));
    this.#changed();
    if (!isAsked) return;
    const timer = setTimeout(() => {
      this.#chat.request('user:find', { query, limit: this.#most }).then(
        ({ users }) => {
          // The query has changed, or the list was closed.
          if (timer !== this.#timer) return;
          this.users = users.filter(({ id }) => id !== this.#chat.me?.id);
          this.#changed();
        },
        // The list keeps the users that are known.
        () => {},
      );
    }, PAUSE_MS);
    this.#timer = timer;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

const has = (name: string, query: string) => folded(name).includes(folded(query));
