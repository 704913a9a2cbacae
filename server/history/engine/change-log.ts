import { withoutUser } from '../broadcast.ts';
import {
  type Change,
  changeBits,
  type LoggedChange,
  type LoggedEntry,
  type MessagePlace,
} from '../changes.ts';
import type { MemberRecord } from '../members/member.ts';
import { messageFrom, type StoredMessage } from '../messages/message.ts';
import type { Act } from '../moderation/records.ts';
import { deletedUser } from '../people/user.ts';
import type { RoomRecord } from '../rooms/room.ts';
import {
  type Asking,
  answered,
  ask,
  type DatabaseConnection,
  type Dialect,
  inList,
  raw,
  type ServerDialect,
  type Sql,
  sql,
} from './dialect.ts';
import type { Row } from './table.ts';

/** Milliseconds. If the server that holds a consumer crashes, another server takes over after this time. */
export const leaseTime = 5000;

/** The changes of a transaction: `num` counts transactions over all servers, in the order of the commits. */
export interface Entry {
  num: number;
  changes: Change[];
}

interface Database {
  dialect: ServerDialect;
  connection: DatabaseConnection;
}

/** Entries that are read at once. */
const mostEntries = 200;

/** Places of messages that one statement looks up: the entries may have very many. */
const placesAtOnce = 1000;

/** Entries are kept for so long, in milliseconds: a server that stood still for longer cannot know what it has missed. */
const kept = 60 * 60 * 1000;

/** Entries that are kept beyond that for a consumer that is behind. */
const mostBehind = 100_000;

/** All types, where other servers follow. */
export const allTypes = -1;

/** The types as they are stored. */
export const bitsOf = (types: Iterable<Change['type']>): number => {
  let bits = 0;
  for (const type of types) bits |= changeBits[type];
  return bits;
};

/** The statements that add an entry, the last ones of its transaction. The first answers with its number. */
export function append(dialect: Dialect, changes: readonly Change[]): Sql[] {
  const text = JSON.stringify(changes.map(stored));
  const types = bitsOf(changes.map(({ type }) => type));
  return [
    dialect.nextPosition,
    sql`INSERT INTO chat_changes (num, since, types, changes)
        SELECT num, ${dialect.now}, ${types}, ${text} FROM chat_position`,
  ];
}

/** The changes of these types: no others go into the log. */
export const ofTypes = (changes: readonly Change[], types: number): readonly Change[] =>
  types === allTypes ? changes : changes.filter(({ type }) => (changeBits[type] & types) !== 0);

/** Answers with the number of the last entry, if there is one. */
export const lastPosition = raw('SELECT num FROM chat_position');

/** The number of the last entry. */
export async function positionOf(connection: DatabaseConnection): Promise<number> {
  return numberOf(await connection.query(lastPosition));
}

/** The number in the answer of `append` and `lastPosition`. */
export const numberOf = ([row]: readonly Row[]): number => (row?.num as number | undefined) ?? 0;

/**
 * The next entries after that number. A message is as it is now. If it has changed again meanwhile, it is new in its own
 * place and under its first `rev`, so that the order of a room is the same on all servers; of its changes only the last
 * one comes. If somebody has lost the room between the two, it comes without its contents first: these may be newer.
 * @param withheld gets the messages that come without their contents: see `withContents`
 */
