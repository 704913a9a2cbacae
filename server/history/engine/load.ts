import {
  type EventType,
  everybody,
  isReadable,
  mostUnreadMentions,
  otherOf,
  type RoomRecord,
  type UserRecord,
} from '../history.ts';
import { isBlocked } from '../people/blocks.ts';
import {
  erasureColumns,
  erasureFrom,
  fileColumns,
  fileFrom,
  fileStates,
  goneRooms,
  memberColumns,
  memberFrom,
  messageFrom,
  reactedFrom,
  roomRowColumns,
  roomRowFrom,
  userFrom,
} from '../rows.ts';
import {
  blocks,
  type ColumnName,
  followers,
  formerRooms,
  keyOf,
  type Row,
  rowFrom,
  rows as rowsIn,
  type Table,
  threadAuthors,
  threads,
  type Value,
  valuesOf,
} from '../tables.ts';
import { storedNameKey } from '../text-keys.ts';
import { loadConsumer } from './change-log.ts';
import { type Asking, raw, type Sql, sql } from './dialect.ts';
import { loadErasureOf, loadOpenErasure } from './erasing.ts';
import { maxScannedRows as mostLookedAt } from './read.ts';
import type { Place } from './transaction.ts';
import {
  clientIdKey,
  earlierKey,
  type LoadedReply,
  type LoadedRoom,
  makerKey,
  type Need,
  openKey,
  pairKey,
  reactionsBy,
  rowsKey,
  unreadKey,
  type Work,
} from './work.ts';

type NeedOf<What extends Need['what']> = Extract<Need, { what: What }>;

const withRole = 'sources <> 0';

const nothing: readonly Need[] = [];
/** By what else than their ids rooms are found. */
const finding = [
  'publicName',
  'pair',
  'maker',
  'madeBy',
  'emptyRooms',
  'endedRestrictions',
  'sessionRooms',
] as const satisfies readonly Need['what'][];

type StoredRoom = LoadedRoom & { num: number };

interface Question {
  sql: Sql;
  take(rows: Row[]): void;
}

/** Loads what rules need, in a few statements for all of it. Rooms are locked, in the order of their ids. */
export function* load(place: Place, work: Work, asked: readonly Need[]): Asking<void> {
  const needs = [...asked];
  for (const need of asked) {
    if (need.what === 'erasureOf') {
      work.erasures.set(need.user, yield* loadErasureOf(place, need.user));
    } else if (need.what === 'openErasure') {
      const { loaded, needs: more } = yield* loadOpenErasure(place);
      work.openedErasure = loaded;
      needs.push(...more);
    } else if (need.what === 'consumer') {
      const { name } = need.input;
      yield* place.transaction.flush();
      work.consuming = { name, loaded: yield* loadConsumer(place.dialect, need.input) };
    } else if (need.what === 'due') {
      work.due.set(need.table, { ...need, ...(yield* loadDue(place, need)) });
    } else if (need.what === 'eventCounts') {
      work.countedEvents = yield* countEvents(place);
    } else if (need.what === 'oldReplies') {
      const replies = yield* loadOldReplies(place, need);
      work.repliesUpTo.set(need.room, { to: need.to, replies });
      needs.push(...replies.flatMap(({ thread, user }) => threadNeeds(need.room, thread, user)));
    }
  }
  needs.push(...(yield* needsOfReplies(place, asked)));
  yield* new Loading(place, work, needs).load();
}

function* loadDue(
  { dialect, transaction }: Place,
  { table, at, most }: NeedOf<'due'>,
): Asking<{ rows: object[]; next?: number }> {
  const name = raw(table.name);
  const columns = raw(Object.values(table.columns).join(', '));
  const found =
    most === 0
      ? []
      : yield* transaction.query(
          sql`SELECT ${columns} FROM ${name} WHERE due <= ${at} ORDER BY due LIMIT ${most} ${dialect.lock}`,
        );
  const rows = found.map((row) => rowFrom(table, row));
  if (rows.length === most) return { rows, next: at };
  const [later] = yield* transaction.query(sql`SELECT min(due) AS due FROM ${name} WHERE due > ${at}`);
  const next = later?.due as number | null | undefined;
  return { rows, ...(next == null ? {} : { next }) };
}

