import type { Message } from '../../../../server/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { mentions } from '../../store/user-ids.ts';
import type { Context } from '../context.ts';

/**
 * How many unread messages mention the reader, in a room that is open but not in sight. `mention` tells of rooms that are
 * joined nowhere, and not every message that names somebody counts: the server is asked.
 */
export class UnreadMentions implements Follower {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  message(message: Message): void {
    const { chat, changed } = this.#context;
    const room = chat.rooms.get(message.room);
    if (room === undefined || message.seq <= room.summary.readSeq || !mentions(message, chat.me?.id)) return;
    // With the next summary of the room it is right in any case.
    chat.list.fetch(room.id).then(changed, () => {});
  }
}
