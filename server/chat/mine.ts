import type { Message, Reaction } from '../events.ts';
import type { History } from '../history/history.ts';

/**
 * Which reactions are those of one user, for the answers to that user. Events do not say it: they are one frame for all,
 * and a client knows its own.
 */
export class Mine {
  readonly #history: History;
  readonly #user: string;
  /** Reactions that do not name everybody, by their messages: whether they are this user's. */
  readonly #looked = new Map<string, boolean>();

  constructor(history: History, user: string) {
    this.#history = history;
    this.#user = user;
  }

  /** Asks the history, once for all of them, where the messages themselves do not tell. @returns whether it had to */
  async look(messages: readonly Message[]): Promise<boolean> {
    const asked = new Map<string, string>();
    const of: { room: string; seq: number; emoji: string }[] = [];
    for (const message of messages) {
      const { room, seq } = message;
      for (const reaction of message.reactions ?? []) {
        const key = keyOf(message, reaction);
        if (this.#told(reaction) !== undefined || this.#looked.has(key)) continue;
        this.#looked.set(key, false);
        asked.set(placeOf(room, seq, reaction.emoji), key);
        of.push({ room, seq, emoji: reaction.emoji });
      }
    }
    if (of.length === 0) return false;
    for (const { room, seq, emoji } of await this.#history.read('reactionsOf', { user: this.#user, of })) {
      const key = asked.get(placeOf(room, seq, emoji));
      if (key !== undefined) this.#looked.set(key, true);
    }
    return true;
  }

  /** The messages as this user gets them. Those that were given may be others' too, and stay as they are. */
  in(messages: Message[]): Message[] {
    if (!messages.some(({ reactions }) => reactions !== undefined)) return messages;
    return messages.map((message) => {
      if (message.reactions === undefined) return message;
      const reactions = message.reactions.map((reaction) => {
        const isMine = this.#told(reaction) ?? this.#looked.get(keyOf(message, reaction)) ?? false;
        return isMine ? { ...reaction, mine: true as const } : reaction;
      });
      return { ...message, reactions };
    });
  }

  /** What the reaction itself tells; undefined where it does not name everybody. */
  #told({ count, users }: Reaction): boolean | undefined {
    if (users.includes(this.#user)) return true;
    return count > users.length ? undefined : false;
  }
}

/** What an answer holds, as this user gets it. */
export async function pageFor<Page extends { messages: Message[] }>(
  history: History,
  user: string,
  page: Page,
): Promise<Page> {
  const mine = new Mine(history, user);
  await mine.look(page.messages);
  return { ...page, messages: mine.in(page.messages) };
}

export async function messageFor(history: History, user: string, message: Message): Promise<Message> {
  if (message.reactions === undefined) return message;
  const { messages } = await pageFor(history, user, { messages: [message] });
  return messages[0] as Message;
}

const placeOf = (room: string, seq: number, emoji: string) => `${seq} ${emoji} ${room}`;
const keyOf = ({ room, seq, rev }: Message, { emoji }: Reaction) => `${rev} ${placeOf(room, seq, emoji)}`;
