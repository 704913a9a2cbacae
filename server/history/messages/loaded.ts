import { type Asking, type Dialect, type FormerText, sql } from '../engine/dialect.ts';
import { deleteRows, writeChanged } from '../engine/store.ts';
import type { Columns, Row, Value } from '../engine/table.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  type Place,
  partOf,
  type Question,
  roomsByNum,
  storedRoom,
  type ValueLoader,
  type Work,
} from '../engine/work.ts';
import { loadedMembers } from '../members/loaded.ts';
import { loadedUsers } from '../people/loaded.ts';
import { existingRoom, loadedRoom } from '../rooms/loaded.ts';
import {
  holdingsOf,
  type MessageRow,
  mentioned,
  messageFields,
  messageFrom,
  messageRow,
  type Reacted,
  reactedFrom,
  type StoredMessage,
  sameMentions,
  withNames,
} from './message.ts';

/** The `rev` of the last change that was not one of reactions, or of its preview. */
export function textRevOf(work: Work, { room, seq, rev }: StoredMessage): number {
  const reacted = getReacted(work, room, seq);
  return reacted?.rev === rev ? reacted.textRev : rev;
}

// Messages in a transaction.

interface LoadedMessage {
  row: MessageRow;
  reacted: Reacted | undefined;
  state: 'stored' | 'new' | 'changed';
  /** The text in the database, if it is another one now. */
  former?: string;
  /** Its mentions are not those of the database. */
  named?: true;
  /** It is in other lists of its room than in the database. */
  moved?: true;
  /** It has another author than in the database. */
  erased?: true;
  /** Its place among all new ones, of whatever room. */
  order?: number;
}

const messages = (): Map<number, LoadedMessage | null> => new Map();

/** The loaded messages of a room by `seq`; null for one that is known not to be there. */
export const loadedMessages = (room: LoadedRoom): Map<number, LoadedMessage | null> => partOf(room, messages);

/** By `clientIdKey`. */
const clientIds = (): Map<string, number | null> => new Map();

const clientIdKey = (user: string, clientId: string) => `${clientId} ${user}`;

const messageLoader: Loader<{ room: string; seq: number }> = {
  name: 'message',
  ask({ dialect }, work, needs): Question[] {
    const wanted: [number, number][] = [];
    for (const { room: id, seq } of needs) {
      const room = storedRoom(work, id);
      if (room === undefined || loadedMessages(room).has(seq)) continue;
      loadedMessages(room).set(seq, null);
      wanted.push([room.num, seq]);
    }
    return askMessages(dialect, work, ['room', 'seq'], wanted);
  },
};

export const messageNeed = (room: string, seq: number): Need => needOf(messageLoader, { room, seq });

const lastMessageLoader: Loader<{ room: string }> = {
  name: 'last message',
  follow: (work, needs) => needs.map(({ room }) => messageNeed(room, work.rooms.get(room)?.row.lastSeq ?? 0)),
};

export const lastMessageNeed = (room: string): Need => needOf(lastMessageLoader, { room });

const clientIdLoader: Loader<{ room: string; user: string; clientId: string }> = {
  name: 'message of a clientId',
  ask({ dialect }, work, needs): Question[] {
    const wanted: [number, string, string][] = [];
    for (const { room: id, user, clientId } of needs) {
      const room = storedRoom(work, id);
      const key = clientIdKey(user, clientId);
      if (room === undefined || partOf(room, clientIds).has(key)) continue;
      partOf(room, clientIds).set(key, null);
      wanted.push([room.num, user, clientId]);
    }
    return askMessages(dialect, work, ['room', 'user_id', 'client_id'], wanted);
  },
};

export const clientIdNeed = (room: string, user: string, clientId: string): Need =>
  needOf(clientIdLoader, { room, user, clientId });

function askMessages(dialect: Dialect, work: Work, columns: Columns, wanted: readonly Value[][]): Question[] {
  if (wanted.length === 0) return [];
  const which = dialect.each(columns, wanted);
  return [
    {
      sql: sql`SELECT room, ${dialect.messageColumns}, digest FROM chat_messages AS messages WHERE ${which}`,
      take: (found) => keepMessages(work, found),
    },
  ];
}

