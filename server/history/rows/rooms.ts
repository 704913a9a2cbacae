import { type Asking, raw, sql } from '../engine/dialect.ts';
import type { Kept } from '../engine/kept.ts';
import { keptRooms } from '../engine/load.ts';
import { isSameBut, writeChanged } from '../engine/store.ts';
import {
  isChanged,
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  type ValueLoader,
  type Work,
  type WriteContext,
} from '../engine/work.ts';
import type { Columns } from '../records/columns.ts';
import { gone, optionalRoomFields, type RoomRow, roomFields, roomRow } from '../records/room.ts';
import { roomKey, storedNameKey } from '../records/text-keys.ts';

// Rooms in a transaction.

const roomLoader: Loader<{ room: string }> = { name: 'room' };
/** Returns the need to load and lock a room. */
export const roomNeed = (room: string): Need => needOf(roomLoader, { room });

export const getRoom = (work: Work, id: string): RoomRow | undefined => loadedRoom(work, id)?.row;

/** Returns a locked room; null if it does not exist. @throws Missing if it is not loaded */
export function loadedRoom(work: Work, id: string): LoadedRoom | null {
  const known = work.rooms.get(id);
  return known === undefined ? missing(roomLoader, { room: id }) : known;
}

export function existingRoom(work: Work, id: string): LoadedRoom {
  const room = loadedRoom(work, id);
  if (room === null) throw new Error(`the rule writes to the room ${id}, which does not exist`);
  return room;
}

export function setRoom(work: Work, row: RoomRow): void {
  const known = loadedRoom(work, row.id) ?? { num: undefined, stored: undefined, parts: new Map() };
  work.set(work.rooms, row.id, { ...known, row });
}

export function deleteRoomRow(work: Work, id: string): void {
  const { num } = existingRoom(work, id);
  work.set(work.rooms, id, null);
  // The transaction may create a room with this ID again, which must not have these rows.
  for (const rows of work.tables.values()) {
    for (const [key, { row, ...one }] of rows) {
      const { room } = (row ?? one.key) as { room?: string };
      if (room === id) work.set(rows, key, { ...one, row: null, stored: null });
    }
  }
  if (num === undefined) return;
  work.deletedRooms.push(num);
  work.change(() => work.deletedRooms.pop());
}

/** Returns the keys of `formerRooms` for a deleted room with that ID, and for all rooms that a restore lost. */
export const formerKeys = (work: Work, id: string): [own: { digest: string }, lost: { digest: string }] => [
  { digest: work.digest(`room ${id}`) },
  { digest: '' },
];

/** A loader that finds the ID of a room by other columns; null if there is no such room. */
type RoomLoader<Of extends object> = ValueLoader<Of, string | null>;

export function roomLoaderBy<Of extends object>(
  name: string,
  columns: Columns,
  keyOf: (of: Of) => string,
  columnsOf: (of: Of) => readonly string[],
): RoomLoader<Of> {
  const loader: RoomLoader<Of> = {
    name,
    keyOf,
    *find({ dialect, transaction }, work, needs) {
      const values = work.valuesOf(loader);
      const unknown = new Map(
        needs.filter((of) => !values.has(keyOf(of))).map((of) => [keyOf(of), columnsOf(of)]),
      );
      if (unknown.size === 0) return [];
      const found = yield* transaction.query(
        sql`SELECT ${raw(columns.join(', '))}, id FROM chat_rooms WHERE ${dialect.each(columns, [...unknown.values()])}`,
      );
      const ids = new Map(
        found.map((row) => [JSON.stringify(columns.map((column) => row[column])), row.id as string]),
      );
      for (const [key, columns] of unknown) values.set(key, ids.get(JSON.stringify(columns)) ?? null);
      return [...ids.values()].map(roomNeed);
    },
  };
  return loader;
}

const byPublicName = roomLoaderBy<{ key: string }>(
  'room by its name',
  ['public_key'],
  ({ key }) => key,
  ({ key }) => [storedNameKey(key)],
);
export const publicNameNeed = (key: string): Need => needOf(byPublicName, { key });
/** Returns the ID of the public room with this `roomKey`. */
export function publicRoomNamed(work: Work, key: string): string | undefined {
  const isNamed = ({ row }: LoadedRoom) => row.kind === 'public' && roomKey(row.name) === key;
  return foundRoom(work, work.value(byPublicName, { key }), isNamed)?.row.id;
}

type Pair = readonly [string, string];
const pairKey = (pair: Pair) => JSON.stringify(pair);
const byPair = roomLoaderBy<{ pair: Pair }>(
  'room of a pair',
  ['pair_low', 'pair_high'],
  ({ pair }) => pairKey(pair),
  ({ pair }) => pair,
);
export const pairNeed = (pair: Pair): Need => needOf(byPair, { pair });
export function roomOfPair(work: Work, pair: Pair): RoomRow | undefined {
  const isOfPair = ({ row }: LoadedRoom) => row.pair !== undefined && pairKey(row.pair) === pairKey(pair);
  return foundRoom(work, work.value(byPair, { pair }), isOfPair)?.row;
}

const byMaker = roomLoaderBy<{ user: string; clientId: string }>(
  'room of a maker',
  ['created_by', 'client_id'],
  ({ user, clientId }) => `${clientId} ${user}`,
  ({ user, clientId }) => [user, clientId],
);
export const makerNeed = (user: string, clientId: string): Need => needOf(byMaker, { user, clientId });
export function roomMadeBy(work: Work, user: string, clientId: string): RoomRow | undefined {
  const isMade = ({ row }: LoadedRoom) => row.createdBy === user && row.clientId === clientId;
  return foundRoom(work, work.value(byMaker, { user, clientId }), isMade)?.row;
}

