import type { StoredMessage } from '../../history/history.ts';
import type { Room } from '../model.ts';

/** Limits the remembered users per room. For other users the history uses the wall clock. */
const maxUsers = 10_000;

/** The last message of each user in rooms with slow mode, newest last; `at` is monotonic. */
const lastMessages = new WeakMap<Room, Map<string, { sentAt: number; at: number }>>();

/** Records a published message. */
export function recordLastMessage(
  room: Room,
  { user, sentAt }: Pick<StoredMessage, 'user' | 'sentAt'>,
): void {
  if (room.record.settings.slow === undefined) return void lastMessages.delete(room);
  const lastByUser = lastMessages.get(room) ?? new Map();
  lastMessages.set(room, lastByUser);
  lastByUser.delete(user.id);
  lastByUser.set(user.id, { sentAt, at: performance.now() });
  if (lastByUser.size <= maxUsers) return;
  const [oldest] = lastByUser.keys();
  lastByUser.delete(oldest);
}

/**
 * Returns the time of the user's last message in the room, and the milliseconds since it was published. Undefined if
 * this server does not remember one. `checkPause` in `history/messages/posting.ts` enforces slow mode.
 */
export function findLastMessage(room: Room, user: string): { sentAt: number; ms: number } | undefined {
  const last = lastMessages.get(room)?.get(user);
  return last && { sentAt: last.sentAt, ms: performance.now() - last.at };
}
