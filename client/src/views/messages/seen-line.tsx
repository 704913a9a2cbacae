import type { ComponentChildren } from 'preact';
import type { EventPayload, Message } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Avatar } from '../people/avatar.tsx';

/** Members of the largest room in which the server says who has seen a message. */
const mostSeers = 50;
/** The faces before the words. */
const FACES = 3;

/** Whether authors learn in that room who has seen a message. */
export function showsSeen({ summary }: Room, { can }: Chat): boolean {
  const { member, seen, kind, members } = summary;
  return can.seen && member && seen !== 'off' && kind !== 'direct' && members <= mostSeers;
}

interface Known {
  readonly seq: number;
  /** Another one for each answer; undefined where nobody has seen the message. */
  draw?: (() => ComponentChildren) | undefined;
}

/** The line under the user's newest message in a room, which says how many have seen it. */
export class SeenLine implements Follower {
  readonly #context: Context;
  #known = new WeakMap<Room, Known>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Draws the line. It is asked for once, and the server sends what changes. */
  of(message: Message): Known['draw'] {
    const room = this.#context.chat.rooms.get(message.room);
    if (room === undefined || !showsSeen(room, this.#context.chat)) return undefined;
    const known = this.#known.get(room);
    if (known?.seq === message.seq) return known.draw;
    if (room.joined) this.#ask(room, { seq: message.seq });
    return undefined;
  }

  /** Over a new connection: it has to be asked again. */
  joined(room: Room): void {
    const known = this.#known.get(room);
    if (known !== undefined) this.#ask(room, { ...known });
  }

  seen({ room: id, ...seen }: EventPayload<'seen:changed'>): void {
    const room = this.#context.chat.rooms.get(id);
    if (room !== undefined && this.#known.get(room)?.seq === seen.seq) this.#note(room, seen);
  }

  /** They are not shown any more, or again, in any room. */
  blocked(): void {
    this.#known = new WeakMap();
    this.#context.changed();
  }

  #ask(room: Room, known: Known): void {
    const { seq } = known;
    this.#known.set(room, known);
    this.#context.chat.request('message:seen', { room: room.id, seq }).then(
      (seen) => this.#known.get(room) === known && this.#note(room, { seq, ...seen }),
      // It says "Sent" then. Over the next connection it is asked again.
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

/** How many have seen a message. */
export function seenWords(
  { users, total }: Pick<EventPayload<'seen:changed'>, 'users' | 'total'>,
  strings: Context['strings'],
): string {
  if (users.length === total && total > 0) return strings.text('seen.all');
  return strings.text('seen.of', { n: users.length, total });
}
