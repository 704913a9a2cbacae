import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { mentions } from '../../store/user-ids.ts';
import type { Context } from '../context.ts';

/**
 * Counts the unread messages that mention the reader or reply in a followed thread, in a joined room that is not
 * visible. The server sends `mention` for other rooms only. The number is requested, because only the server knows the
 * followed threads.
 */
export class UnreadMentions implements Follower {
  readonly #context: Context;
  /** Rooms with a request in flight, and whether to repeat it, because the response may miss a newer message. */
  readonly #asked = new Map<string, boolean>();

  constructor(context: Context) {
    this.#context = context;
  }

  message(message: Message): void {
    const { chat } = this.#context;
    const room = chat.rooms.get(message.room);
    if (room === undefined || message.seq <= room.summary.readSeq) return;
    if (message.thread === undefined && !mentions(message, chat.me?.id)) return;
    // It is about to be marked as read.
    if (room === chat.current && chat.shown.viewing) return;
    if (this.#asked.has(room.id)) this.#asked.set(room.id, true);
    else void this.#ask(room.id);
  }

  async #ask(room: string): Promise<void> {
    const { chat, changed } = this.#context;
    do {
      this.#asked.set(room, false);
      // If this fails, the next summary of the room corrects the number.
      await chat.list.fetch(room).then(changed, () => {});
    } while (this.#asked.get(room) === true);
    this.#asked.delete(room);
  }
}
