import { type Asking, type Dialect, type FormerText, sql } from '../engine/dialect.ts';
import { deleteRows, writeChanged } from '../engine/store.ts';
import { type Indexed, nothingIndexed } from '../engine/terms.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  partOf,
  type Query,
  roomsByNum,
  storedRoom,
  type ValueLoader,
  type Work,
  type WriteContext,
} from '../engine/work.ts';
import type { Columns, Row, Value } from '../records/columns.ts';
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
} from '../records/message.ts';
import { lastInRoom } from '../records/room.ts';
import { loadedMembers } from './members.ts';
import { existingRoom, loadedRoom } from './rooms.ts';
import { loadedUsers } from './users.ts';

/** Returns the `rev` of the message's last change other than reactions or preview. */
export function textRevOf(work: Work, { room, seq, rev }: StoredMessage): number {
  const reacted = getReacted(work, room, seq);
  return reacted?.rev === rev ? reacted.textRev : rev;
}

// Messages in a transaction.

interface LoadedMessage {
  row: MessageRow;
  reacted: Reacted | undefined;
  state: 'stored' | 'new' | 'changed';
  /** What the search index contains of it, if the transaction changed that. */
  indexed?: Indexed;
  /** Set if the mentions differ from the database. */
  hasNewMentions?: true;
  /** Set if the lists of the room that contain the message (see `holdingsOf`) differ from the database. */
  hasNewHoldings?: true;
  /** Set if the author was erased, so that all columns must be written. */
  isErased?: true;
  /** The order of sending among the new messages of all rooms. */
  order?: number;
}

const messages = (): Map<number, LoadedMessage | null> => new Map();

/** Returns the loaded messages of a room by `seq`. null: the message does not exist. */
export const loadedMessages = (room: LoadedRoom): Map<number, LoadedMessage | null> => partOf(room, messages);

/** The state of a room: the `seq` of messages, by `clientIdKey`. null: the message does not exist. */
const clientIds = (): Map<string, number | null> => new Map();

const clientIdKey = (user: string, clientId: string) => `${clientId} ${user}`;