export async function entriesAfter(
  { dialect, connection }: Database,
  after: number,
  withheld: Withheld,
): Promise<Entry[]> {
  const read = async (from: number) => {
    const rows = await connection.query(
      sql`SELECT num, since, changes FROM chat_changes WHERE num > ${from} ORDER BY num LIMIT ${mostEntries}`,
    );
    return rows.map(entryFrom);
  };
  const entries = await read(after);
  const places = entries.flatMap(({ changes }) => changes.flatMap(placesOf));
  const found = await answered(foundAt(dialect, places), connection);
  // The changes that have made the messages what they are may be in entries after these.
  const known = [...entries];
  let made = makersIn(known);
  const isMade = (message: StoredMessage) => made.has(revOf(message));
  const overtaken = entries.flatMap(({ changes }) => changes.flatMap((change) => newerThan(change, found)));
  for (let n = 0; n < mostLooks && !overtaken.every(isMade); n++) {
    const more = await read(known.at(-1)?.num ?? after);
    if (more.length === 0) break;
    known.push(...more);
    made = makersIn(known);
  }
  const losses = lossesIn(known);
  /** The message as readers of this entry may see it, for whom that `rev` is the last one. */
  const shownAt = (num: number, place: Place, rev: number, about: readonly LoggedChange[] = []) => {
    const message = messageAt(found, place);
    if (message === undefined || message.rev <= rev) return message;
    const by = made.get(revOf(message)) ?? Number.POSITIVE_INFINITY;
    const isLost = [place.room, everyRoom].some((room) =>
      losses.get(room)?.some((lost) => lost > num && lost < by),
    );
    if (by !== Number.POSITIVE_INFINITY && !isLost) return message;
    withheld.set(message.id, [...(withheld.get(message.id) ?? []), ...about]);
    return { ...withoutContents(message), rev };
  };
  return entries.map(({ num, changes }) => ({
    num,
    changes: changes.flatMap((change): Change[] => {
      if (change.type === 'message') {
        const { is } = change;
        const { rev } = change.message;
        const message = messageAt(found, change.message);
        if (message === undefined || (is === 'changed' && message.rev > rev)) return [];
        return [{ type: 'message', is, message: { ...(shownAt(num, change.message, rev) ?? message), rev } }];
      }
      if (change.type === 'mentions' || change.type === 'concerned') {
        const message = shownAt(num, change.message, change.message.rev, [change]);
        // People who follow a thread are notified of a reply when it has its contents. Without them it is another object.
        const isLater = isNewReply(change) && message !== messageAt(found, change.message);
        return message === undefined || isLater ? [] : [{ ...change, message }];
      }
      if (!isOfRoom(change)) return [change];
      const last = shownAt(num, lastOf(change.room), change.room.head);
      return [last === undefined ? change : { ...change, room: { ...change.room, last } }];
    }),
  }));
}

/** How often entries after those that are handed out are read, to see what has changed a message. */
const mostLooks = 5;

/**
 * The ids of messages that were handed out without their contents, and the changes that say whom they mention or concern. By
 * their places, the message in a later room of the same id would be taken for them.
 */
export type Withheld = Map<string, readonly LoggedChange[]>;

const isNewReply = (change: LoggedChange): change is LoggedChange & { type: 'concerned' } =>
  change.type === 'concerned' && change.is === 'new';

/**
 * The changes of an entry. That of a message which was handed out without its contents has all of them, where it would say
 * less, and comes with the mentions that had no message before, and with the people whom it concerns as a new reply.
 */
export function withContents(changes: readonly Change[], withheld: Withheld): Change[] {
  return changes.flatMap((change): Change[] => {
    if (change.type !== 'message' || change.is === 'new') return [change];
    const { reacted: _, ...rest } = change;
    const { message } = rest;
    const missed = withheld.get(message.id);
    if (missed === undefined) return [change];
    withheld.delete(message.id);
    // People whom an edit adds are notified by it.
    const notified = new Set(changes.flatMap((one) => (one.type === 'mentions' ? one.added : [])));
    const mentioned = new Set(missed.flatMap((one) => (one.type === 'mentions' ? one.added : [])));
    const added = (message.mentions ?? []).flatMap(({ user }) =>
      mentioned.has(user) && !notified.has(user) ? user : [],
    );
    const mentions: Change[] = added.length === 0 ? [] : [{ type: 'mentions', message, added, removed: [] }];
    // An entry that is read again puts its reply there again: one is enough.
    const reply = missed.find(isNewReply);
    const isKept = reply !== undefined && message.deletedAt === undefined;
    return [rest, ...mentions, ...(isKept ? [{ ...reply, message }] : [])];
  });
}

