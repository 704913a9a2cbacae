import type { ComponentChildren } from 'preact';
import type { EventPayload, Message } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Avatar } from '../people/avatar.tsx';

/** The server sends read receipts only in rooms with at most this number of members. */
const mostSeers = 50;
/** Number of avatars before the text. */
const FACES = 3;

/** Whether authors see read receipts in this room. */
export function showsSeen({ summary }: Room, { can }: Chat): boolean {
  const { member, seen, kind, members } = summary;
  return can.seen && member && seen !== 'off' && kind !== 'direct' && members <= mostSeers;
}

interface Known {
  readonly seq: number;
  /** A new function for each response, so that the message renders again. Undefined without read receipts. */
  draw?: (() => ComponentChildren) | undefined;
}

/** The line under the user's newest message in a room that shows its read receipts. */
export class SeenLine implements Follower {
  readonly #context: Context;
  #known = new WeakMap<Room, Known>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Returns the function that draws the line. Requests the receipts once; the server sends changes. */
  of(message: Message): Known['draw'] {
    const room = this.#context.chat.rooms.get(message.room);
    if (room === undefined || !showsSeen(room, this.#context.chat)) return undefined;
    const known = this.#known.get(room);
    if (known?.seq === message.seq) return known.draw;
    if (room.joined) this.#ask(room, { seq: message.seq });
    return undefined;
  }

  /** Requests the receipts again after a reconnect. */
  joined(room: Room): void {
    const known = this.#known.get(room);
    if (known !== undefined) this.#ask(room, { ...known });
  }

  seen({ room: id, ...seen }: EventPayload<'seen:changed'>): void {
    const room = this.#context.chat.rooms.get(id);
    if (room !== undefined && this.#known.get(room)?.seq === seen.seq) this.#note(room, seen);
  }

  /** Blocking a user removes their receipts in every room. Unblocking brings them back. */
  blocked(): void {
    this.#known = new WeakMap();
    this.#context.changed();
  }

  #ask(room: Room, known: Known): void {
    const { seq } = known;
    this.#known.set(room, known);
    this.#context.chat.request('message:seen', { room: room.id, seq }).then(
      (seen) => this.#known.get(room) === known && this.#note(room, { seq, ...seen }),
      // The message shows "Sent" instead. The next connection requests the receipts again.
      () => {},
    );
  }

  #note(room: Room, { seq, ...seen }: Omit<EventPayload<'seen:changed'>, 'room'>): void {
    const draw = seen.users.length === 0 ? undefined : () => this.#line(room, seq, seen);
    this.#known.set(room, { seq, draw });
    this.#context.changed();
  }

  #line(room: Room, seq: number, seen: Pick<EventPayload<'seen:changed'>, 'users' | 'total'>) {
    const { strings, dialog } = this.#context;
    return (
      <button
        type="button"
        class="seen"
        tabIndex={-1}
        aria-haspopup="dialog"
        onClick={() => {
          const message = room.timeline.get(seq);
          if (message !== undefined) dialog({ kind: 'seen', message });
        }}
      >
        <span class="faces" aria-hidden="true">
          {seen.users.slice(0, FACES).map((user) => (
            <Avatar key={user.id} user={user} />
          ))}
        </span>
        {seenWords(seen, strings)}
      </button>
    );
  }
}

/** Returns the text with the number of members who have seen a message. */
export function seenWords(
  { users, total }: Pick<EventPayload<'seen:changed'>, 'users' | 'total'>,
  strings: Context['strings'],
): string {
  if (users.length === total && total > 0) return strings.text('seen.all');
  return strings.text('seen.of', { n: users.length, total });
}