const messageLoader: Loader<{ room: string; seq: number }> = {
  name: 'message',
  ask({ dialect }, work, needs): Query[] {
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
  follow: (work, needs) =>
    needs.map(({ room }) => {
      const row = work.rooms.get(room)?.row;
      return messageNeed(room, row === undefined ? 0 : lastInRoom(row));
    }),
};

export const lastMessageNeed = (room: string): Need => needOf(lastMessageLoader, { room });

const clientIdLoader: Loader<{ room: string; user: string; clientId: string }> = {
  name: 'message of a clientId',
  ask({ dialect }, work, needs): Query[] {
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

function askMessages(dialect: Dialect, work: Work, columns: Columns, wanted: readonly Value[][]): Query[] {
  if (wanted.length === 0) return [];
  const which = dialect.each(columns, wanted);
  return [
    {
      sql: sql`SELECT room, ${dialect.messageColumns}, digest FROM chat_messages AS messages WHERE ${which}`,
      take: (rows) => keepMessages(work, rows),
    },
  ];
}

function keepMessages(work: Work, rows: readonly Row[]): void {
  const rooms = roomsByNum(work);
  for (const row of rows) {
    const room = rooms.get(row.room as number) as LoadedRoom;
    const message = messageFrom(row, room.row.id);
    const { seq, user, clientId } = message;
    partOf(room, clientIds).set(clientIdKey(user.id, clientId), seq);
    // If the message is already loaded, that state is newer.
    if (loadedMessages(room).get(seq)) continue;
    const digest = row.digest as string;
    loadedMessages(room).set(seq, { row: { message, digest }, reacted: reactedFrom(row), state: 'stored' });
  }
}

/** Returns the newest message of a room that is not shown only in a thread. */
export function getLastMessage(work: Work, id: string): StoredMessage | undefined {
  const room = loadedRoom(work, id);
  const seq = room === null ? 0 : lastInRoom(room.row);
  return seq === 0 ? undefined : getMessage(work, id, seq);
}

export function getMessage(work: Work, id: string, seq: number): StoredMessage | undefined {
  const room = loadedRoom(work, id);
  if (room === null) return undefined;
  const loaded = loadedMessages(room).get(seq);
  if (loaded === undefined && room.num !== undefined) return missing(messageLoader, { room: id, seq });
  return withLoadedNames(work, room, loaded);
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
  const loaded = seq == null ? null : loadedMessages(room).get(seq);
  const message = withLoadedNames(work, room, loaded);
  return message && { message, digest: (loaded as LoadedMessage).row.digest };
}

/** Updates the mentions with the users and members that the transaction has loaded: see `withNames`. */
function withLoadedNames(
  work: Work,
  room: LoadedRoom,
  loaded: LoadedMessage | null | undefined,
): StoredMessage | undefined {
  if (loaded == null) return undefined;
  return withNames(
    loaded.row.message,
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

/** Returns a message that the rule has already read with `getMessage`. */
export const loadedMessage = (work: Work, room: string, seq: number): LoadedMessage =>
  loadedMessages(existingRoom(work, room)).get(seq) as LoadedMessage;

/** Adds a new message, which `storeMessages` writes at the end of the transaction. */
export function insertMessage(work: Work, row: MessageRow): void {
  const { room: id, seq, user, clientId } = row.message;
  const room = existingRoom(work, id);
  const order = work.changes;
  work.set(loadedMessages(room), seq, { row, reacted: undefined, state: 'new', order });
  work.set(partOf(room, clientIds), clientIdKey(user.id, clientId), seq);
}

/**
 * Stores a changed message. If it is a tombstone, its reactions are deleted too.
 * @param before the message before the change
 */
export function updateMessage(work: Work, message: StoredMessage, before: StoredMessage): void {
  const loaded = loadedMessage(work, message.room, message.seq);
  putLoaded(work, {
    ...loaded,
    row: { ...loaded.row, message },
    ...(sameIndexed(message, before) ? {} : { indexed: loaded.indexed ?? indexedOf(before) }),
    ...(sameMentions(message.mentions, before.mentions) ? {} : { hasNewMentions: true }),
    ...(holdingsOf(message).join() === holdingsOf(before).join() ? {} : { hasNewHoldings: true }),
  });
}

const indexedOf = ({ text, user, deletedAt }: StoredMessage): Indexed =>
  deletedAt === undefined ? { text, author: user.id } : nothingIndexed;

function sameIndexed(one: StoredMessage, other: StoredMessage): boolean {
  const [{ text, author }, theirs] = [indexedOf(one), indexedOf(other)];
  return text === theirs.text && author === theirs.author;
}

/** Stores a message of an erased author, and drops the digest of the author's original content. */
export function eraseMessage(work: Work, message: StoredMessage, before: StoredMessage): void {
  updateMessage(work, message, before);
  const loaded = loadedMessage(work, message.room, message.seq);
  putLoaded(work, { ...loaded, row: { message, digest: '' }, isErased: true });
}

/** Stores a message after a change of only its reactions or its preview. */
export function setReacted(work: Work, message: StoredMessage, reacted: Reacted): void {
  const loaded = loadedMessage(work, message.room, message.seq);
  putLoaded(work, { ...loaded, row: { ...loaded.row, message }, reacted });
}

function putLoaded(work: Work, message: LoadedMessage): void {
  const { room, seq } = message.row.message;
  const state = message.state === 'new' ? 'new' : 'changed';
  work.set(loadedMessages(existingRoom(work, room)), seq, { ...message, state });
}

/** Returns undefined if neither the reactions nor the preview of the message ever changed. */
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

/** Returns the number of the newest message of all rooms. */
export const newestMessage = (work: Work): number => work.value(newestMessageLoader, {});

/** The columns that an update can change. Only an erasure changes others. */
const updatedColumns: Columns = [
  'rev',
  'text',
  'edited_at',
  'deleted_at',
  'deleted_by',
  'rich',
  'content',
  'origin',
  'origin_name',
];

export function* storeMessages(context: WriteContext, work: Work): Asking<void> {
  const { dialect, transaction } = context;
  const inserts: { order: number; row: Value[] }[] = [];
  const updates: Record<'all' | 'some', Value[][]> = { all: [], some: [] };
  const formerTexts: FormerText[] = [];
  const newMentions: Value[][] = [];
  const staleMentions: Value[][] = [];
  const newHoldings: Value[][] = [];
  const staleHoldings: Value[][] = [];
  for (const room of work.rooms.values()) {
    if (room === null) continue;
    const num = room.num as number;
    for (const loaded of loadedMessages(room).values()) {
      if (loaded === null || loaded.state === 'stored') continue;
      const { message } = loaded.row;
      const { seq } = message;
      const row = messageRow(num, loaded.row, loaded.reacted);
      const isNew = loaded.state === 'new';
      if (isNew) inserts.push({ order: loaded.order as number, row });
      else updates[loaded.isErased ? 'all' : 'some'].push(row);
      if (!isNew && loaded.indexed !== undefined) formerTexts.push({ room: num, seq, ...loaded.indexed });
      if (isNew || loaded.hasNewMentions) {
        if (!isNew) staleMentions.push([num, seq]);
        for (const user of mentioned(message.mentions)) newMentions.push([num, user, seq]);
      }
      if (isNew || loaded.hasNewHoldings) {
        if (!isNew) staleHoldings.push([num, seq]);
        for (const holds of holdingsOf(message)) newHoldings.push([num, holds, seq]);
      }
    }
  }
  if (inserts.length > 0) {
    // A search over several rooms lists messages by number, so numbers follow the order of sending in all rooms.
    const rows = inserts.sort((a, b) => a.order - b.order).map(({ row }) => row);
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
  writeChanged(context, 'chat_messages', ['room', 'seq'], messageFields, {
    ...updates,
    changed: updatedColumns,
  });
  if (formerTexts.length > 0) yield* dialect.outdate(transaction, formerTexts);
  deleteRows(context, 'chat_mentions', ['room', 'seq'], staleMentions);
  if (newMentions.length > 0)
    transaction.later(dialect.insert('chat_mentions', ['room', 'user_id', 'seq'], newMentions));
  deleteRows(context, 'chat_holdings', ['room', 'seq'], staleHoldings);
  if (newHoldings.length > 0)
    transaction.later(dialect.insert('chat_holdings', ['room', 'holds', 'seq'], newHoldings));
}
