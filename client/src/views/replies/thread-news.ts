import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Thread } from '../../chat/thread.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';

/**
 * Offers to open the thread of a reply that concerns the reader, if the reply is only there. Otherwise the reader of the
 * room would miss it.
 */
export class ThreadNews implements Follower {
  readonly #context: Context;
  readonly #open: () => Thread | undefined;

  /** @param open - returns the thread that is shown next to the room */
  constructor(context: Context, open: () => Thread | undefined) {
    this.#context = context;
    this.#open = open;
  }

  /** The room is opened, perhaps with unread replies. */
  joined(room: Room): void {
    const { newFrom = Number.POSITIVE_INFINITY } = room;
    const last = room.timeline
      .list()
      .findLast((message) => message.seq >= newFrom && this.#isNews(room, message));
    if (last !== undefined) this.#tell(last);
  }

  message(message: Message): void {
    const { current } = this.#context.chat;
    const isNew = message.seq === current?.summary.lastSeq && message.editedAt === undefined;
    if (current !== undefined && isNew && this.#isNews(current, message)) this.#tell(message);
  }

  #isNews(room: Room, message: Message): boolean {
    const { chat, blocking } = this.#context;
    const { me, current } = chat;
    const { user, deletedAt, thread } = message;
    if (me === undefined || room !== current || message.room !== room.id || room.shows(message)) return false;
    if (deletedAt !== undefined || user.id === me.id || blocking()?.has(user.id)) return false;
    return this.#open()?.number !== thread && room.concerns(message, me.id);
  }

  #tell({ room, seq, user }: Message): void {
    const { strings, toast, jump } = this.#context;
    toast(strings.text('replies.newIn', { name: strings.name(user) }), 'good', {
      label: 'replies.open',
      run: () => jump({ room, seq }),
    });
  }
}
