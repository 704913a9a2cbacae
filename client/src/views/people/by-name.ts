import type { User } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';

const PAUSE_MS = 250;
/** A single letter is the start of too many names. */
const SHORTEST = 2;

/** Finds the other users whose name or ID begins with a query. */
export class PeopleByName {
  /** The users that the last query found. */
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
    if (query.length < SHORTEST || !findPeople || !direct) {
      this.users = [];
      return this.#changed();
    }
    const timer = setTimeout(() => {
      this.#chat.request('user:find', { query, limit: this.#most }).then(
        ({ users }) => {
          // The query has changed, or the list was closed.
          if (timer !== this.#timer) return;
          this.users = users.filter(({ id }) => id !== this.#chat.me?.id);
          this.#changed();
        },
        // The list stays empty.
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
