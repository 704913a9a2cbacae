import type { StoredMessage } from '../history/history.ts';
import type { Message, Reaction } from '../wire/events.ts';
import type { Chat } from './chat.ts';
import type { Person } from './model.ts';

/** The user who gets the response. */
type Reader = Pick<Person, 'user' | 'blocked'>;

/**
 * Converts messages for the response to one user: marks the user's own reactions, and messages of users whom the user
 * blocked. Events have no such marks, because all receivers share them.
 */
export class Mine {
  readonly #chat: Pick<Chat, 'history' | 'directory'>;
  readonly #user: string;
  readonly #blocked: ReadonlySet<string>;
  /** Whether the user reacted, by message and emoji. Only for reactions that do not name all their users. */
  readonly #looked = new Map<string, boolean>();

  constructor(chat: Pick<Chat, 'history' | 'directory'>, { user, blocked }: Reader) {
    this.#chat = chat;
    this.#user = user.id;
    this.#blocked = blocked;
  }

  /**
   * Reads the user's own reactions to messages that do not name all reacting users, in one query.
   * @returns whether a query was needed
   */
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

  /** Returns the messages as the user gets them. Does not modify the given messages, which may be shared. */
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

  /** Whether the user reacted, according to the message. Undefined if the message does not name all users who did. */
  #told({ count, users }: Reaction): boolean | undefined {
    if (users.includes(this.#user)) return true;
    return count > users.length ? undefined : false;
  }
}

/** Returns a page of messages as the user gets it. */
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
