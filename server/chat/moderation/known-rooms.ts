import type { KnownRooms } from '../../history/history.ts';
import { moderatesSite, rightsIn } from '../access.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';
import { readWithin } from '../rooms.ts';

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

/** The rooms that the user moderates as a member. */
export function moderatedRooms({ identity: { roles }, person }: Connection): string[] {
  return [...person.memberships.values()]
    .filter(({ room, member }) => rightsIn(room.record, { roles, member }).includes('moderate'))
    .map(({ room }) => room.record.id);
}

/** Whether the user sees the reports, and the messages that wait, of any room. */
export function moderatesAny(connection: Connection): boolean {
  return moderatesSite(connection.identity) || moderatedRooms(connection).length > 0;
}

/** Whether a room is one of these. */
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
