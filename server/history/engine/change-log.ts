import {
  type Change,
  changeBits,
  type LoggedChange,
  type LoggedEntry,
  type LoggedMessageRef,
} from '../records/changes.ts';
import type { Row } from '../records/columns.ts';
import type { MemberRecord } from '../records/member.ts';
import { messageFrom, type StoredMessage, withoutContent } from '../records/message.ts';
import type { Act } from '../records/moderation.ts';
import { withoutUser } from '../records/node-message.ts';
import { withoutUserInQuestion } from '../records/question.ts';
import { lastInRoom, type RoomRecord } from '../records/room.ts';
import { deletedUser } from '../records/user.ts';
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
import { expiryOf, selectOldest } from './expired-rows.ts';
import { deletion } from './store.ts';
import { table } from './table.ts';

/** The lease of a consumer in ms. If the server that holds it crashes, another server takes over after this time. */
export const leaseTime = 5000;

/** The changes of one transaction. `num` counts the logged transactions of all servers in commit order. */
export interface Entry {
  num: number;
  changes: Change[];
}

interface Database {
  dialect: ServerDialect;
  connection: DatabaseConnection;
}

/** Maximum entries of one read. */
const entriesPerRead = 200;

/** Maximum messages of one lookup. A batch of entries can refer to many more. */
const messagesPerQuery = 1000;

/** Database servers keep entries for this time. A chat server that stalls for longer may miss entries. */
const entryTtlMs = 60 * 60 * 1000;

/**
 * Maximum entries that a transaction of a consumer deletes. A consumer without changes for it has a transaction every
 * `passAfter` only (changes/consumer.ts), and thousands may be logged in this time.
 */
const maxDeleted = 5000;

const oldEntries = expiryOf(table<{ num: number }>('chat_changes', ['num'], { num: 'num' }), 'since');

/** Expired entries that a slow consumer has not read are kept, up to this number. */
const maxBacklog = 100_000;

/**
 * The bits of all change types. A server that shares the history logs all changes, because other servers follow the
 * log.
 */
export const allTypes = -1;

/** Returns change types as stored: one bit each. */
export const bitsOf = (types: Iterable<Change['type']>): number => {
  let bits = 0;
  for (const type of types) bits |= changeBits[type];
  return bits;
};

/**
 * Returns the statements that add an entry. They must be the last of the transaction. The first returns the entry's
 * number.
 */
export function append(dialect: Dialect, changes: readonly Change[]): Sql[] {
  const text = JSON.stringify(changes.map(toLogged));
  const types = bitsOf(changes.map(({ type }) => type));
  return [
    dialect.nextPosition,
    sql`INSERT INTO chat_changes (num, since, types, changes)
        SELECT num, ${dialect.now}, ${types}, ${text} FROM chat_position`,
  ];
}

/** Returns the changes to log. @param types the bits of change types, or `allTypes` */
export const ofTypes = (changes: readonly Change[], types: number): readonly Change[] =>
  types === allTypes ? changes : changes.filter(({ type }) => (changeBits[type] & types) !== 0);

/** Selects the number of the last entry. No row if the log has never been written. */
export const lastPosition = raw('SELECT num FROM chat_position');

/** Returns the number of the last entry. */
export async function positionOf(connection: DatabaseConnection): Promise<number> {
  return numberOf(await connection.query(lastPosition));
}

/** Reads the number from the result of `append` or `lastPosition`. */
export const numberOf = ([row]: readonly Row[]): number => (row?.num as number | undefined) ?? 0;

/**
 * Reads the next entries after `after`. Messages are returned in their current state, because the log stores only
 * references. If a message changed again after an entry:
 * - a `new` change still comes in this entry, with its original `rev`, so all servers see the same order in a room;
 * - a `changed` change is dropped, because a later entry announces the current state;
 * - if a user lost access to the room before that later entry, or that entry is not found, the message comes without
 *   contents, which may be newer than what the user may see.
 * @param withheld collects the messages returned without contents: see `withContents`
 */