/** The messages of a change that have changed again. */
function newerThan(change: LoggedChange, found: Found): StoredMessage[] {
  const rev =
    change.type === 'message' || change.type === 'mentions' || change.type === 'concerned'
      ? change.message.rev
      : isOfRoom(change)
        ? change.room.head
        : Number.POSITIVE_INFINITY;
  return placesOf(change).flatMap((place) => {
    const message = messageAt(found, place);
    return message !== undefined && message.rev > rev ? message : [];
  });
}

/** The entries that have made messages what they are, by the room and `rev`. */
function makersIn(entries: readonly LoggedEntry[]): Map<string, number> {
  const made = new Map<string, number>();
  for (const { num, changes } of entries)
    for (const change of changes) if (change.type === 'message') made.set(revOf(change.message), num);
  return made;
}

const revOf = ({ room, rev }: { room: string; rev: number }) => `${rev} ${room}`;

/** In place of a room, for somebody whom the site has banned: no room has this id. */
const everyRoom = '';

/** The entries in which somebody has lost a room, by the room. */
function lossesIn(entries: readonly LoggedEntry[]): Map<string, number[]> {
  const losses = new Map<string, number[]>();
  for (const { num, changes } of entries) {
    for (const change of changes) {
      const room = lostBy(change);
      if (room !== undefined) losses.set(room, [...(losses.get(room) ?? []), num]);
    }
  }
  return losses;
}

function lostBy(change: LoggedChange): string | undefined {
  if (change.type === 'ban') return change.ban === null ? undefined : everyRoom;
  const isLoss =
    (change.type === 'member' && change.now.sources === 0) ||
    (change.type === 'restricted' && change.kind === 'banned' && change.now !== null);
  return isLoss ? change.room.id : undefined;
}

/** Only what no change of a message touches, which its readers have known from the beginning. */
function withoutContents({
  id,
  room,
  seq,
  rev,
  clientId,
  user,
  sentAt,
  replyTo,
  thread,
  forwarded,
}: StoredMessage): StoredMessage {
  return {
    ...{ id, room, seq, rev, clientId, user, sentAt, text: '' },
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(thread === undefined ? {} : { thread }),
    ...(forwarded === undefined ? {} : { forwarded }),
  };
}

/**
 * Deletes the entries that neither a server nor a consumer needs, but for the last one: by it a server finds out that it
 * is behind. By the clock of the database: one server's clock must not delete what another has just written.
 */
export function* forget(dialect: Dialect): Asking<void> {
  const last = numberOf(yield* ask(lastPosition));
  const [slowest] = yield* ask(raw('SELECT min(position) AS num FROM chat_consumers'));
  const passed = (slowest?.num as number | null | undefined) ?? last;
  yield [deleteOld(dialect, Math.min(last - 1, Math.max(passed, last - mostBehind)))];
}

/** Deletes the old entries up to that number. By the index of their times: a planner may take the numbers, which all match. */
export const deleteOld = (dialect: Dialect, upTo: number): Sql =>
  sql`DELETE FROM chat_changes
      WHERE since <= ${dialect.now} - ${dialect.isShared ? kept : 0} AND num + 0 <= ${upTo}`;

/** The types that the consumers take: no other changes go into the log of a server that is alone. */
export function* wantedTypes(): Asking<number> {
  const rows = yield* ask(raw('SELECT types FROM chat_consumers'));
  return rows.reduce((bits, { types }) => bits | (types as number), 0);
}

/** The same after these operations: a consumer may be new, or forgotten. */
export function* typesAfter(calls: readonly { op: string; input: unknown }[], types: number): Asking<number> {
  if (calls.some(({ op }) => op === 'keepConsumers') && types !== allTypes) return yield* wantedTypes();
  return calls.reduce(
    (bits, { op, input }) => (op === 'consume' ? bits | bitsOf((input as Consume).types) : bits),
    types,
  );
}

export const consumerColumns = ['id', 'types', 'position', 'holder', 'held_until'] as const;