function keepMessages(work: Work, found: readonly Row[]): void {
  const rooms = roomsByNum(work);
  for (const row of found) {
    const room = rooms.get(row.room as number) as LoadedRoom;
    const message = messageFrom(row, room.row.id);
    const { seq, user, clientId } = message;
    partOf(room, clientIds).set(clientIdKey(user.id, clientId), seq);
    // The state in this transaction is newer.
    if (loadedMessages(room).get(seq)) continue;
    const digest = row.digest as string;
    loadedMessages(room).set(seq, { row: { message, digest }, reacted: reactedFrom(row), state: 'stored' });
  }
}

/** The newest message of a room. */
export function getLastMessage(work: Work, id: string): StoredMessage | undefined {
  const room = loadedRoom(work, id);
  return room === null || room.row.lastSeq === 0 ? undefined : getMessage(work, id, room.row.lastSeq);
}

export function getMessage(work: Work, id: string, seq: number): StoredMessage | undefined {
  const room = loadedRoom(work, id);
  if (room === null) return undefined;
  const known = loadedMessages(room).get(seq);
  if (known === undefined && room.num !== undefined) return missing(messageLoader, { room: id, seq });
  return shownIn(work, room, known);
}

export function getMessageByClientId(
  work: Work,
  id: string,
  user: string,
  clientId: string,
): MessageRow | undefined {
  const room = loadedRoom(work, id);
  if (room === null) return undefined;
  const seq = partOf(room, clientIds).get(clientIdKey(user, clientId));
  if (seq === undefined && room.num !== undefined) {
    return missing(clientIdLoader, { room: id, user, clientId });
  }
  const known = seq == null ? null : loadedMessages(room).get(seq);
  const message = shownIn(work, room, known);
  return message && { message, digest: (known as LoadedMessage).row.digest };
}

/** The message with the names of those it mentions, as the transaction knows them. */
function shownIn(
  work: Work,
  room: LoadedRoom,
  known: LoadedMessage | null | undefined,
): StoredMessage | undefined {
  if (known == null) return undefined;
  return withNames(
    known.row.message,
    (id) => {
      const user = work.part(loadedUsers).get(id);
      return user === undefined ? undefined : (user.row ?? null);
    },
    (id) => {
      const member = loadedMembers(room).get(id);
      return member === null ? null : member?.row;
    },
  );
}

/** A message that the rule has asked for. */
export const loadedMessage = (work: Work, room: string, seq: number): LoadedMessage =>
  loadedMessages(existingRoom(work, room)).get(seq) as LoadedMessage;

export function insertMessage(work: Work, row: MessageRow): void {
  const { room: id, seq, user, clientId } = row.message;
  const room = existingRoom(work, id);
  const order = work.changes;
  work.set(loadedMessages(room), seq, { row, reacted: undefined, state: 'new', order });
  work.set(partOf(room, clientIds), clientIdKey(user.id, clientId), seq);
}

/** @param before as it was: its text is in the index for searching. The reactions of one that is deleted go with it. */
export function updateMessage(work: Work, message: StoredMessage, before: StoredMessage): void {
  const known = loadedMessage(work, message.room, message.seq);
  putLoaded(work, {
    ...known,
    row: { ...known.row, message },
    ...(message.text === before.text ? {} : { former: known.former ?? before.text }),
    ...(sameMentions(message.mentions, before.mentions) ? {} : { named: true }),
    ...(holdingsOf(message).join() === holdingsOf(before).join() ? {} : { moved: true }),
  });
}

/** The message has another author now: its digest, by which a repeat is recognised, is dropped. */
export function eraseMessage(work: Work, message: StoredMessage, before: StoredMessage): void {
  updateMessage(work, message, before);
  const known = loadedMessage(work, message.room, message.seq);
  putLoaded(work, { ...known, row: { message, digest: '' }, erased: true });
}

