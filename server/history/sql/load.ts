import { otherOf, type UserRecord } from '../history.ts';
import {
  type ColumnName,
  erasureColumns,
  erasureFrom,
  fileColumns,
  fileFrom,
  fileStates,
  goneRooms,
  memberColumns,
  memberFrom,
  messageFrom,
  type Row,
  reactedFrom,
  roomRowColumns,
  roomRowFrom,
  userFrom,
  type Value,
} from '../rows.ts';
import { blocks, keyOf, rowFrom, rows as rowsIn, type Table, valuesOf } from '../tables.ts';
import { storedNameKey } from '../text-keys.ts';
import { type Asking, type Dialect, raw, type Sql, sql } from './dialect.ts';
import { loadErasureOf, loadOpenErasure } from './erasing.ts';
import { loadConsumer } from './journal.ts';
import type { Transaction } from './transaction.ts';
import {
  clientIdKey,
  type LoadedRoom,
  makerKey,
  type Need,
  openKey,
  pairKey,
  reactionsBy,
  rowsKey,
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
export function* load(
  { dialect, transaction }: { dialect: Dialect; transaction: Transaction },
  work: Work,
  asked: readonly Need[],
): Asking<void> {
  const needs = [...asked];
  for (const need of asked) {
    const place = { dialect, transaction };
    if (need.what === 'erasureOf') {
      work.erasures.set(need.user, yield* loadErasureOf(place, need.user));
    } else if (need.what === 'openErasure') {
      const { loaded, needs: more } = yield* loadOpenErasure(place);
      work.openedErasure = loaded;
      needs.push(...more);
    } else if (need.what === 'consumer') {
      const { name } = need.input;
      yield* transaction.flush();
      work.consuming = { name, loaded: yield* loadConsumer(dialect, need.input) };
    }
  }
  const byWhat = new Map<Need['what'], Need[]>();
  for (const need of needs) {
    const some = byWhat.get(need.what);
    if (some === undefined) byWhat.set(need.what, [need]);
    else some.push(need);
  }
  const of = <What extends Need['what']>(what: What) =>
    (byWhat.get(what) ?? nothing) as unknown as readonly NeedOf<What>[];
  const hasAny = (...some: readonly Need['what'][]) => some.some((what) => byWhat.has(what));
  const rooms = new Set<string>();
  for (const need of needs) {
    if (need.what === 'room') rooms.add(need.id);
    else if ('room' in need) rooms.add(need.room);
    else if (need.what === 'rows' && 'room' in need.where) rooms.add(need.where.room as string);
  }
  const members: { room: string; user: string }[] = [...of('member')];
  const messages: { room: string; seq: number }[] = [...of('message')];
  const users = new Set(of('user').map(({ id }) => id));
  const rows = [...of('rows')];

  if (hasAny(...finding)) for (const id of yield* findRooms()) rooms.add(id);
  for (const { row } of yield* lockRooms([...rooms].filter((id) => !work.rooms.has(id)))) {
    // Of a direct room who writes may have been blocked by the other side, whom the first message makes a member.
    for (const user of row.pair ?? []) {
      const other = otherOf(row.pair, user) as string;
      rows.push(rowsIn(blocks, { user, other }));
      members.push({ room: row.id, user });
      users.add(user);
    }
  }
  for (const { room } of of('lastMessage')) {
    messages.push({ room, seq: work.rooms.get(room)?.row.lastSeq ?? 0 });
  }
  const questions: Question[] = [];
  if (members.length > 0 || hasAny('owner', 'heirs')) questions.push(...askMembers());
  if (messages.length > 0 || hasAny('clientId')) questions.push(...askMessages());
  if (hasAny('reaction', 'reactors')) questions.push(...askReactions());
  if (users.size > 0) questions.push(...askUsers());
  if (rows.length > 0) questions.push(...askRows());
  if (hasAny('openReports')) questions.push(...askOpenReports());
  if (hasAny('file', 'doomedFiles')) questions.push(...askFiles());
  if (hasAny('entry')) questions.push(...askEntries());
  if (hasAny('erasing')) questions.push(...askErasures());
  if (hasAny('newestMessage')) questions.push(...askNewest());
  if (questions.length === 0) return;
  const answers = yield* transaction.queryAll(questions.map(({ sql }) => sql));
  for (const [n, { take }] of questions.entries()) take(answers[n] as Row[]);

  /** By what else than their ids rooms are asked for. @returns the ids of those rooms */
  function* findRooms(): Asking<string[]> {
    const found: string[] = [];
    const names = of('publicName').filter(({ key }) => !work.publicNames.has(key));
    if (names.length > 0) {
      const among = dialect.each(
        ['public_key'],
        names.map(({ key }) => [storedNameKey(key)]),
      );
      const rows = yield* transaction.query(sql`SELECT public_key, id FROM chat_rooms WHERE ${among}`);
      const ids = new Map(rows.map((row) => [row.public_key as string, row.id as string]));
      for (const { key } of names) work.publicNames.set(key, ids.get(storedNameKey(key)) ?? null);
      found.push(...ids.values());
    }
    const pairs = of('pair').filter(({ pair }) => !work.pairs.has(pairKey(pair)));
    if (pairs.length > 0) {
      const among = dialect.each(
        ['pair_low', 'pair_high'],
        pairs.map(({ pair }) => pair),
      );
      const rows = yield* transaction.query(
        sql`SELECT pair_low, pair_high, id FROM chat_rooms WHERE ${among}`,
      );
      for (const { pair } of pairs) work.pairs.set(pairKey(pair), null);
      for (const { pair_low, pair_high, id } of rows) {
        work.pairs.set(pairKey([pair_low as string, pair_high as string]), id as string);
        found.push(id as string);
      }
    }
    const makers = of('maker').filter(({ user, clientId }) => !work.makers.has(makerKey(user, clientId)));
    if (makers.length > 0) {
      const among = dialect.each(
        ['created_by', 'client_id'],
        makers.map(({ user, clientId }) => [user, clientId]),
      );
      const rows = yield* transaction.query(
        sql`SELECT created_by, client_id, id FROM chat_rooms WHERE ${among}`,
      );
      for (const { user, clientId } of makers) work.makers.set(makerKey(user, clientId), null);
      for (const { created_by, client_id, id } of rows) {
        work.makers.set(makerKey(created_by as string, client_id as string), id as string);
        found.push(id as string);
      }
    }
    for (const { user } of of('madeBy')) {
      if (work.madeBy.has(user)) continue;
      const rows = yield* transaction.query(
        sql`SELECT id FROM chat_rooms WHERE created_by = ${user} AND client_id IS NOT NULL`,
      );
      work.madeBy.set(user, rows.map(idOf));
    }
    for (const { before, most } of of('emptyRooms')) {
      const rows = yield* transaction.query(
        sql`SELECT id FROM chat_rooms WHERE empty_since < ${before} AND kind = 'private'
            ORDER BY empty_since, id LIMIT ${most}`,
      );
      work.emptied = { before, most, ids: rows.map(idOf) };
      found.push(...work.emptied.ids);
    }
    for (const { before, most } of of('endedRestrictions')) {
      const rows = yield* transaction.query(
        sql`SELECT rooms.id AS id, user_id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE restricted_until <= ${before} ORDER BY restricted_until, rooms.id, user_id LIMIT ${most}`,
      );
      work.ended = { before, most };
      for (const { id, user_id } of rows) {
        const [room, user] = [id as string, user_id as string];
        found.push(room);
        members.push({ room, user });
        users.add(user);
      }
    }
    const guests = of('sessionRooms').filter(({ user }) => !work.sessionRoomsOf.has(user));
    if (guests.length > 0) {
      const among = dialect.each(
        ['user_id'],
        guests.map(({ user }) => [user]),
      );
      const rows = yield* transaction.query(
        sql`SELECT user_id, rooms.id AS id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE ${among} AND ((sources | coalesce(held, 0)) & 1) <> 0`,
      );
      for (const { user } of guests) work.sessionRoomsOf.set(user, []);
      for (const [user, own] of Map.groupBy(rows, ({ user_id }) => user_id as string)) {
        work.sessionRoomsOf.set(user, own.map(idOf));
        found.push(...own.map(idOf));
        members.push(...own.map((row) => ({ room: idOf(row), user })));
      }
    }
    return found;
  }

  function* lockRooms(ids: readonly string[]): Asking<LoadedRoom[]> {
    if (ids.length === 0) return [];
    const among = dialect.each(
      ['id'],
      ids.map((id) => [id]),
    );
    const rows = yield* transaction.query(
      sql`SELECT ${raw(roomRowColumns)} FROM chat_rooms AS rooms
          WHERE ${among} ORDER BY id ${dialect.lock}`,
    );
    for (const id of ids) work.rooms.set(id, null);
    return rows.map((row) => {
      const known = roomRowFrom(row);
      const loaded: LoadedRoom = {
        num: row.num as number,
        row: known,
        stored: known,
        members: new Map(),
        messages: new Map(),
        clientIds: new Map(),
        owner: undefined,
        heirs: undefined,
      };
      work.rooms.set(loaded.row.id, loaded);
      return loaded;
    });
  }

  function* askMembers(): Generator<Question> {
    const wanted = new Map<string, { room: StoredRoom; user: string }>();
    for (const { room: id, user } of members) {
      const room = stored(id);
      if (room !== undefined && !room.members.has(user)) wanted.set(`${room.num} ${user}`, { room, user });
    }
    if (wanted.size > 0) {
      const among = dialect.each(
        ['user_id', 'room'],
        [...wanted.values()].map(({ room, user }) => [user, room.num]),
      );
      yield {
        sql: sql`SELECT room, user_id, ${raw(memberColumns)}, since, sort FROM chat_members WHERE ${among}`,
        take(rows) {
          for (const { room, user } of wanted.values()) room.members.set(user, null);
          for (const row of rows) {
            const user = row.user_id as string;
            const [member, since, sort] = [memberFrom(row), row.since as number, row.sort as string];
            const known = { row: member, since, sort };
            wanted.get(`${row.room} ${user}`)?.room.members.set(user, { ...known, stored: known });
          }
        },
      };
    }
    for (const { room: id } of of('owner')) {
      const room = stored(id);
      if (room === undefined) continue;
      yield {
        sql: sql`SELECT user_id FROM chat_members WHERE room = ${room.num} AND role = 'owner' AND ${raw(withRole)}`,
        take([row]) {
          room.owner = (row?.user_id as string | undefined) ?? null;
        },
      };
    }
    for (const { room: id, most } of of('heirs')) {
      const room = stored(id);
      if (room === undefined) continue;
      yield {
        sql: sql`SELECT user_id, role, since FROM chat_members WHERE room = ${room.num} AND ${raw(withRole)}
            ORDER BY CASE role WHEN 'moderator' THEN 0 ELSE 1 END, since, user_id LIMIT ${most}`,
        take(rows) {
          const list = rows.map(({ user_id, role, since }) => ({
            user: user_id as string,
            moderator: role === 'moderator',
            since: since as number,
          }));
          room.heirs = { list, all: rows.length < most };
        },
      };
    }
  }

  function* askMessages(): Generator<Question> {
    const columns = sql`room, ${dialect.messageColumns}, digest`;
    const bySeq: [number, number][] = [];
    for (const { room: id, seq } of messages) {
      const room = stored(id);
      if (room === undefined || room.messages.has(seq)) continue;
      room.messages.set(seq, null);
      bySeq.push([room.num, seq]);
    }
    if (bySeq.length > 0) {
      const among = dialect.each(['room', 'seq'], bySeq);
      yield { sql: sql`SELECT ${columns} FROM chat_messages AS messages WHERE ${among}`, take: keep };
    }
    const byClientId: [number, string, string][] = [];
    for (const { room: id, user, clientId } of of('clientId')) {
      const room = stored(id);
      const key = clientIdKey(user, clientId);
      if (room === undefined || room.clientIds.has(key)) continue;
      room.clientIds.set(key, null);
      byClientId.push([room.num, user, clientId]);
    }
    if (byClientId.length > 0) {
      const among = dialect.each(['room', 'user_id', 'client_id'], byClientId);
      yield { sql: sql`SELECT ${columns} FROM chat_messages AS messages WHERE ${among}`, take: keep };
    }
  }

  /** After their messages. */
  function* askReactions(): Generator<Question> {
    const wanted = new Map<string, { room: StoredRoom; seq: number; emoji: string; user: string }>();
    // No emoji has a space in it.
    const keyOf = (...parts: readonly unknown[]) => parts.join(' ');
    for (const { room: id, seq, emoji, user } of of('reaction')) {
      const room = stored(id);
      if (room === undefined || room.messages.get(seq)?.reactions.get(emoji)?.has(user)) continue;
      wanted.set(keyOf(room.num, seq, emoji, user), { room, seq, emoji, user });
    }
    if (wanted.size > 0) {
      const among = dialect.each(
        ['room', 'seq', 'emoji', 'user_id'],
        [...wanted.values()].map(({ room, seq, emoji, user }) => [room.num, seq, emoji, user]),
      );
      yield {
        sql: sql`SELECT room, seq, emoji, user_id, place FROM chat_reactions WHERE ${among}`,
        take(rows) {
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
      };
    }
    for (const { room: id, seq, emoji, most } of of('reactors')) {
      const room = stored(id);
      if (room === undefined) continue;
      yield {
        sql: sql`SELECT user_id FROM chat_reactions WHERE room = ${room.num} AND seq = ${seq} AND emoji = ${emoji}
                 ORDER BY place LIMIT ${most}`,
        take(rows) {
          const list = rows.map(({ user_id }) => user_id as string);
          room.messages.get(seq)?.reactors.set(emoji, { list, all: rows.length < most });
        },
      };
    }
  }

  function keep(rows: readonly Row[]): void {
    const byNum = roomsByNum();
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

  function* askRows(): Generator<Question> {
    const unknown = rows.filter(({ table, where }) => !work.asked.has(rowsKey(table, where)));
    const alike = ({ table, where }: NeedOf<'rows'>) => `${table.name} ${Object.keys(where).sort()}`;
    for (const some of Map.groupBy(unknown, alike).values()) {
      const { table, where } = some[0] as NeedOf<'rows'>;
      const fields = Object.keys(where).sort();
      const wanted = new Map(some.map((one) => [rowsKey(table, one.where), one.where]));
      const values: Value[][] = [];
      for (const [key, one] of wanted) {
        work.asked.add(key);
        const num = 'room' in one ? stored(one.room as string)?.num : 0;
        if (num !== undefined) values.push(valuesOf(one, fields, num));
      }
      if (values.length === 0) continue;
      const columnOf = (field: string) => table.columns[field] as ColumnName;
      const columns = raw(Object.values(table.columns).join(', '));
      const among = dialect.each(fields.map(columnOf), values);
      yield {
        sql: sql`SELECT ${columns} FROM ${raw(table.name)} WHERE ${among}`,
        take: (found) => keepRows(table, found),
      };
    }
  }

  function keepRows(table: Table, found: readonly Row[]): void {
    const known = work.rowsOf(table);
    const ids = 'room' in table.columns ? roomsByNum() : undefined;
    for (const one of found) {
      const row = rowFrom(table, one, ids?.get(one.room as number)?.row.id);
      const key = keyOf(row, table.key);
      // The state in this transaction is newer.
      if (!known.has(key)) known.set(key, { row, key: row, stored: row });
    }
  }

  function* askOpenReports(): Generator<Question> {
    for (const { room: id, from } of of('openReports')) {
      const room = stored(id);
      if (room === undefined) continue;
      yield {
        sql: sql`SELECT count(*) AS num FROM chat_reports WHERE room = ${room.num} AND seq >= ${from} AND closed IS NULL`,
        take: ([row]) => void work.openReportsIn.set(openKey(id, from), row?.num as number),
      };
    }
  }

  function* askUsers(): Generator<Question> {
    const ids = [...users].filter((id) => !work.users.has(id));
    if (ids.length === 0) return;
    const among = dialect.each(
      ['id'],
      ids.map((id) => [id]),
    );
    yield {
      sql: sql`SELECT id, name, acted_public, site_role FROM chat_users WHERE ${among}`,
      take(rows) {
        for (const id of ids) work.users.set(id, { row: undefined, before: undefined });
        for (const row of rows) {
          const user: UserRecord = userFrom(row);
          work.users.set(user.id, { row: user, before: user });
        }
      },
    };
  }

  /** They are locked: one belongs to one message, and what is to be deleted gets no message any more. */
  function* askFiles(): Generator<Question> {
    const ids = [...new Set(of('file').map(({ id }) => id))].filter((id) => !work.files.has(id)).sort();
    if (ids.length > 0) {
      const among = dialect.each(
        ['id'],
        ids.map((id) => [id]),
      );
      yield {
        sql: sql`SELECT room, ${raw(fileColumns)} FROM chat_files AS files WHERE ${among} ORDER BY id ${dialect.lock}`,
        take(rows) {
          for (const id of ids) work.files.set(id, null);
          for (const row of rows) {
            const file = fileFrom(row);
            work.files.set(file.id, { row: file, room: row.room as number, state: 'stored' });
          }
        },
      };
    }
    const [sweep] = of('doomedFiles');
    if (sweep === undefined) return;
    const { before, most } = sweep;
    const found = new Set<string>();
    // The condition of the index.
    const open = raw(`state <> ${fileStates.carried}`);
    const which = [
      sql`${open} AND state = ${fileStates.dropped}`,
      sql`${open} AND state = ${fileStates.loose} AND at < ${before}`,
      sql`room IN (SELECT num FROM chat_rooms WHERE ${raw(goneRooms)})`,
    ];
    if (work.deleted.length > 0) {
      which.push(
        dialect.among(
          ['room'],
          work.deleted.map((num) => [num]),
        ),
      );
    }
    const rooms = work.deleted.length;
    for (const some of which) {
      yield {
        sql: sql`SELECT id FROM chat_files WHERE ${some} ORDER BY id LIMIT ${most} ${dialect.lock}`,
        take(rows) {
          for (const { id } of rows) found.add(id as string);
          work.doomed = { before, most, rooms, ids: [...found] };
        },
      };
    }
  }

  function* askEntries(): Generator<Question> {
    const nums = of('entry').map(({ num }) => [num]);
    if (nums.length === 0) return;
    yield {
      sql: sql`SELECT num, changes FROM chat_changes WHERE ${dialect.each(['num'], nums)}`,
      take: (rows) => {
        for (const { num, changes } of rows) work.entries.set(num as number, changes as string);
      },
    };
  }

  function* askErasures(): Generator<Question> {
    const users = new Set(of('erasing').map(({ user }) => user)).difference(new Set(work.erasures.keys()));
    if (users.size === 0) return;
    const among = dialect.each(
      ['user_id'],
      [...users].map((user) => [user]),
    );
    yield {
      sql: sql`SELECT ${raw(erasureColumns.join(', '))} FROM chat_erasures WHERE ${among}`,
      take(rows) {
        for (const user of users) work.erasures.set(user, undefined);
        for (const erasure of rows.map(erasureFrom)) work.erasures.set(erasure.user, erasure);
      },
    };
  }

  function* askNewest(): Generator<Question> {
    if (of('newestMessage').length === 0) return;
    yield {
      sql: dialect.newestMessage,
      take([row]) {
        work.newest = row?.num as number;
      },
    };
  }

  function roomsByNum(): Map<number, LoadedRoom> {
    return new Map(
      [...work.rooms.values()].flatMap((room) => (room?.num === undefined ? [] : [[room.num, room]])),
    );
  }

  /** A room that the database has. */
  function stored(id: string): StoredRoom | undefined {
    const room = work.rooms.get(id);
    return room?.num === undefined ? undefined : (room as StoredRoom);
  }
}

const idOf = (row: Row) => row.id as string;
