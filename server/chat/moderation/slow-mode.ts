import type { StoredMessage } from '../../history/history.ts';
import type { Room } from '../model.ts';

/** So many people of a room are remembered; of the others the history knows the wall clock's time. */
const mostRemembered = 10_000;

/** Who has written in rooms in slow mode, by user, the last one at the end; `at` is of the monotonic clock. */
const written = new WeakMap<Room, Map<string, { sentAt: number; at: number }>>();

/** A message has been published. */
export function noteWritten(room: Room, { user, sentAt }: Pick<StoredMessage, 'user' | 'sentAt'>): void {
  if (room.record.slow === undefined) return void written.delete(room);
  const people = written.get(room) ?? new Map();
  written.set(room, people);
  people.delete(user.id);
  people.set(user.id, { sentAt, at: performance.now() });
  if (people.size <= mostRemembered) return;
  const [oldest] = people.keys();
  people.delete(oldest);
}

/** The user's last message there, and how many milliseconds ago it was published; undefined if that is not known. */
export function lastWritten(room: Room, user: string): { sentAt: number; ms: number } | undefined {
  const last = written.get(room)?.get(user);
  return last && { sentAt: last.sentAt, ms: performance.now() - last.at };
}