/** A server asks for the lease of a consumer, and for its next entries. */
export interface Consume {
  name: string;
  /** The server. */
  by: string;
  types: readonly Change['type'][];
  /**
   * Milliseconds; 0 gives the lease back. Another server's, of which more is left than this and than `leaseTime`, is from
   * before the clock was set back, and holds nobody up.
   */
  lease: number;
  /** Entries; 0 takes or renews the lease alone. */
  most: number;
  /**
   * Takes nothing if this server has lost the lease: it would seem to have had it all the time, and its next `done` would
   * count, though another server may be further by now.
   */
  renews?: true;
  /** Up to here the consumer is done, by `upTo` of the answer before. */
  done?: number;
}

/** A consumer, with the entries that are next. */
export interface LoadedConsumer {
  position: number;
  holder: string;
  heldUntil: number;
  /** By the clock of the database. */
  at: number;
  entries: LoggedEntry[];
  /** Entries that were deleted before this consumer took them. */
  skipped: number;
  /** The position behind these entries. */
  upTo: number;
}

/** Locks the consumer, which begins at the end of the log when it is new. */
export function* loadConsumer(
  dialect: Dialect,
  { name, by, types: taken, most, done }: Consume,
): Asking<LoadedConsumer> {
  const types = bitsOf(taken);
  const find = sql`SELECT position, holder, held_until, ${dialect.now} AS at FROM chat_consumers
      WHERE id = ${name} ${dialect.lock}`;
  let [row] = yield* ask(find);
  if (row === undefined) {
    const first = [name, types, numberOf(yield* ask(lastPosition)), '', 0];
    yield [dialect.insertNew('chat_consumers', consumerColumns, [first])];
    [row] = yield* ask(find);
  }
  const { position, holder, held_until, at } = row as Record<'position' | 'held_until' | 'at', number> & {
    holder: string;
  };
  const loaded = { position, holder, heldUntil: held_until, at, entries: [], skipped: 0, upTo: position };
  if (most === 0) return loaded;
  const from = holder === by ? (done ?? position) : position;
  const last = numberOf(yield* ask(lastPosition));
  const [oldest] = yield* ask(raw('SELECT min(num) AS num FROM chat_changes'));
  const rows = yield* ask(
    sql`SELECT num, since, changes FROM chat_changes WHERE num > ${from} AND num <= ${last} AND (types & ${types}) <> 0
        ORDER BY num LIMIT ${most}`,
  );
  const entries = rows.map(entryFrom);
  const upTo = entries.length < most ? last : (entries.at(-1) as LoggedEntry).num;
  const skipped = Math.max(0, ((oldest?.num as number | null | undefined) ?? last + 1) - from - 1);
  return { ...loaded, entries, skipped, upTo };
}

const entryFrom = ({ num, since, changes }: Row): LoggedEntry => ({
  num: num as number,
  at: since as number,
  changes: JSON.parse(changes as string) as LoggedChange[],
});

/**
 * The text of an entry without what it says of this user but the id, which servers that are behind need. It is
 * outdated when they read it: the user is nobody then.
 */
export function withoutWords(text: string, user: string): string {
  const changes = (JSON.parse(text) as LoggedChange[]).map((change): LoggedChange => {
    switch (change.type) {
      case 'user':
        return change.user.id === user ? { ...change, user: { ...change.user, name: user } } : change;
      case 'member':
        return change.user.id === user ? memberWithoutWords(change) : change;
      case 'ban':
        return change.user === user && change.ban !== null ? { ...change, ban: unsaid(change.ban) } : change;
      case 'restricted':
        return change.user === user && change.now !== null ? { ...change, now: unsaid(change.now) } : change;
      case 'act':
        return { ...change, act: actWithout(change.act, user) };
      case 'broadcast':
        return { ...change, what: withoutUser(change.what, user) };
      default:
        return change;
    }
  });
  return JSON.stringify(changes);
}

