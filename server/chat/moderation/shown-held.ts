import type { History, PendingMessage } from '../../history/history.ts';
import type { Held } from '../../wire/events.ts';

/**
 * Returns pending and rejected messages as their authors and moderators see them. Moderators see the author's name even
 * before the author's first message.
 */
export async function toHeld(
  history: Pick<History, 'read'>,
  stored: readonly PendingMessage[],
): Promise<Held[]> {
  const users = await history.read.users({ ids: [...new Set(stored.map(({ user }) => user))] });
  const names = new Map(users.map(({ id, name }) => [id, name]));
  return stored.map(({ id, room, user, clientId, seq, why, at, closed, content }) => ({
    id,
    room,
    user: { id: user, name: names.get(user) ?? user },
    ...(seq === undefined ? { clientId } : { seq }),
    why,
    ...content,
    at,
    rejected: closed,
  }));
}