/**
 * Finds a room for which `holds` is true, as of this transaction, which may have created or changed rooms.
 * @param stored the ID of the room that the database has
 */
export function foundRoom(
  work: Work,
  stored: string | null,
  holds: (room: LoadedRoom) => boolean,
): LoadedRoom | undefined {
  for (const room of work.rooms.values()) if (room !== null && holds(room)) return room;
  // Loads the stored room. If it is loaded already, it was checked above.
  if (stored !== null) loadedRoom(work, stored);
  return undefined;
}

/**
 * Loads the private rooms without members. Only for rules that run `alone`, because changes of the same transaction are
 * not taken into account.
 */
const emptyRoomsLoader: ValueLoader<{ before: number; most: number }, readonly string[]> = {
  name: 'empty rooms',
  *find({ dialect, transaction }, work, needs) {
    const found: string[] = [];
    for (const need of needs) {
      const rows = yield* transaction.query(
        sql`SELECT id FROM chat_rooms ${dialect.by('chat_rooms_by_emptiness')} WHERE empty_since < ${need.before} AND kind = 'private'
            ORDER BY empty_since, id LIMIT ${need.most}`,
      );
      const ids = rows.map(({ id }) => id as string);
      work.keep(emptyRoomsLoader, need, ids);
      found.push(...ids);
    }
    return found.map(roomNeed);
  },
};

export const emptyRoomsNeed = (before: number, most: number): Need =>
  needOf(emptyRoomsLoader, { before, most });

/** Returns private rooms that have had no members since before `before`. */
export const emptyRooms = (work: Work, before: number, most: number): RoomRow[] =>
  work
    .value(emptyRoomsLoader, { before, most })
    .flatMap((id) => getRoom(work, id) ?? [])
    // A user may have become a member before the room was locked.
    .filter(({ emptySince }) => emptySince !== undefined && emptySince < before);

/** Most transactions change only these columns of a room. */
const often: Columns = ['head', 'last_seq', 'day', 'sent'];
const columns: Columns = ['num', ...roomFields];
export function* storeRooms(context: WriteContext, work: Work): Asking<void> {
  const { dialect, transaction } = context;
  // First, because a new room may have the name of a deleted room.
  for (const num of work.deletedRooms) retire(context, num);
  const rooms = [...work.rooms.values()].filter((room) => room !== null);
  const made = rooms.filter(({ num }) => num === undefined);
  const update = (set: string, some: readonly LoadedRoom[]) => {
    if (some.length === 0) return;
    const nums = some.map(({ num }) => [num as number]);
    transaction.later(sql`UPDATE chat_rooms SET ${raw(set)} WHERE ${dialect.each(['num'], nums)}`);
  };
  const known = rooms.filter(({ num }) => num !== undefined);
  // Cleared before the new names are stored, because a room may take the former name of another, or two may swap names.
  const isRenamed = ({ row, stored }: LoadedRoom) => row.kind === 'public' && row.name !== stored?.name;
  update('public_key = NULL', known.filter(isRenamed));
  // Cleared first, because a new room may have the `clientId` of a room that its creator lost.
  update(
    'client_id = NULL',
    known.filter(({ row, stored }) => row.clientId !== stored?.clientId),
  );
  if (made.length > 0) yield* makeRooms(context, made);
  const changed = known.filter(isChanged);
  const isOften = ({ row, stored }: LoadedRoom) => isSameBut(['head', 'lastSeq', 'sent'], stored ?? row, row);
  const rowsOf = (some: readonly LoadedRoom[]) =>
    some.map((room) => [room.num as number, ...roomRow(room.row)]);
  const all = rowsOf(changed.filter((room) => !isOften(room)));
  const some = rowsOf(changed.filter(isOften));
  writeChanged(context, 'chat_rooms', ['num'], columns, { all, some, changed: often });
  update(
    'expiring = 1',
    changed.filter(({ row, stored }) => row.firstSeq !== stored?.firstSeq),
  );
}

/** Inserts new rooms and sets their numbers. */
function* makeRooms({ dialect, transaction }: WriteContext, made: readonly LoadedRoom[]): Asking<void> {
  const rows = made.map(({ row }) => roomRow(row));
  const nums = yield* transaction.query(dialect.insert('chat_rooms', roomFields, rows, 'RETURNING num, id'));
  const byId = new Map(nums.map(({ num, id }) => [id as string, num as number]));
  for (const room of made) room.num = byId.get(room.row.id);
}

/** Deletes a room except its messages and files, which are deleted step by step: see `Background` and `purger`. */
function retire({ transaction, subjects }: WriteContext, num: number): void {
  transaction.later(sql`DELETE FROM chat_members WHERE room = ${num}`);
  for (const { name, columns } of subjects.tables) {
    if ('room' in columns) transaction.later(sql`DELETE FROM ${raw(name)} WHERE room = ${num}`);
  }
  const none = optionalRoomFields.map((column) => `${column} = NULL`);
  transaction.later(
    sql`UPDATE chat_rooms SET id = ${`${gone}${num}`}, kind = 'private', name = '', members = 0, ${raw(none.join(', '))}
        WHERE num = ${num}`,
  );
}

export function keepRooms(work: Work, kept: Kept): void {
  for (const [id, room] of work.rooms) {
    if (room?.num !== undefined) kept.put(keptRooms, id, { num: room.num, row: room.row });
  }
}