function actWithout(act: Omit<Act, 'at'>, user: string): Omit<Act, 'at'> {
  if (act.by !== user && act.user !== user) return act;
  const { reason: _, ...rest } = act;
  const nobody = (id: string | undefined) => (id === user ? deletedUser.id : id);
  const [by, of] = [nobody(act.by), nobody(act.user)];
  return { ...rest, ...(by === undefined ? {} : { by }), ...(of === undefined ? {} : { user: of }) };
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

const placeOf = ({ room, seq, rev, id }: StoredMessage): MessagePlace => ({ room, seq, rev, id });

const keyOf = ({ room, seq }: { room: string; seq: number }) => `${seq} ${room}`;

const lastOf = ({ id, lastSeq, createdAt }: RoomRecord): Place => ({ room: id, seq: lastSeq, createdAt });

function stored({ asker: _, ...change }: Change): LoggedChange {
  if (change.type === 'message') {
    return { type: 'message', is: change.is, message: placeOf(change.message) };
  }
  if (change.type === 'mentions') return { ...change, message: placeOf(change.message) };
  if (change.type === 'concerned') return { ...change, message: placeOf(change.message) };
  if (!isOfRoom(change)) return change;
  const { last: _last, ...room } = change.room;
  return { ...change, room };
}

/** Whether it carries the room as it is then. */
function isOfRoom(change: LoggedChange): change is Extract<LoggedChange, { room: RoomRecord }> {
  return 'room' in change && typeof change.room !== 'string';
}

/** The messages that a change needs. */
function placesOf(change: LoggedChange): Place[] {
  if (change.type === 'message' || change.type === 'mentions' || change.type === 'concerned') {
    return [change.message];
  }
  return isOfRoom(change) ? [lastOf(change.room)] : [];
}

/** The place of a message, with its id, or with the time of its room: a later room may have the same id. */
interface Place {
  room: string;
  seq: number;
  id?: string;
  createdAt?: number;
}

interface Found {
  /** By their places. */
  messages: ReadonlyMap<string, StoredMessage>;
  /** When their rooms were made, by the ids. */
  created: ReadonlyMap<string, number>;
}

function messageAt(
  { messages, created }: Found,
  { id, createdAt, ...place }: Place,
): StoredMessage | undefined {
  const message = messages.get(keyOf(place));
  const isOther =
    (id !== undefined && id !== message?.id) ||
    (createdAt !== undefined && createdAt !== created.get(place.room));
  return isOther ? undefined : message;
}

/** The messages in these places, as far as they are left. */
export function* messagesAt(dialect: Dialect, places: readonly Place[]): Asking<StoredMessage[]> {
  return [...(yield* foundAt(dialect, places)).messages.values()];
}

function* foundAt(dialect: Dialect, places: readonly Place[]): Asking<Found> {
  const wanted = new Map(places.filter(({ seq }) => seq > 0).map((place) => [keyOf(place), place]));
  if (wanted.size === 0) return { messages: new Map(), created: new Map() };
  const ids = [...new Set([...wanted.values()].map(({ room }) => room))];
  const rooms = yield* ask(
    sql`SELECT num, id, created_at FROM chat_rooms WHERE ${inList(dialect, 'id', ids)}`,
  );
  const created = new Map(rooms.map(({ id, created_at }) => [id as string, created_at as number]));
  const nums = new Map(rooms.map(({ num, id }) => [id as string, num as number]));
  const names = new Map(rooms.map(({ num, id }) => [num as number, id as string]));
  const pairs = [...wanted.values()].flatMap(({ room, seq }) => {
    const num = nums.get(room);
    return num === undefined ? [] : [[num, seq]];
  });
  const rows: Row[] = [];
  for (let n = 0; n < pairs.length; n += placesAtOnce) {
    const some = dialect.among(['room', 'seq'], pairs.slice(n, n + placesAtOnce));
    const these = sql`SELECT room, ${dialect.messageColumns} FROM chat_messages AS messages WHERE ${some}`;
    rows.push(...(yield* ask(these)));
  }
  const found = rows.map((row) => messageFrom(row, names.get(row.room as number) as string));
  return { messages: new Map(found.map((message) => [keyOf(message), message])), created };
}
