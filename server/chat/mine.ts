import type { StoredMessage } from '../history/history.ts';
import type { Message, Reaction } from '../wire/events.ts';
import type { Chat } from './chat.ts';
import type { Person } from './model.ts';

/** The user who gets the answer. */
type Reader = Pick<Person, 'user' | 'blocked'>;

/**
 * Messages as one user gets them in answers: with that user's reactions and the messages of blocked users marked.
 * Events are one frame for all, so they have no marks, and clients know both.
 */
export class Mine {
  readonly #chat: Pick<Chat, 'history' | 'directory'>;
  readonly #user: string;
  readonly #blocked: ReadonlySet<string>;
  /** Whether this user is among reactions that do not list everybody, by message and emoji. */
  readonly #looked = new Map<string, boolean>();

  constructor(chat: Pick<Chat, 'history' | 'directory'>, { user, blocked }: Reader) {
    this.#chat = chat;
    this.#user = user.id;
    this.#blocked = blocked;
  }

  /** Asks the history, once for all messages, where a reaction does not list everybody. @returns whether it had to */
  async look(messages: readonly StoredMessage[]): Promise<boolean> {
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
    for (const { room, seq, emoji } of await this.#chat.history.read.reactionsOf({
      user: this.#user,
      of,
    })) {
      const key = asked.get(placeOf(room, seq, emoji));
      if (key !== undefined) this.#looked.set(key, true);
    }
    return true;
  }

  /** The messages as this user gets them. The given ones may be shared, and are not changed. */
  in(messages: readonly StoredMessage[]): Message[] {
    return messages.map((stored) => {
      const hidden = this.#blocked.has(stored.user.id);
      const shown = this.#chat.directory.messageOf(stored, this.#user);
      const message: Message = hidden ? { ...shown, hidden } : shown;
      if (message.reactions === undefined) return message;
      const reactions = message.reactions.map((reaction) => {
        const isMine = this.#told(reaction) ?? this.#looked.get(keyOf(message, reaction)) ?? false;
        return isMine ? { ...reaction, mine: true as const } : reaction;
      });
      return { ...message, reactions };
    });
  }

  /** The answer from the reaction itself; undefined if it does not list everybody. */
  #told({ count, users }: Reaction): boolean | undefined {
    if (users.includes(this.#user)) return true;
    return count > users.length ? undefined : false;
  }
}

/** An answer's page as this user gets it. */
export async function pageFor<Page extends { messages: StoredMessage[] }>(
  chat: Chat,
  reader: Reader,
  page: Page,
): Promise<Omit<Page, 'messages'> & { messages: Message[] }> {
  const mine = new Mine(chat, reader);
  await mine.look(page.messages);
  return { ...page, messages: mine.in(page.messages) };
}

export async function messageFor(chat: Chat, reader: Reader, message: StoredMessage): Promise<Message> {
  const { messages } = await pageFor(chat, reader, { messages: [message] });
  return messages[0] as Message;
}

const placeOf = (room: string, seq: number, emoji: string) => `${seq} ${emoji} ${room}`;
const keyOf = ({ room, seq, rev }: Pick<StoredMessage, 'room' | 'seq' | 'rev'>, { emoji }: Reaction) =>
  `${rev} ${placeOf(room, seq, emoji)}`;