export async function entriesAfter(
  { dialect, connection }: Database,
  after: number,
  withheld: Withheld,
): Promise<Entry[]> {
  const read = async (from: number) => {
    const rows = await connection.query(
      sql`SELECT num, since, changes FROM chat_changes WHERE num > ${from} ORDER BY num LIMIT ${entriesPerRead}`,
    );
    return rows.map(entryFrom);
  };
  const entries = await read(after);
  const places = entries.flatMap(({ changes }) => changes.flatMap(referencesIn));
  const found = await answered(loadCurrent(dialect, places), connection);
  // The entry that wrote the current state may come after the entries of this read.
  const entriesRead = [...entries];
  let entryByRev = indexByRev(entriesRead);
  const isWriterRead = (message: StoredMessage) => entryByRev.has(revKey(message));
  const outdated = entries.flatMap(({ changes }) =>
    changes.flatMap((change) => newerMessages(change, found)),
  );
  for (let n = 0; n < maxReadsAhead && !outdated.every(isWriterRead); n++) {
    const more = await read(entriesRead.at(-1)?.num ?? after);
    if (more.length === 0) break;
    entriesRead.push(...more);
    entryByRev = indexByRev(entriesRead);
  }
  const losses = lossesByRoom(entriesRead);
  /** Returns the message as readers of entry `num` may see it. `rev`: its revision in that entry. */
  const visibleMessage = (
    num: number,
    place: MessageRef,
    rev: number,
    about: readonly LoggedChange[] = [],
  ) => {
    const message = messageAt(found, place);
    if (message === undefined || message.rev <= rev) return message;
    const by = entryByRev.get(revKey(message)) ?? Number.POSITIVE_INFINITY;
    const isLost = [place.room, allRooms].some((room) =>
      losses.get(room)?.some((lost) => lost > num && lost < by),
    );
    if (by !== Number.POSITIVE_INFINITY && !isLost) return message;
    withheld.set(message.id, [...(withheld.get(message.id) ?? []), ...about]);
    // Readers have known the remaining fields since the message was sent.
    return { ...withoutContent(message), rev };
  };
  return entries.map(({ num, changes }) => ({
    num,
    changes: changes.flatMap((change): Change[] => {
      if (change.type === 'message') {
        const { is } = change;
        const { rev } = change.message;
        const message = messageAt(found, change.message);
        if (message === undefined || (is === 'changed' && message.rev > rev)) return [];
        return [
          { type: 'message', is, message: { ...(visibleMessage(num, change.message, rev) ?? message), rev } },
        ];
      }
      if (change.type === 'mentions' || change.type === 'concerned') {
        const message = visibleMessage(num, change.message, change.message.rev, [change]);
        // Followers of the thread are notified later, with the contents: see `withContents`.
        const isLater = isNewReply(change) && message !== messageAt(found, change.message);
        return message === undefined || isLater ? [] : [{ ...change, message }];
      }
      if (!isOfRoom(change)) return [change];
      const last = visibleMessage(num, lastMessageOf(change.room), change.room.head);
      return [last === undefined ? change : { ...change, room: { ...change.room, last } }];
    }),
  }));
}

/** Maximum further reads to find the entries that wrote the current states. */
const maxReadsAhead = 5;

/**
 * Messages dispatched without contents, with the changes that name their mentions and notification targets. Keyed by
 * message ID: room and `seq` may later denote a message of a new room with the same ID.
 */
export type Withheld = Map<string, readonly LoggedChange[]>;

const isNewReply = (change: LoggedChange): change is LoggedChange & { type: 'concerned' } =>
  change.type === 'concerned' && change.is === 'new';

/**
 * Completes the changes of an entry. If a message was dispatched without contents, its next change is dispatched in
 * full, not as a reaction alone. Its mentions and the withheld new-reply notification follow.
 */
