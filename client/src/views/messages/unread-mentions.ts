import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { mentions } from '../../store/user-ids.ts';
import type { Context } from '../context.ts';

/**
 * Counts the unread messages that mention the reader, or reply in a thread that the reader follows, in a room that is joined
 * but not in sight. The server sends `mention` for other rooms only. A message may name the reader and still not count, and
 * which threads are followed is not known, so the server is asked for the number.
 */
export class UnreadMentions implements Follower {
  readonly #context: Context;
  /** Rooms that are asked for, and whether to ask once more: what has come since may not be in the answer. */
  readonly #asked = new Map<string, boolean>();

  constructor(context: Context) {
    this.#context = context;
  }

  message(message: Message): void {
    const { chat } = this.#context;
    const room = chat.rooms.get(message.room);
    if (room === undefined || message.seq <= room.summary.readSeq) return;
    if (message.thread === undefined && !mentions(message, chat.me?.id)) return;
    // It is about to count as read.
    if (room === chat.current && chat.shown.viewing) return;
    if (this.#asked.has(room.id)) this.#asked.set(room.id, true);
    else void this.#ask(room.id);
  }

  async #ask(room: string): Promise<void> {
    const { chat, changed } = this.#context;
    do {
      this.#asked.set(room, false);
      // With the next summary of the room it is right in any case.
      await chat.list.fetch(room).then(changed, () => {});
    } while (this.#asked.get(room) === true);
    this.#asked.delete(room);
  }
}
