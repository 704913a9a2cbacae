import { number } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';

/** Keeps the place of the pinned bar until its code and its messages have come: otherwise it would move the timeline. */
export function pinsPlace({ chat }: Context, room: Room) {
  const isAwaited = room.summary.pins !== undefined && !room.preview;
  return isAwaited && chat.store?.get(hiddenPin(room), number) === undefined && <section class="pins" />;
}

/** The key under which is stored when the message was pinned whose bar the reader has hidden. */
export const hiddenPin = ({ id }: Room) => `pin/${id}`;
