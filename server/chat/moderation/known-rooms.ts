import type { KnownRooms } from '../../history/history.ts';
import { moderatesSite, rightsIn } from '../access.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';
import { readWithin } from '../rooms.ts';

/**
 * Returns the rooms that the moderators' page may show to this user: the public rooms from which the user is not
 * banned, and the user's private rooms. Direct rooms are excluded.
 */
export function knownRooms({ directory }: Pick<Chat, 'directory'>, { person }: Connection): KnownRooms {
  const memberships = [...person.memberships.values()];
  return {
    rooms: memberships.flatMap(({ room: { record } }) => (record.kind === 'private' ? [record.id] : [])),
    except: directory.restrictions.bannedFrom(person.user.id),
  };
}

/** Returns the rooms that the user moderates as a member. */
export function moderatedRooms({ identity: { roles }, person }: Connection): string[] {
  return [...person.memberships.values()]
    .filter(({ room, member }) => rightsIn(room.record, { roles, member }).includes('moderate'))
    .map(({ room }) => room.record.id);
}

/** Whether there is a room whose reports and pending messages the user may see. */
export function moderatesAny(connection: Connection): boolean {
  return moderatesSite(connection.identity) || moderatedRooms(connection).length > 0;
}

/** Whether the room is among the known rooms. */
export function isKnown(
  { directory }: Pick<Chat, 'directory'>,
  { rooms, except }: KnownRooms,
  room: string,
): boolean {
  return rooms.includes(room) || (!except.includes(room) && directory.room(room)?.record.kind === 'public');
}

/** See `readWithin`. */
export const readKnown = <Answer>(
  chat: Chat,
  connection: Connection,
  read: (known: KnownRooms) => Promise<Answer>,
): Promise<Answer> => readWithin(() => knownRooms(chat, connection), read);