export function withContents(changes: readonly Change[], withheld: Withheld): Change[] {
  return changes.flatMap((change): Change[] => {
    if (change.type !== 'message' || change.is === 'new') return [change];
    const { reacted: _, ...rest } = change;
    const { message } = rest;
    const withheldChanges = withheld.get(message.id);
    if (withheldChanges === undefined) return [change];
    withheld.delete(message.id);
    // The `mentions` changes of this entry already notify these users.
    const notified = new Set(changes.flatMap((one) => (one.type === 'mentions' ? one.added : [])));
    const mentioned = new Set(withheldChanges.flatMap((one) => (one.type === 'mentions' ? one.added : [])));
    const added = (message.mentions ?? []).flatMap(({ user }) =>
      mentioned.has(user) && !notified.has(user) ? user : [],
    );
    const mentions: Change[] = added.length === 0 ? [] : [{ type: 'mentions', message, added, removed: [] }];
    // An entry that is read twice adds its reply twice, so take one.
    const reply = withheldChanges.find(isNewReply);
    const isKept = reply !== undefined && message.deletedAt === undefined;
    return [rest, ...mentions, ...(isKept ? [{ ...reply, message }] : [])];
  });
}

/** Returns the messages of a change that changed again after it. */
function newerMessages(change: LoggedChange, found: CurrentMessages): StoredMessage[] {
  const rev =
    change.type === 'message' || change.type === 'mentions' || change.type === 'concerned'
      ? change.message.rev
      : isOfRoom(change)
        ? change.room.head
        : Number.POSITIVE_INFINITY;
  return referencesIn(change).flatMap((place) => {
    const message = messageAt(found, place);
    return message !== undefined && message.rev > rev ? message : [];
  });
}

/** Maps each `rev` of a message, with its room, to the entry that wrote it. */
function indexByRev(entries: readonly LoggedEntry[]): Map<string, number> {
  const entryByRev = new Map<string, number>();
  for (const { num, changes } of entries)
    for (const change of changes) if (change.type === 'message') entryByRev.set(revKey(change.message), num);
  return entryByRev;
}

const revKey = ({ room, rev }: { room: string; rev: number }) => `${rev} ${room}`;

/** Stands for all rooms when a user is banned from the site. No room has this ID. */
const allRooms = '';

/** Maps each room to the entries in which a user lost access to it. */
function lossesByRoom(entries: readonly LoggedEntry[]): Map<string, number[]> {
  const losses = new Map<string, number[]>();
  for (const { num, changes } of entries) {
    for (const change of changes) {
      const room = lostRoom(change);
      if (room !== undefined) losses.set(room, [...(losses.get(room) ?? []), num]);
    }
  }
  return losses;
}

function lostRoom(change: LoggedChange): string | undefined {
  if (change.type === 'ban') return change.ban === null ? undefined : allRooms;
  const isLoss =
    (change.type === 'member' && change.now.sources === 0) ||
    (change.type === 'restricted' && change.kind === 'banned' && change.now !== null);
  return isLoss ? change.room.id : undefined;
}

/**
 * Deletes entries that neither a server nor a consumer needs. The last one is kept, so a server that stalled can
 * detect the gap. Uses the database clock, because a server's clock may be wrong.
 */
export function* forget(dialect: Dialect): Asking<void> {
  const last = numberOf(yield* ask(lastPosition));
  const [slowest] = yield* ask(raw('SELECT min(position) AS num FROM chat_consumers'));
  const passed = (slowest?.num as number | null | undefined) ?? last;
  const upTo = Math.min(last - 1, Math.max(passed, last - maxBacklog));
  const rows = yield* ask(selectOld(dialect, upTo));
  if (rows.length === 0) return;
  const keys = rows.map(({ num }) => [num as number]);
  yield [deletion(dialect, oldEntries.name, oldEntries.key, keys)];
}

/**
 * Selects the first expired entries up to `upTo`. `num + 0` keeps the database from using the index on `num`, because
 * nearly all entries match that condition. The index on `since` selects few.
 */