function* countEvents({ transaction }: Place): Asking<Map<EventType | 'failed', number>> {
  const rows = yield* transaction.query(raw('SELECT type, count(*) AS num FROM chat_webhooks GROUP BY type'));
  const [failed] = yield* transaction.query(
    raw('SELECT count(*) AS num FROM chat_webhooks WHERE due IS NULL'),
  );
  const counts = new Map(rows.map(({ type, num }) => [type as EventType | 'failed', num as number]));
  return counts.set('failed', (failed?.num as number | undefined) ?? 0);
}

const threadNeeds = (room: string, thread: number, user: string): Need[] => [
  rowsIn(threads, { room, thread }),
  rowsIn(threadAuthors, { room, thread, user }),
];

/**
 * The needs of replies, whose threads are known by the messages that they reply to. If another transaction or this
 * one makes it something else meanwhile, that is loaded when a rule asks for it.
 */
function* needsOfReplies({ transaction }: Place, asked: readonly Need[]): Asking<Need[]> {
  const replies = asked.filter((need) => need.what === 'replied');
  if (replies.length === 0) return [];
  const found = yield* transaction.queryAll(
    replies.map(
      ({ room, seq }) =>
        sql`SELECT coalesce(said.thread, said.seq) AS thread, root.user_id AS user_id
            FROM chat_rooms AS rooms JOIN chat_messages AS said ON said.room = rooms.num
            LEFT JOIN chat_messages AS root ON root.room = said.room AND root.seq = coalesce(said.thread, said.seq)
            WHERE rooms.id = ${room} AND said.seq = ${seq}`,
    ),
  );
  return replies.flatMap(({ room, seq, user }, n): Need[] => {
    const [row] = found[n] as Row[];
    if (row === undefined) return [{ what: 'message', room, seq }];
    const thread = row.thread as number;
    const authors = new Set([user, ...(row.user_id === null ? [] : [row.user_id as string])]);
    return [
      { what: 'message', room, seq },
      { what: 'message', room, seq: thread },
      ...threadNeeds(room, thread, user),
      rowsIn(followers, { room, thread, following: 1 }),
      ...[...authors].flatMap((one): Need[] => [
        { what: 'member', room, user: one },
        rowsIn(followers, { room, thread, user: one }),
      ]),
    ];
  });
}

/** Locks the room before: another transaction might count them otherwise. */
function* loadOldReplies(
  { dialect, transaction }: Place,
  { room: id, to }: NeedOf<'oldReplies'>,
): Asking<LoadedReply[]> {
  const [room] = yield* transaction.query(
    sql`SELECT num, first_seq FROM chat_rooms WHERE id = ${id} ${dialect.lock}`,
  );
  if (room === undefined) return [];
  const rows = yield* transaction.query(
    sql`SELECT seq, thread, user_id, sent_at FROM chat_messages
        WHERE room = ${room.num as number} AND seq >= ${room.first_seq as number} AND seq < ${to}
          AND thread IS NOT NULL AND deleted_at IS NULL ORDER BY seq`,
  );
  return rows.map(replyFrom);
}

const replyFrom = ({ seq, thread, user_id, sent_at }: Row): LoadedReply => ({
  seq: seq as number,
  thread: thread as number,
  user: user_id as string,
  at: sent_at as number,
});

// A class, since V8 keeps the data of each call of a generator that is a function in another one until the next
// collection of the whole heap.
class Loading {
  readonly #place: Place;
  readonly #work: Work;
  readonly #byWhat = new Map<Need['what'], Need[]>();
  readonly #rooms = new Set<string>();
  readonly #members: { room: string; user: string }[];
  readonly #messages: { room: string; seq: number }[];
  readonly #users: Set<string>;
  readonly #rows: NeedOf<'rows'>[];
  readonly #questions: Question[] = [];

