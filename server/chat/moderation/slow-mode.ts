import type { StoredMessage } from '../../history/history.ts';
import type { Room } from '../model.ts';

/** People remembered per room; for others, the history knows only the wall clock's time. */
const mostRemembered = 10_000;

/** The last message of each user in rooms with slow mode, newest last; `at` is monotonic. */
const written = new WeakMap<Room, Map<string, { sentAt: number; at: number }>>();

/** Notes a published message. */
export function noteWritten(room: Room, { user, sentAt }: Pick<StoredMessage, 'user' | 'sentAt'>): void {
  if (room.record.settings.slow === undefined) return void written.delete(room);
  const people = written.get(room) ?? new Map();
  written.set(room, people);
  people.delete(user.id);
  people.set(user.id, { sentAt, at: performance.now() });
  if (people.size <= mostRemembered) return;
  const [oldest] = people.keys();
  people.delete(oldest);
}

/**
 * The user's last message in the room, and the milliseconds since it was published; undefined if unknown. The rule
 * itself is `checkPause` in `history/messages/posting.ts`.
 */
export function lastWritten(room: Room, user: string): { sentAt: number; ms: number } | undefined {
  const last = written.get(room)?.get(user);
  return last && { sentAt: last.sentAt, ms: performance.now() - last.at };
}