export const selectOld = (dialect: Dialect, upTo: number): Sql =>
  selectOldest(
    dialect,
    oldEntries,
    sql`since <= ${dialect.now} - ${dialect.isShared ? entryTtlMs : 0} AND num + 0 <= ${upTo}`,
    maxDeleted,
  );

/** Returns the bits of the change types that consumers read. A server that runs alone logs only these types. */
export function* wantedTypes(): Asking<number> {
  const rows = yield* ask(raw('SELECT types FROM chat_consumers'));
  return rows.reduce((bits, { types }) => bits | (types as number), 0);
}

/** Returns the types to log after these operations, which may add or remove consumers. */
export function* typesAfter(calls: readonly { op: string; input: unknown }[], types: number): Asking<number> {
  if (calls.some(({ op }) => op === 'keepConsumers') && types !== allTypes) return yield* wantedTypes();
  return calls.reduce(
    (bits, { op, input }) => (op === 'consume' ? bits | bitsOf((input as Consume).types) : bits),
    types,
  );
}

export const consumerColumns = ['id', 'types', 'position', 'holder', 'held_until'] as const;

/** Requests the lease of a consumer and its next entries. */
export interface Consume {
  name: string;
  /** The ID of the requesting server. */
  by: string;
  types: readonly Change['type'][];
  /**
   * The duration in ms; 0 releases the lease. If another server's lease lasts longer than both this and `leaseTime`,
   * the clock was set back, and the lease is ignored.
   */
  lease: number;
  /** Maximum entries; 0 only takes or renews the lease. */
  most: number;
  /**
   * Set to only renew the lease, and not to take it again if it was lost. Otherwise a later `done` would be stored,
   * although another server may have processed more entries.
   */
  renews?: true;
  /** The position that the consumer has processed: `upTo` of an earlier response. */
  done?: number;
}

/** A consumer and its next entries. */
export interface LoadedConsumer {
  position: number;
  holder: string;
  leaseUntil: number;
  /** The current time of the database, in Unix ms. */
  at: number;
  entries: LoggedEntry[];
  /** The number of entries deleted before this consumer read them. */
  skipped: number;
  /** The position after these entries. */
  upTo: number;
}

