import type { KnownRooms } from '../../history/history.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';

/**
 * The rooms of which the moderators' page may say something to this user: public ones, and private ones of which the user is
 * a member. Direct rooms are none of them.
 */
export function knownRooms({ directory }: Pick<Chat, 'directory'>, { person }: Connection): KnownRooms {
  const memberships = [...person.memberships.values()];
  return {
    rooms: memberships.flatMap(({ room: { record } }) => (record.kind === 'private' ? [record.id] : [])),
    except: directory.restrictions.bannedFrom(person.user.id),
  };
}

/** Whether a room is one of these. */
export function isKnown(
  { directory }: Pick<Chat, 'directory'>,
  { rooms, except }: KnownRooms,
  room: string,
): boolean {
  return rooms.includes(room) || (!except.includes(room) && directory.room(room)?.record.kind === 'public');
}

/** Reads by the rooms that the user may know of, and again if these have changed during that. */
export async function readKnown<Answer>(
  chat: Chat,
  connection: Connection,
  read: (known: KnownRooms) => Promise<Answer>,
): Promise<Answer> {
  for (;;) {
    const known = knownRooms(chat, connection);
    const answer = await read(known);
    // Another server may have stored what was read, and before it that the user was removed.
    await chat.history.current();
    const now = knownRooms(chat, connection);
    const isSame = (['rooms', 'except'] as const).every((list) => known[list].join() === now[list].join());
    if (isSame) return answer;
  }
}