/** A message whose reactions or preview have changed, and nothing else. */
export function setReacted(work: Work, message: StoredMessage, reacted: Reacted): void {
  const known = loadedMessage(work, message.room, message.seq);
  putLoaded(work, { ...known, row: { ...known.row, message }, reacted });
}

function putLoaded(work: Work, message: LoadedMessage): void {
  const { room, seq } = message.row.message;
  const state = message.state === 'new' ? 'new' : 'changed';
  work.set(loadedMessages(existingRoom(work, room)), seq, { ...message, state });
}

/** The state of a message's reactions; undefined if it never had any. */
export const getReacted = (work: Work, room: string, seq: number): Reacted | undefined =>
  loadedMessage(work, room, seq).reacted;

const newestMessageLoader: ValueLoader<object, number> = {
  name: 'newest message',
  ask: ({ dialect }, work, needs) =>
    needs.map((need) => ({
      sql: dialect.newestMessage,
      take: ([row]) => work.keep(newestMessageLoader, need, row?.num as number),
    })),
};

export const newestMessageNeed = needOf(newestMessageLoader, {});

/** The number of the newest message of all. */
export const newestMessage = (work: Work): number => work.value(newestMessageLoader, {});

/** The columns that all but an erasure change of a message. */
const often: Columns = [
  'rev',
  'text',
  'edited_at',
  'deleted_at',
  'deleted_by',
  'rich',
  'files',
  'mentions',
  'preview',
  'origin',
  'origin_name',
];

export function* storeMessages(place: Place, work: Work): Asking<void> {
  const { dialect, transaction } = place;
  const fresh: { order: number; row: Value[] }[] = [];
  const changed: Record<'all' | 'some', Value[][]> = { all: [], some: [] };
  const former: FormerText[] = [];
  const named: Value[][] = [];
  const unnamed: Value[][] = [];
  const held: Value[][] = [];
  const moved: Value[][] = [];
  for (const room of work.rooms.values()) {
    if (room === null) continue;
    const num = room.num as number;
    for (const one of loadedMessages(room).values()) {
      if (one === null || one.state === 'stored') continue;
      const { message } = one.row;
      const { seq } = message;
      const row = messageRow(num, one.row, one.reacted);
      const isNew = one.state === 'new';
      if (isNew) fresh.push({ order: one.order as number, row });
      else changed[one.erased ? 'all' : 'some'].push(row);
      if (!isNew && one.former !== undefined) former.push({ room: num, seq, text: one.former });
      if (isNew || one.named) {
        if (!isNew) unnamed.push([num, seq]);
        for (const user of mentioned(message.mentions)) named.push([num, user, seq]);
      }
      if (isNew || one.moved) {
        if (!isNew) moved.push([num, seq]);
        for (const holds of holdingsOf(message)) held.push([num, holds, seq]);
      }
    }
  }
  if (fresh.length > 0) {
    // Of all rooms in the order in which they came: a search shows them so.
    const rows = fresh.sort((a, b) => a.order - b.order).map(({ row }) => row);
    const nums = dialect.numbers?.(rows.length);
    transaction.later(
      nums === undefined
        ? dialect.insert('chat_messages', messageFields, rows)
        : dialect.insert(
            'chat_messages',
            ['num', ...messageFields],
            rows.map((row, n) => [nums[n] as number, ...row]),
          ),
    );
  }
  writeChanged(place, 'chat_messages', ['room', 'seq'], messageFields, { ...changed, changed: often });
  if (former.length > 0) yield* dialect.outdate(transaction, former);
  deleteRows(place, 'chat_mentions', ['room', 'seq'], unnamed);
  if (named.length > 0) transaction.later(dialect.insert('chat_mentions', ['room', 'user_id', 'seq'], named));
  deleteRows(place, 'chat_holdings', ['room', 'seq'], moved);
  if (held.length > 0) transaction.later(dialect.insert('chat_holdings', ['room', 'holds', 'seq'], held));
}