/** Locks the consumer. A new consumer starts at the end of the log. */
export function* loadConsumer(
  dialect: Dialect,
  { name, by, types: changeTypes, most, done }: Consume,
): Asking<LoadedConsumer> {
  const types = bitsOf(changeTypes);
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
  const loaded = { position, holder, leaseUntil: held_until, at, entries: [], skipped: 0, upTo: position };
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
 * Returns the text of an entry without the user's name and without reasons that concern the user. The ID stays where
 * servers that are behind need it; audit entries get the ID of deleted users.
 */
export function withoutWords(text: string, user: string): string {
  const changes = (JSON.parse(text) as LoggedChange[]).map((logged): LoggedChange => {
    const change = isOfRoom(logged) ? { ...logged, room: withoutUserInQuestion(logged.room, user) } : logged;
    switch (change.type) {
      case 'user':
        return change.user.id === user ? { ...change, user: { ...change.user, name: user } } : change;
      case 'member':
        return change.user.id === user ? memberWithoutWords(change) : change;
      case 'ban':
        return change.user === user && change.ban !== null
          ? { ...change, ban: withoutReason(change.ban) }
          : change;
      case 'restricted':
        return change.user === user && change.now !== null
          ? { ...change, now: withoutReason(change.now) }
          : change;
      case 'act':
        return { ...change, act: anonymiseAct(change.act, user) };
      case 'broadcast':
        return { ...change, what: withoutUser(change.what, user) };
      default:
        return change;
    }
  });
  return JSON.stringify(changes);
}

function anonymiseAct(act: Omit<Act, 'at'>, user: string): Omit<Act, 'at'> {
  if (act.by !== user && act.user !== user) return act;
  const { reason: _, ...rest } = act;
  const anonymise = (id: string | undefined) => (id === user ? deletedUser.id : id);
  const [by, of] = [anonymise(act.by), anonymise(act.user)];
  return { ...rest, ...(by === undefined ? {} : { by }), ...(of === undefined ? {} : { user: of }) };
}

/** Returns the change without the user's name and without the reasons of the user's restrictions. */
function memberWithoutWords(change: Change & { type: 'member' }): Change & { type: 'member' } {
  const { user, before, now } = change;
  const named = { ...user, name: user.id };
  return { ...change, user: named, before: before && withoutReasons(before), now: withoutReasons(now) };
}

function withoutReasons({ restricted, ...member }: MemberRecord): MemberRecord {
  if (restricted === undefined) return member;
  const kinds = Object.entries(restricted).map(([kind, one]) => [kind, withoutReason(one)]);
  return { ...member, restricted: Object.fromEntries(kinds) };
}

function withoutReason<T extends { reason?: string }>({ reason: _, ...rest }: T): Omit<T, 'reason'> {
  return rest;
}

const referenceTo = ({ room, seq, rev, id }: StoredMessage): LoggedMessageRef => ({ room, seq, rev, id });

const keyOf = ({ room, seq }: { room: string; seq: number }) => `${seq} ${room}`;

const lastMessageOf = (room: RoomRecord): MessageRef => ({
  room: room.id,
  seq: lastInRoom(room),
  createdAt: room.createdAt,
});

function toLogged({ asker: _, ...change }: Change): LoggedChange {
  if (change.type === 'message') {
    return { type: 'message', is: change.is, message: referenceTo(change.message) };
  }
  if (change.type === 'mentions') return { ...change, message: referenceTo(change.message) };
  if (change.type === 'concerned') return { ...change, message: referenceTo(change.message) };
  if (!isOfRoom(change)) return change;
  const { last: _last, ...room } = change.room;
  return { ...change, room };
}

/** Whether the change contains the record of its room. */
function isOfRoom(change: LoggedChange): change is Extract<LoggedChange, { room: RoomRecord }> {
  return 'room' in change && typeof change.room !== 'string';
}

/** Returns references to the messages that a change includes. */
function referencesIn(change: LoggedChange): MessageRef[] {
  if (change.type === 'message' || change.type === 'mentions' || change.type === 'concerned') {
    return [change.message];
  }
  return isOfRoom(change) ? [lastMessageOf(change.room)] : [];
}

/**
 * References a message. `id`, or `createdAt` of its room, distinguishes it from a message of a later room with the same
 * room ID.
 */
interface MessageRef {
  room: string;
  seq: number;
  id?: string;
  createdAt?: number;
}

interface CurrentMessages {
  /** The messages by `room` and `seq`. */
  messages: ReadonlyMap<string, StoredMessage>;
  /** Creation times of the rooms, by ID. */
  created: ReadonlyMap<string, number>;
}

function messageAt(
  { messages, created }: CurrentMessages,
  { id, createdAt, ...place }: MessageRef,
): StoredMessage | undefined {
  const message = messages.get(keyOf(place));
  const isOther =
    (id !== undefined && id !== message?.id) ||
    (createdAt !== undefined && createdAt !== created.get(place.room));
  return isOther ? undefined : message;
}

/** Returns the messages that still exist. */
export function* messagesAt(dialect: Dialect, places: readonly MessageRef[]): Asking<StoredMessage[]> {
  return [...(yield* loadCurrent(dialect, places)).messages.values()];
}

function* loadCurrent(dialect: Dialect, places: readonly MessageRef[]): Asking<CurrentMessages> {
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
  for (let n = 0; n < pairs.length; n += messagesPerQuery) {
    const some = dialect.among(['room', 'seq'], pairs.slice(n, n + messagesPerQuery));
    const these = sql`SELECT room, ${dialect.messageColumns} FROM chat_messages AS messages WHERE ${some}`;
    rows.push(...(yield* ask(these)));
  }
  const found = rows.map((row) => messageFrom(row, names.get(row.room as number) as string));
  return { messages: new Map(found.map((message) => [keyOf(message), message])), created };
}
