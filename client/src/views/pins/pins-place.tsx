import { number } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';

/** An empty bar until the code of the bar and the pinned messages have loaded, so that the timeline does not move. */
export function pinsPlace({ chat }: Context, room: Room) {
  const { pins, question } = room.summary;
  if (question) return <section class="pins" />;
  const isAwaited = pins !== undefined && !room.preview;
  return isAwaited && chat.store?.get(hiddenPin(room), number) === undefined && <section class="pins" />;
}

/** Storage key for the pin time of the hidden message. */
export const hiddenPin = ({ id }: Room) => `pin/${id}`;
