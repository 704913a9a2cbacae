import type { Change, MemberRecord, RoomRecord, StoredMessage } from '../history.ts';
import { messageFrom, type Row } from '../rows.ts';
import { type Connection, raw, type ServerDialect, type Sql, sql } from './dialect.ts';

/** The changes of a transaction: `num` counts transactions over all servers, in the order of the commits. */
export interface Entry {
  num: number;
  changes: Change[];
}

/** A message without its text, which may be deleted while the entry is still kept. */
interface Place {
  room: string;
  seq: number;
  rev: number;
}

/** A change as it is stored. */
type Stored =
  | Exclude<Change, { type: 'message' | 'mentions' }>
  | (Omit<Change & { type: 'mentions' }, 'message'> & { message: Place })
  | { type: 'message'; is: 'new' | 'changed'; message: Place };

interface Database {
  dialect: ServerDialect;
  connection: Connection;
}

/** Entries that are read at once. */
const mostEntries = 200;

/** The statements that add an entry, the last ones of its transaction. The first answers with its number. */
export function append(dialect: ServerDialect, changes: readonly Change[]): Sql[] {
  const text = JSON.stringify(changes.map(stored));
  return [
    dialect.nextPosition,
    sql`INSERT INTO chat_changes (num, since, changes) SELECT num, ${dialect.now}, ${text} FROM chat_position`,
  ];
}

/** Answers with the number of the last entry, if there is one. */
export const lastPosition = raw('SELECT num FROM chat_position');

/** The number of the last entry. */
export async function positionOf(connection: Connection): Promise<number> {
  return numberOf(await connection.query(lastPosition));
}

/** The number in the answer of `append` and `lastPosition`. */
export const numberOf = ([row]: readonly Row[]): number => (row?.num as number | undefined) ?? 0;

/**
 * The next entries after that number. A message is as it is now. If it has changed again meanwhile, it is new in its own
 * place and under its first `rev`, so that the order of a room is the same on all servers; of its changes only the last
 * one comes.
 */
export async function entriesAfter({ dialect, connection }: Database, after: number): Promise<Entry[]> {
  const rows = await connection.query(
    sql`SELECT num, changes FROM chat_changes WHERE num > ${after} ORDER BY num LIMIT ${mostEntries}`,
  );
  const entries = rows.map(({ num, changes }) => ({
    num: num as number,
    changes: JSON.parse(changes as string) as Stored[],
  }));
  const messages = await load(
    { dialect, connection },
    entries.flatMap(({ changes }) => changes.flatMap(placesOf)),
  );
  return entries.map(({ num, changes }) => ({
    num,
    changes: changes.flatMap((change): Change[] => {
      if (change.type === 'message') {
        const { is } = change;
        const { rev } = change.message;
        const message = messages.get(keyOf(change.message));
        if (message === undefined || (is === 'changed' && message.rev > rev)) return [];
        return [{ type: 'message', is, message: { ...message, rev } }];
      }
      if (change.type === 'mentions') {
        const message = messages.get(keyOf(change.message));
        return message === undefined ? [] : [{ ...change, message }];
      }
      if (!isOfRoom(change)) return [change];
      const last = messages.get(keyOf(lastOf(change.room)));
      return [last === undefined ? change : { ...change, room: { ...change.room, last } }];
    }),
  }));
}

/**
 * Deletes old entries, but for the last one: by it a server finds out that it is behind. By the clock of the database:
 * one server's clock must not delete what another has just written.
 * @param age of the youngest that is deleted, in milliseconds
 */
export async function forget({ dialect, connection }: Database, age: number): Promise<void> {
  await connection.query(deleteOld(dialect, age, await positionOf(connection)));
}

/** Deletes the entries of that age, but for the last one. */
export const deleteOld = (dialect: ServerDialect, age: number, last: number): Sql =>
  sql`DELETE FROM chat_changes WHERE since < ${dialect.now} - ${age} AND num <> ${last}`;

/**
 * The text of an entry without what it says of this user but the id, which servers that are behind need. It is
 * outdated when they read it: the user is nobody then.
 */