  constructor(place: Place, work: Work, needs: readonly Need[]) {
    this.#place = place;
    this.#work = work;
    for (const need of needs) {
      const some = this.#byWhat.get(need.what);
      if (some === undefined) this.#byWhat.set(need.what, [need]);
      else some.push(need);
      if (need.what === 'room') this.#rooms.add(need.id);
      else if ('room' in need) this.#rooms.add(need.room);
      else if (need.what === 'rows' && 'room' in need.where) this.#rooms.add(need.where.room as string);
    }
    this.#members = [...this.#of('member')];
    this.#messages = [...this.#of('message')];
    this.#users = new Set(this.#of('user').map(({ id }) => id));
    this.#rows = [...this.#of('rows')];
  }

  *load(): Asking<void> {
    const rooms = this.#rooms;
    if (this.#hasAny(...finding)) for (const id of yield* this.#findRooms()) rooms.add(id);
    for (const { row } of yield* this.#lockRooms([...rooms].filter((id) => !this.#work.rooms.has(id)))) {
      // Of a direct room who writes may have been blocked by the other side, whom the first message makes a member.
      for (const user of row.pair ?? []) {
        const other = otherOf(row.pair, user) as string;
        this.#rows.push(rowsIn(blocks, { user, other }));
        this.#members.push({ room: row.id, user });
        this.#users.add(user);
      }
    }
    for (const id of rooms) {
      if (this.#work.rooms.get(id) !== null) continue;
      // It may be made now, and then begins after a deleted one of its id.
      for (const key of this.#work.formerKeys(id)) this.#rows.push(rowsIn(formerRooms, key));
    }
    for (const { room } of this.#of('lastMessage')) {
      this.#messages.push({ room, seq: this.#work.rooms.get(room)?.row.lastSeq ?? 0 });
    }
    if (this.#members.length > 0 || this.#hasAny('owner', 'heirs')) this.#askMembers();
    if (this.#messages.length > 0 || this.#hasAny('clientId')) this.#askMessages();
    if (this.#hasAny('earlierReply')) this.#askEarlierReplies();
    if (this.#hasAny('reaction', 'reactors')) this.#askReactions();
    if (this.#users.size > 0) this.#askUsers();
    if (this.#rows.length > 0) this.#askRows();
    if (this.#hasAny('openReports')) this.#askOpenReports();
    if (this.#hasAny('unreadMentions')) this.#askUnreadMentions();
    if (this.#hasAny('file', 'doomedFiles')) this.#askFiles();
    if (this.#hasAny('entry')) this.#askEntries();
    if (this.#hasAny('erasing')) this.#askErasures();
    if (this.#hasAny('newestMessage')) this.#askNewest();
    if (this.#questions.length === 0) return;
    const answers = yield* this.#place.transaction.queryAll(this.#questions.map(({ sql }) => sql));
    for (const [n, { take }] of this.#questions.entries()) take(answers[n] as Row[]);
    if (this.#hasAny('doomedFiles')) yield* this.#askShared();
  }

  /** Which other files share the bytes of those that are to be deleted. */
  *#askShared(): Asking<void> {
    const { doomed, files } = this.#work;
    if (doomed === undefined) return;
    const known = [...files.values()].flatMap((file) => (file === null ? [] : [file.row.stored]));
    const bytes = [...new Set([...doomed.stored.values(), ...known])].sort();
    if (bytes.length === 0) return;
    const among = this.#place.dialect.each(
      ['stored'],
      bytes.map((one) => [one]),
    );
    const rows = yield* this.#place.transaction.query(
      sql`SELECT id, stored FROM chat_files WHERE ${among} AND state <> ${fileStates.dropped} ${this.#place.dialect.lock}`,
    );
    const shared = new Map<string, string[]>();
    for (const { id, stored } of rows) {
      const others = shared.get(stored as string);
      if (others === undefined) shared.set(stored as string, [id as string]);
      else others.push(id as string);
    }
    this.#work.doomed = { ...doomed, shared };
  }

  #of<What extends Need['what']>(what: What): readonly NeedOf<What>[] {
    return (this.#byWhat.get(what) ?? nothing) as unknown as readonly NeedOf<What>[];
  }

  #hasAny(...some: readonly Need['what'][]): boolean {
    return some.some((what) => this.#byWhat.has(what));
  }

  /** By what else than their ids rooms are asked for. @returns the ids of those rooms */
  *#findRooms(): Asking<string[]> {
    const found: string[] = [];
    const names = this.#of('publicName').filter(({ key }) => !this.#work.publicNames.has(key));
    if (names.length > 0) {
      const among = this.#place.dialect.each(
        ['public_key'],
        names.map(({ key }) => [storedNameKey(key)]),
      );
      const rows = yield* this.#place.transaction.query(
        sql`SELECT public_key, id FROM chat_rooms WHERE ${among}`,
      );
      const ids = new Map(rows.map((row) => [row.public_key as string, row.id as string]));
      for (const { key } of names) this.#work.publicNames.set(key, ids.get(storedNameKey(key)) ?? null);
      found.push(...ids.values());
    }
    const pairs = this.#of('pair').filter(({ pair }) => !this.#work.pairs.has(pairKey(pair)));
    if (pairs.length > 0) {
      const among = this.#place.dialect.each(
        ['pair_low', 'pair_high'],
        pairs.map(({ pair }) => pair),
      );
      const rows = yield* this.#place.transaction.query(
        sql`SELECT pair_low, pair_high, id FROM chat_rooms WHERE ${among}`,
      );
      for (const { pair } of pairs) this.#work.pairs.set(pairKey(pair), null);
      for (const { pair_low, pair_high, id } of rows) {
        this.#work.pairs.set(pairKey([pair_low as string, pair_high as string]), id as string);
        found.push(id as string);
      }
    }
    const makers = this.#of('maker').filter(
      ({ user, clientId }) => !this.#work.makers.has(makerKey(user, clientId)),
    );
    if (makers.length > 0) {
      const among = this.#place.dialect.each(
        ['created_by', 'client_id'],
        makers.map(({ user, clientId }) => [user, clientId]),
      );
      const rows = yield* this.#place.transaction.query(
        sql`SELECT created_by, client_id, id FROM chat_rooms WHERE ${among}`,
      );
      for (const { user, clientId } of makers) this.#work.makers.set(makerKey(user, clientId), null);
      for (const { created_by, client_id, id } of rows) {
        this.#work.makers.set(makerKey(created_by as string, client_id as string), id as string);
        found.push(id as string);
      }
    }
    for (const { user } of this.#of('madeBy')) {
      if (this.#work.madeBy.has(user)) continue;
      const rows = yield* this.#place.transaction.query(
        sql`SELECT id, kind, members.user_id AS member, ${raw(memberColumns)} FROM chat_rooms AS rooms
            LEFT JOIN chat_members AS members ON members.room = rooms.num AND members.user_id = ${user}
            WHERE created_by = ${user} AND client_id IS NOT NULL`,
      );
      const made = rows.map((row): [string, boolean] => {
        const member = row.member === null ? undefined : memberFrom(row);
        return [row.id as string, isReadable({ kind: row.kind as RoomRecord['kind'] }, member)];
      });
      this.#work.madeBy.set(user, new Map(made));
    }
    for (const { before, most } of this.#of('emptyRooms')) {
      const rows = yield* this.#place.transaction.query(
        sql`SELECT id FROM chat_rooms WHERE empty_since < ${before} AND kind = 'private'
            ORDER BY empty_since, id LIMIT ${most}`,
      );
      this.#work.emptied = { before, most, ids: rows.map(idOf) };
      found.push(...this.#work.emptied.ids);
    }
    for (const { before, most } of this.#of('endedRestrictions')) {
      const rows = yield* this.#place.transaction.query(
        sql`SELECT rooms.id AS id, user_id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE restricted_until <= ${before} ORDER BY restricted_until, rooms.id, user_id LIMIT ${most}`,
      );
      this.#work.ended = { before, most };
      for (const { id, user_id } of rows) {
        const [room, user] = [id as string, user_id as string];
        found.push(room);
        this.#members.push({ room, user });
        this.#users.add(user);
      }
    }
    const guests = this.#of('sessionRooms').filter(({ user }) => !this.#work.sessionRoomsOf.has(user));
    if (guests.length > 0) {
      const among = this.#place.dialect.each(
        ['user_id'],
        guests.map(({ user }) => [user]),
      );
      const rows = yield* this.#place.transaction.query(
        sql`SELECT user_id, rooms.id AS id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE ${among} AND ((sources | coalesce(held, 0)) & 1) <> 0`,
      );
      for (const { user } of guests) this.#work.sessionRoomsOf.set(user, []);
      for (const [user, own] of Map.groupBy(rows, ({ user_id }) => user_id as string)) {
        this.#work.sessionRoomsOf.set(user, own.map(idOf));
        found.push(...own.map(idOf));
        this.#members.push(...own.map((row) => ({ room: idOf(row), user })));
      }
    }
    return found;
  }

  *#lockRooms(ids: readonly string[]): Asking<LoadedRoom[]> {
    const { dialect, transaction, kept } = this.#place;
    const found = ids.flatMap((id) => kept?.room(id) ?? []);
    const known = new Set(found.map(({ row }) => row.id));
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) {
      const among = dialect.each(
        ['id'],
        unknown.map((id) => [id]),
      );
      const rows = yield* transaction.query(
        sql`SELECT ${raw(roomRowColumns)} FROM chat_rooms AS rooms WHERE ${among} ORDER BY id ${dialect.lock}`,
      );
      for (const id of unknown) this.#work.rooms.set(id, null);
      found.push(...rows.map((row) => ({ num: row.num as number, row: roomRowFrom(row) })));
    }
    return found.map(({ num, row }) => {
      const loaded: LoadedRoom = {
        num,
        row,
        stored: row,
        members: new Map(),
        messages: new Map(),
        clientIds: new Map(),
        owner: undefined,
        heirs: undefined,
      };
      this.#work.rooms.set(row.id, loaded);
      return loaded;
    });
  }

  #askMembers(): void {
    const wanted = new Map<string, { room: StoredRoom; user: string }>();
    for (const { room: id, user } of this.#members) {
      const room = this.#stored(id);
      if (room === undefined || room.members.has(user)) continue;
      const known = this.#place.kept?.member(room.num, user);
      if (known === undefined) wanted.set(`${room.num} ${user}`, { room, user });
      else room.members.set(user, { ...known, stored: known });
    }
    if (wanted.size > 0) {
      const among = this.#place.dialect.each(
        ['user_id', 'room'],
        [...wanted.values()].map(({ room, user }) => [user, room.num]),
      );
      this.#questions.push({
        sql: sql`SELECT room, user_id, ${raw(memberColumns)}, since, sort FROM chat_members WHERE ${among}`,
        take: (rows) => {
          for (const { room, user } of wanted.values()) room.members.set(user, null);
          for (const row of rows) {
            const user = row.user_id as string;
            const [member, since, sort] = [memberFrom(row), row.since as number, row.sort as string];
            const known = { row: member, since, sort };
            wanted.get(`${row.room} ${user}`)?.room.members.set(user, { ...known, stored: known });
          }
        },
      });
    }
    for (const { room: id } of this.#of('owner')) {
      const room = this.#stored(id);
      if (room === undefined) continue;
      this.#questions.push({
        sql: sql`SELECT user_id FROM chat_members WHERE room = ${room.num} AND role = 'owner' AND ${raw(withRole)}`,
        take: ([row]) => {
          room.owner = (row?.user_id as string | undefined) ?? null;
        },
      });
    }
    for (const { room: id, most } of this.#of('heirs')) {
      const room = this.#stored(id);
      if (room === undefined) continue;
      this.#questions.push({
        sql: sql`SELECT user_id, role, since FROM chat_members WHERE room = ${room.num} AND ${raw(withRole)}
            ORDER BY CASE role WHEN 'moderator' THEN 0 ELSE 1 END, since, user_id LIMIT ${most}`,
        take: (rows) => {
          const list = rows.map(({ user_id, role, since }) => ({
            user: user_id as string,
            moderator: role === 'moderator',
            since: since as number,
          }));
          room.heirs = { list, all: rows.length < most };
        },
      });
    }
  }

  #askMessages(): void {
    const columns = sql`room, ${this.#place.dialect.messageColumns}, digest`;
    const bySeq: [number, number][] = [];
    for (const { room: id, seq } of this.#messages) {
      const room = this.#stored(id);
      if (room === undefined || room.messages.has(seq)) continue;
      room.messages.set(seq, null);
      bySeq.push([room.num, seq]);
    }
    if (bySeq.length > 0) {
      const among = this.#place.dialect.each(['room', 'seq'], bySeq);
      this.#questions.push({
        sql: sql`SELECT ${columns} FROM chat_messages AS messages WHERE ${among}`,
        take: (rows) => this.#keep(rows),
      });
    }
    const byClientId: [number, string, string][] = [];
    for (const { room: id, user, clientId } of this.#of('clientId')) {
      const room = this.#stored(id);
      const key = clientIdKey(user, clientId);
      if (room === undefined || room.clientIds.has(key)) continue;
      room.clientIds.set(key, null);
      byClientId.push([room.num, user, clientId]);
    }
    if (byClientId.length > 0) {
      const among = this.#place.dialect.each(['room', 'user_id', 'client_id'], byClientId);
      this.#questions.push({
        sql: sql`SELECT ${columns} FROM chat_messages AS messages WHERE ${among}`,
        take: (rows) => this.#keep(rows),
      });
    }
  }

  #askEarlierReplies(): void {
    const by = this.#place.dialect.by('chat_messages_by_thread');
    for (const { room: id, thread, user, before } of this.#of('earlierReply')) {
      const room = this.#stored(id);
      if (room === undefined) continue;
      this.#questions.push({
        sql: sql`SELECT seq, thread, user_id, sent_at FROM chat_messages ${by}
            WHERE room = ${room.num} AND thread = ${thread} AND seq >= ${room.row.firstSeq} AND seq < ${before}
              AND user_id = ${user} AND deleted_at IS NULL ORDER BY seq DESC LIMIT 1`,
        take: ([row]) =>
          void this.#work.earlierReplies.set(
            earlierKey(id, thread, user, before),
            row === undefined ? null : replyFrom(row),
          ),
      });
    }
  }

  /** After their messages. */
  #askReactions(): void {
    const wanted = new Map<string, { room: StoredRoom; seq: number; emoji: string; user: string }>();
    // No emoji has a space in it.
    const keyOf = (...parts: readonly unknown[]) => parts.join(' ');
    for (const { room: id, seq, emoji, user } of this.#of('reaction')) {
      const room = this.#stored(id);
      if (room === undefined || room.messages.get(seq)?.reactions.get(emoji)?.has(user)) continue;
      wanted.set(keyOf(room.num, seq, emoji, user), { room, seq, emoji, user });
    }
    if (wanted.size > 0) {
      const among = this.#place.dialect.each(
        ['room', 'seq', 'emoji', 'user_id'],
        [...wanted.values()].map(({ room, seq, emoji, user }) => [room.num, seq, emoji, user]),
      );
      this.#questions.push({
        sql: sql`SELECT room, seq, emoji, user_id, place FROM chat_reactions WHERE ${among}`,
        take: (rows) => {
          const places = new Map(
            rows.map(({ room, seq, emoji, user_id, place }) => [
              keyOf(room, seq, emoji, user_id),
              place as number,
            ]),
          );
          for (const [key, { room, seq, emoji, user }] of wanted) {
            const place = places.get(key) ?? null;
            const message = room.messages.get(seq);
            if (message) reactionsBy(message, emoji).set(user, { place, dirty: false });
          }
        },
      });
    }
    for (const { room: id, seq, emoji, most } of this.#of('reactors')) {
      const room = this.#stored(id);
      if (room === undefined) continue;
      this.#questions.push({
        sql: sql`SELECT user_id FROM chat_reactions WHERE room = ${room.num} AND seq = ${seq} AND emoji = ${emoji}
                 ORDER BY place LIMIT ${most}`,
        take: (rows) => {
          const list = rows.map(({ user_id }) => user_id as string);
          room.messages.get(seq)?.reactors.set(emoji, { list, all: rows.length < most });
        },
      });
    }
  }

  #keep(rows: readonly Row[]): void {
    const byNum = this.#roomsByNum();
    for (const row of rows) {
      const room = byNum.get(row.room as number) as LoadedRoom;
      const message = messageFrom(row, room.row.id);
      const { seq, user, clientId } = message;
      room.clientIds.set(clientIdKey(user.id, clientId), seq);
      // The state in this transaction is newer.
      if (!room.messages.get(seq)) {
        room.messages.set(seq, {
          row: { message, digest: row.digest as string },
          reacted: reactedFrom(row),
          reactions: new Map(),
          reactors: new Map(),
          state: 'stored',
        });
      }
    }
  }

  #askRows(): void {
    const unknown = this.#rows.filter(({ table, where }) => !this.#work.asked.has(rowsKey(table, where)));
    const alike = ({ table, where }: NeedOf<'rows'>) => `${table.name} ${Object.keys(where).sort()}`;
    for (const some of Map.groupBy(unknown, alike).values()) {
      const { table, where } = some[0] as NeedOf<'rows'>;
      const fields = Object.keys(where).sort();
      const wanted = new Map(some.map((one) => [rowsKey(table, one.where), one.where]));
      const values: Value[][] = [];
      for (const [key, one] of wanted) {
        this.#work.asked.add(key);
        const num = 'room' in one ? this.#stored(one.room as string)?.num : 0;
        if (num !== undefined) values.push(valuesOf(one, fields, num));
      }
      if (values.length === 0) continue;
      const columnOf = (field: string) => table.columns[field] as ColumnName;
      const columns = raw(Object.values(table.columns).join(', '));
      const among = this.#place.dialect.each(fields.map(columnOf), values);
      this.#questions.push({
        sql: sql`SELECT ${columns} FROM ${raw(table.name)} WHERE ${among}`,
        take: (found) => this.#keepRows(table, found),
      });
    }
  }

  #keepRows(table: Table, found: readonly Row[]): void {
    const known = this.#work.rowsOf(table);
    const ids = 'room' in table.columns ? this.#roomsByNum() : undefined;
    for (const one of found) {
      const row = rowFrom(table, one, ids?.get(one.room as number)?.row.id);
      const key = keyOf(row, table.key);
      // The state in this transaction is newer.
      if (!known.has(key)) known.set(key, { row, key: row, stored: row });
    }
  }

  #askOpenReports(): void {
    for (const { room: id, from } of this.#of('openReports')) {
      const room = this.#stored(id);
      if (room === undefined) continue;
      this.#questions.push({
        sql: sql`SELECT count(*) AS num FROM chat_reports WHERE room = ${room.num} AND seq >= ${from} AND closed IS NULL`,
        take: ([row]) => void this.#work.openReportsIn.set(openKey(id, from), row?.num as number),
      });
    }
  }

  #askUnreadMentions(): void {
    for (const { room: id, user, after } of this.#of('unreadMentions')) {
      const room = this.#stored(id);
      const key = unreadKey(id, user, after);
      if (room === undefined) {
        this.#work.unreadMentionsOf.set(key, []);
        continue;
      }
      const seqs = (table: string, of: string) =>
        sql`SELECT seq FROM (SELECT seq FROM ${raw(table)} WHERE room = ${room.num} AND user_id = ${of} AND seq > ${after}
            ORDER BY seq DESC LIMIT ${mostLookedAt}) AS newest`;
      this.#questions.push({
        sql: sql`SELECT messages.seq AS seq, messages.user_id AS by_id FROM (
            ${seqs('chat_mentions', user)} UNION ${seqs('chat_mentions', everybody)}
            UNION ${seqs('chat_concerned', user)}) AS found
            JOIN chat_messages AS messages ON messages.room = ${room.num} AND messages.seq = found.seq
            ORDER BY ${isBlocked(user)}, messages.seq DESC LIMIT ${mostUnreadMentions}`,
        take: (rows) => {
          const unread = rows.map(({ seq, by_id }) => [seq as number, by_id as string] as const);
          this.#work.unreadMentionsOf.set(key, unread);
        },
      });
    }
  }

  #askUsers(): void {
    const ids = [...this.#users].filter((id) => {
      if (this.#work.users.has(id)) return false;
      const known = this.#place.kept?.user(id);
      if (known !== undefined) this.#work.users.set(id, { row: known, before: known });
      return known === undefined;
    });
    if (ids.length === 0) return;
    const among = this.#place.dialect.each(
      ['id'],
      ids.map((id) => [id]),
    );
    this.#questions.push({
      sql: sql`SELECT id, name, acted_public, site_role FROM chat_users WHERE ${among}`,
      take: (rows) => {
        for (const id of ids) this.#work.users.set(id, { row: undefined, before: undefined });
        for (const row of rows) {
          const user: UserRecord = userFrom(row);
          this.#work.users.set(user.id, { row: user, before: user });
        }
      },
    });
  }

  /** They are locked: one belongs to one message, and what is to be deleted gets no message any more. */
  #askFiles(): void {
    const ids = [...new Set(this.#of('file').map(({ id }) => id))]
      .filter((id) => !this.#work.files.has(id))
      .sort();
    if (ids.length > 0) {
      const among = this.#place.dialect.each(
        ['id'],
        ids.map((id) => [id]),
      );
      this.#questions.push({
        sql: sql`SELECT room, ${raw(fileColumns)} FROM chat_files AS files WHERE ${among} ORDER BY id ${this.#place.dialect.lock}`,
        take: (rows) => {
          for (const id of ids) this.#work.files.set(id, null);
          for (const row of rows) {
            const file = fileFrom(row);
            this.#work.files.set(file.id, { row: file, room: row.room as number, state: 'stored' });
          }
        },
      });
    }
    const [sweep] = this.#of('doomedFiles');
    if (sweep === undefined) return;
    const { before, most } = sweep;
    const stored = new Map<string, string>();
    // The condition of the index.
    const open = raw(`state <> ${fileStates.carried}`);
    const which = [
      sql`${open} AND state = ${fileStates.dropped}`,
      sql`${open} AND state = ${fileStates.loose} AND at < ${before}`,
      sql`room IN (SELECT num FROM chat_rooms WHERE ${raw(goneRooms)})`,
    ];
    if (this.#work.deleted.length > 0) {
      which.push(
        this.#place.dialect.among(
          ['room'],
          this.#work.deleted.map((num) => [num]),
        ),
      );
    }
    const rooms = this.#work.deleted.length;
    for (const some of which) {
      this.#questions.push({
        sql: sql`SELECT id, stored FROM chat_files WHERE ${some} ORDER BY id LIMIT ${most} ${this.#place.dialect.lock}`,
        take: (rows) => {
          for (const row of rows) stored.set(row.id as string, row.stored as string);
          this.#work.doomed = { before, most, rooms, ids: [...stored.keys()], stored, shared: new Map() };
        },
      });
    }
  }

  #askEntries(): void {
    const nums = this.#of('entry').map(({ num }) => [num]);
    if (nums.length === 0) return;
    this.#questions.push({
      sql: sql`SELECT num, changes FROM chat_changes WHERE ${this.#place.dialect.each(['num'], nums)}`,
      take: (rows) => {
        for (const { num, changes } of rows) this.#work.entries.set(num as number, changes as string);
      },
    });
  }

  #askErasures(): void {
    const users = new Set(this.#of('erasing').map(({ user }) => user)).difference(
      new Set(this.#work.erasures.keys()),
    );
    if (users.size === 0) return;
    const among = this.#place.dialect.each(
      ['user_id'],
      [...users].map((user) => [user]),
    );
    this.#questions.push({
      sql: sql`SELECT ${raw(erasureColumns.join(', '))} FROM chat_erasures WHERE ${among}`,
      take: (rows) => {
        for (const user of users) this.#work.erasures.set(user, undefined);
        for (const erasure of rows.map(erasureFrom)) this.#work.erasures.set(erasure.user, erasure);
      },
    });
  }

  #askNewest(): void {
    if (this.#of('newestMessage').length === 0) return;
    this.#questions.push({
      sql: this.#place.dialect.newestMessage,
      take: ([row]) => {
        this.#work.newest = row?.num as number;
      },
    });
  }

  #roomsByNum(): Map<number, LoadedRoom> {
    return new Map(
      [...this.#work.rooms.values()].flatMap((room) => (room?.num === undefined ? [] : [[room.num, room]])),
    );
  }

  /** A room that the database has. */
  #stored(id: string): StoredRoom | undefined {
    const room = this.#work.rooms.get(id);
    return room?.num === undefined ? undefined : (room as StoredRoom);
  }
}

const idOf = (row: Row) => row.id as string;