export function withoutWords(text: string, user: string): string {
  const changes = (JSON.parse(text) as Stored[]).map((change): Stored => {
    switch (change.type) {
      case 'user':
        return change.user.id === user ? { ...change, user: { ...change.user, name: user } } : change;
      case 'member':
        return change.user.id === user ? memberWithoutWords(change) : change;
      case 'ban':
        return change.user === user && change.ban !== null ? { ...change, ban: unsaid(change.ban) } : change;
      case 'restricted':
        return change.user === user && change.now !== null ? { ...change, now: unsaid(change.now) } : change;
      case 'told':
        return { ...change, what: toldWithout(change.what, user) };
      default:
        return change;
    }
  });
  return JSON.stringify(changes);
}

/** Restrictions of the user are in the membership, too. */
function memberWithoutWords(change: Change & { type: 'member' }): Change & { type: 'member' } {
  const { user, before, now } = change;
  const named = { ...user, name: user.id };
  return { ...change, user: named, before: before && unsaidIn(before), now: unsaidIn(now) };
}

function unsaidIn({ restricted, ...member }: MemberRecord): MemberRecord {
  if (restricted === undefined) return member;
  const kinds = Object.entries(restricted).map(([kind, one]) => [kind, unsaid(one)]);
  return { ...member, restricted: Object.fromEntries(kinds) };
}

function unsaid<T extends { reason?: string }>({ reason: _, ...rest }: T): Omit<T, 'reason'> {
  return rest;
}

/** Parts of the notifications between servers (cluster/servers.ts): the names of users, and pushed data. */
function toldWithout(what: object, user: string): object {
  const { users, order } = what as { users?: [string, { name: string } | null][]; order?: { is: string } };
  if (users !== undefined) {
    return {
      ...what,
      users: users.map(([id, seen]) => [id, id === user && seen ? { ...seen, name: id } : seen]),
    };
  }
  // A server that reads it now is too late for it.
  return order?.is === 'push' && 'user' in what && what.user === user
    ? { ...what, order: { is: 'count' } }
    : what;
}

const placeOf = ({ room, seq, rev }: StoredMessage): Place => ({ room, seq, rev });
const keyOf = ({ room, seq }: { room: string; seq: number }) => `${seq} ${room}`;
const lastOf = ({ id, lastSeq }: RoomRecord) => ({ room: id, seq: lastSeq });

function stored({ asker: _, ...change }: Change): Stored {
  if (change.type === 'message') {
    return { type: 'message', is: change.is, message: placeOf(change.message) };
  }
  if (change.type === 'mentions') return { ...change, message: placeOf(change.message) };
  if (!isOfRoom(change)) return change;
  const { last: _last, ...room } = change.room;
  return { ...change, room };
}

/** Whether it carries the room as it is then. */
function isOfRoom(change: Stored): change is Extract<Stored, { room: RoomRecord }> {
  return 'room' in change && typeof change.room !== 'string';
}

/** The messages that a change needs. */
function placesOf(change: Stored): { room: string; seq: number }[] {
  if (change.type === 'message' || change.type === 'mentions') return [change.message];
  return isOfRoom(change) ? [lastOf(change.room)] : [];
}

async function load(
  { dialect, connection }: Database,
  places: readonly { room: string; seq: number }[],
): Promise<Map<string, StoredMessage>> {
  const found = new Map<string, StoredMessage>();
  const wanted = new Map(places.filter(({ seq }) => seq > 0).map((place) => [keyOf(place), place]));
  if (wanted.size === 0) return found;
  const ids = [...new Set([...wanted.values()].map(({ room }) => room))];
  const among = dialect.among(
    ['id'],
    ids.map((id) => [id]),
  );
  const rooms = await connection.query(sql`SELECT num, id FROM chat_rooms WHERE ${among}`);
  const nums = new Map(rooms.map(({ num, id }) => [id as string, num as number]));
  const names = new Map(rooms.map(({ num, id }) => [num as number, id as string]));
  const pairs = [...wanted.values()].flatMap(({ room, seq }) => {
    const num = nums.get(room);
    return num === undefined ? [] : [[num, seq]];
  });
  if (pairs.length === 0) return found;
  const rows = await connection.query(
    sql`SELECT room, ${dialect.messageColumns} FROM chat_messages AS messages WHERE ${dialect.among(['room', 'seq'], pairs)}`,
  );
  for (const row of rows) {
    const message = messageFrom(row, names.get(row.room as number) as string);
    found.set(keyOf(message), message);
  }
  return found;
}
