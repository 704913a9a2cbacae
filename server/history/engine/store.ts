import { acted, type UserRecord } from '../history.ts';
import {
  fileFields,
  fileRow,
  fileStates,
  gone,
  holdingsOf,
  memberFields,
  memberRow,
  mentioned,
  messageFields,
  messageRow,
  roomFields,
  roomRow,
} from '../rows.ts';
import {
  arrivals,
  type ColumnName,
  type Columns,
  type Row,
  siteUsers,
  tables,
  type Value,
  valuesOf,
} from '../tables.ts';
import { findKeys, storedMemberKey } from '../text-keys.ts';
import { type Asking, type FormerText, raw, sql, without } from './dialect.ts';
import type { Place } from './transaction.ts';
import { isChanged, type LoadedRoom, type Work } from './work.ts';

type Rows = (readonly Value[])[];
/** Rows that are written: `often` if only the columns that change often have changed. */
type Changed = Record<'often' | 'all', Rows>;

/** Users with new names of one statement. */
const mostNames = 100;

/** The columns that most transactions change of a room and of a member, and that all but an erasure change of a message. */
const oftenOfRoom: Columns = ['head', 'last_seq', 'day', 'sent'];
const oftenOfMember: Columns = ['read_seq', 'acted', 'wrote_at'];
const oftenOfMessage: Columns = [
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
const roomColumns: Columns = ['num', ...roomFields];
/** The columns that no room is without. */
const neededOfRoom: Columns = [
  'id',
  'kind',
  'name',
  'head',
  'last_seq',
  'first_seq',
  'access',
  'members',
  'created_at',
];
const mentionColumns: Columns = ['room', 'user_id', 'seq'];
const holdingColumns: Columns = ['room', 'holds', 'seq'];
const reactionColumns: Columns = ['room', 'seq', 'emoji', 'user_id', 'place'];

/**
 * Writes what a transaction has put, along with its next statement: one statement a table, however many operations it
 * holds.
 */
export function* store({ dialect, transaction }: Place, work: Work): Asking<void> {
  // Before the others are made: one may be named as a deleted one was.
  for (const num of work.deleted) retire(num);
  const rooms = [...work.rooms.values()].filter((room) => room !== null);
  const made = rooms.filter(({ num }) => num === undefined);
  freeNames(rooms);
  freeClientIds(rooms);
  if (made.length > 0) yield* makeRooms({ dialect, transaction }, made);
  storeRooms(rooms, made);
  const members: Changed = { often: [], all: [] };
  const fresh: { order: number; row: readonly Value[] }[] = [];
  const changed: Changed = { often: [], all: [] };
  const former: FormerText[] = [];
  const added: Rows = [];
  const removed: Rows = [];
  const cleared: Rows = [];
  const named: Rows = [];
  const unnamed: Rows = [];
  const held: Rows = [];
  const moved: Rows = [];
  for (const room of rooms) {
    const num = room.num as number;
    for (const [user, member] of room.members) {
      if (member === null || (member.stored !== undefined && member.row === member.stored.row)) continue;
      // A user may have had another name between two operations of the transaction.
      const named = work.users.get(user);
      const sort = named === undefined ? member.sort : work.sortOf(user, member.row);
      const { stored } = member;
      const isOften =
        stored?.since === member.since &&
        stored.sort === sort &&
        isSameBut(['readSeq', 'acted', 'wroteAt'], stored.row, member.row);
      members[isOften ? 'often' : 'all'].push(memberRow(num, user, { ...member, sort }));
    }
    for (const message of room.messages.values()) {
      if (message === null || message.state === 'stored') continue;
      const row = messageRow(num, message.row, message.reacted);
      if (message.state === 'new') fresh.push({ order: message.order as number, row });
      else {
        changed[message.erased ? 'all' : 'often'].push(row);
        if (message.former !== undefined) {
          former.push({ room: num, seq: message.row.message.seq, text: message.former });
        }
      }
      const { seq, deletedAt, mentions } = message.row.message;
      if (message.state === 'new' || message.named) {
        if (message.state !== 'new') unnamed.push([num, seq]);
        for (const user of mentioned(mentions)) named.push([num, user, seq]);
      }
      if (message.state === 'new' || message.moved) {
        if (message.state !== 'new') moved.push([num, seq]);
        for (const holds of holdingsOf(message.row.message)) held.push([num, holds, seq]);
      }
      if (deletedAt !== undefined) {
        if (message.reacted !== undefined) cleared.push([num, seq]);
        continue;
      }
      for (const [emoji, users] of message.reactions) {
        for (const [user, { place, dirty }] of users) {
          if (!dirty) continue;
          const reaction = [num, seq, emoji, user];
          if (place === null) removed.push(reaction);
          else added.push([...reaction, place]);
        }
      }
    }
  }
  upsert('chat_members', ['user_id', 'room'], memberFields, members, oftenOfMember);
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
  upsert('chat_messages', ['room', 'seq'], messageFields, changed, oftenOfMessage);
  if (former.length > 0) yield* dialect.outdate(transaction, former);
  if (cleared.length > 0) {
    transaction.later(sql`DELETE FROM chat_reactions WHERE ${dialect.each(['room', 'seq'], cleared)}`);
  }
  if (removed.length > 0) {
    transaction.later(
      sql`DELETE FROM chat_reactions WHERE ${dialect.each(['room', 'seq', 'emoji', 'user_id'], removed)}`,
    );
  }
  if (added.length > 0) {
    transaction.later(
      dialect.upsert('chat_reactions', ['room', 'seq', 'emoji', 'user_id'], reactionColumns, added),
    );
  }
  if (unnamed.length > 0) {
    transaction.later(sql`DELETE FROM chat_mentions WHERE ${dialect.each(['room', 'seq'], unnamed)}`);
  }
  if (named.length > 0) transaction.later(dialect.insert('chat_mentions', mentionColumns, named));
  if (moved.length > 0) {
    transaction.later(sql`DELETE FROM chat_holdings WHERE ${dialect.each(['room', 'seq'], moved)}`);
  }
  if (held.length > 0) transaction.later(dialect.insert('chat_holdings', holdingColumns, held));
  storeUsers();
  storeTables();
  storeFiles();
  for (const statement of work.more) transaction.later(statement(dialect));

  function upsert(table: string, key: Columns, columns: Columns, { often, all }: Changed, some: Columns) {
    if (often.length > 0) transaction.later(dialect.update(table, key, columns, often, some));
    if (all.length > 0) transaction.later(dialect.upsert(table, key, columns, all));
  }

  /** Another room may take the name that one gives up, and two may change theirs. */
  function freeNames(rooms: readonly LoadedRoom[]): void {
    const renamed = rooms.filter(
      ({ num, row, stored }) => num !== undefined && row.kind === 'public' && row.name !== stored?.name,
    );
    if (renamed.length === 0) return;
    const nums = renamed.map(({ num }) => [num as number]);
    transaction.later(sql`UPDATE chat_rooms SET public_key = NULL WHERE ${dialect.each(['num'], nums)}`);
  }

  /** A room that is made may have the `clientId` of one that its maker has lost. */
  function freeClientIds(rooms: readonly LoadedRoom[]): void {
    const freed = rooms.filter(
      ({ num, row, stored }) => num !== undefined && row.clientId !== stored?.clientId,
    );
    if (freed.length === 0) return;
    const nums = freed.map(({ num }) => [num as number]);
    transaction.later(sql`UPDATE chat_rooms SET client_id = NULL WHERE ${dialect.each(['num'], nums)}`);
  }

  function storeRooms(rooms: readonly LoadedRoom[], made: readonly LoadedRoom[]): void {
    const changed = rooms.filter((room) => isChanged(room) && !made.includes(room));
    const isOften = ({ row, stored }: LoadedRoom) =>
      isSameBut(['head', 'lastSeq', 'sent'], stored ?? row, row);
    const rowsOf = (some: readonly LoadedRoom[]) =>
      some.map((room) => [room.num as number, ...roomRow(room.row)]);
    const [all = [], often = []] = [false, true].map((is) => changed.filter((room) => isOften(room) === is));
    upsert('chat_rooms', ['num'], roomColumns, { often: rowsOf(often), all: rowsOf(all) }, oftenOfRoom);
    const expired = changed.filter(({ row, stored }) => row.firstSeq !== stored?.firstSeq);
    if (expired.length > 0) {
      const nums = expired.map(({ num }) => [num as number]);
      transaction.later(sql`UPDATE chat_rooms SET expiring = 1 WHERE ${dialect.each(['num'], nums)}`);
    }
  }

  function storeUsers(): void {
    // Users who can be found from now on.
    const arrived = new Set<string>();
    for (const table of [arrivals, siteUsers]) {
      for (const { row, stored } of work.tables.get(table)?.values() ?? []) {
        if (row !== null && row !== stored) arrived.add((row as { user: string }).user);
      }
    }
    const changed = [...work.users].flatMap(([id, { row, before }]) =>
      row === undefined || (row === before && !arrived.has(id)) ? [] : [{ id, row, before }],
    );
    if (changed.length === 0) return;
    // In one order, as other servers do: fewer of them wait for each other in a circle.
    changed.sort((a, b) => (a.id < b.id ? -1 : 1));
    const rows: Rows = [];
    const keys: Rows = [];
    const keyed: Rows = [];
    const unsure: Rows = [];
    const sorted: UserRecord[] = [];
    for (const { id, row, before } of changed) {
      const { name, actedPublic, siteRole = null } = row;
      if (row !== before) rows.push([id, name, actedPublic ? 1 : 0, siteRole]);
      const isOther = name !== before?.name || actedPublic !== before.actedPublic;
      if (isOther) sorted.push(row);
      if (!isOther && !arrived.has(id)) continue;
      for (const key of findKeys({ id, name })) keys.push([key, id]);
      keyed.push([id]);
      if (!actedPublic && !arrived.has(id)) unsure.push([id]);
    }
    if (rows.length > 0) {
      transaction.later(
        dialect.upsert('chat_users', ['id'], ['id', 'name', 'acted_public', 'site_role'], rows),
      );
    }
    if (keyed.length > 0) {
      transaction.later(sql`DELETE FROM chat_user_keys WHERE ${dialect.each(['user_id'], keyed)}`);
      transaction.later(dialect.insert('chat_user_keys', ['find_key', 'user_id'], keys));
    }
    if (unsure.length > 0) {
      // A search would read the keys of people whom others have only named, and find nobody by them.
      transaction.later(
        sql`DELETE FROM chat_user_keys WHERE ${dialect.each(['user_id'], unsure)}
            AND NOT EXISTS (SELECT 1 FROM chat_arrivals AS arrivals WHERE arrivals.user_id = chat_user_keys.user_id)
            AND NOT EXISTS (SELECT 1 FROM chat_site_users AS site_users WHERE site_users.user_id = chat_user_keys.user_id)`,
      );
    }
    sortMembers(
      sorted.filter(({ actedPublic }) => actedPublic),
      acted.never,
    );
    sortMembers(
      sorted.filter(({ actedPublic }) => !actedPublic),
      acted.joined,
    );
  }

  /** In the rooms where they have shown up so far, the names of these users decide where they stand among the members. */
  function sortMembers(users: readonly UserRecord[], least: number): void {
    for (let n = 0; n < users.length; n += mostNames) {
      const some = users.slice(n, n + mostNames);
      const cases = some.map((user) => sql` WHEN ${user.id} THEN ${storedMemberKey(user, true)}`);
      const keys = {
        text: `CASE user_id${cases.map(({ text }) => text).join('')} END`,
        values: cases.flatMap(({ values }) => values),
      };
      const among = dialect.among(
        ['user_id'],
        some.map(({ id }) => [id]),
      );
      transaction.later(sql`UPDATE chat_members SET sort = ${keys} WHERE acted >= ${least} AND ${among}`);
    }
  }

  function storeFiles(): void {
    const rows: Record<'new' | 'changed', Rows> = { new: [], changed: [] };
    for (const file of work.files.values()) {
      if (file === null || file.state === 'stored') continue;
      const room = typeof file.room === 'number' ? file.room : (work.rooms.get(file.room)?.num as number);
      (rows[file.state] as (readonly Value[])[]).push(fileRow(room, file.row));
    }
    if (rows.new.length > 0) transaction.later(dialect.insert('chat_files', fileFields, rows.new));
    if (rows.changed.length > 0) {
      transaction.later(dialect.upsert('chat_files', ['id'], fileFields, rows.changed));
    }
    const among = (ids: ReadonlySet<string>) =>
      dialect.each(
        ['id'],
        [...ids].map((id) => [id]),
      );
    if (work.dropped.size > 0) {
      transaction.later(
        sql`UPDATE chat_files SET state = ${fileStates.dropped} WHERE ${among(work.dropped)}`,
      );
    }
    if (work.forgotten.size > 0) {
      transaction.later(sql`DELETE FROM chat_files WHERE ${among(work.forgotten)}`);
    }
  }

  function storeTables(): void {
    for (const [table, known] of work.tables) {
      const columnsOf = (fields: readonly string[]) =>
        fields.map((field) => table.columns[field] as ColumnName);
      const fields = Object.keys(table.columns);
      const gone: Rows = [];
      const put: Rows = [];
      for (const { row, key, stored } of known.values()) {
        if (row === stored) continue;
        const { room } = (row ?? key) as { room?: string };
        const num = room === undefined ? 0 : work.rooms.get(room)?.num;
        // Its room is deleted, and all of its rows with it.
        if (num === undefined) continue;
        if (row === null) gone.push(valuesOf(key, table.key, num));
        else put.push(valuesOf(row, fields, num));
      }
      const key = columnsOf(table.key);
      if (gone.length > 0) {
        transaction.later(sql`DELETE FROM ${raw(table.name)} WHERE ${dialect.each(key, gone)}`);
      }
      if (put.length === 0) continue;
      const columns = columnsOf(fields);
      // Where all of a row is its key, nothing of it changes.
      transaction.later(
        columns.length === key.length
          ? dialect.insertNew(table.name, columns, put)
          : dialect.upsert(table.name, key, columns, put),
      );
    }
  }

  /** A deleted room keeps nothing but its messages, which are deleted step by step: see `Background`. */
  function retire(num: number): void {
    transaction.later(sql`DELETE FROM chat_members WHERE room = ${num}`);
    for (const { name, columns } of tables) {
      if ('room' in columns) transaction.later(sql`DELETE FROM ${raw(name)} WHERE room = ${num}`);
    }
    const none = without(roomFields, neededOfRoom).map((column) => `${column} = NULL`);
    transaction.later(
      sql`UPDATE chat_rooms SET id = ${`${gone}${num}`}, kind = 'private', name = '', members = 0, ${raw(none.join(', '))}
          WHERE num = ${num}`,
    );
  }
}

/** Gives rooms that the transaction makes their numbers. */
function* makeRooms({ dialect, transaction }: Place, made: readonly LoadedRoom[]): Asking<void> {
  const rows = made.map(({ row }) => roomRow(row));
  const nums = yield* transaction.query(dialect.insert('chat_rooms', roomFields, rows, 'RETURNING num, id'));
  const byId = new Map(nums.map(({ num, id }: Row) => [id as string, num as number]));
  for (const room of made) room.num = byId.get(room.row.id);
}

/** Whether a row differs in nothing but these fields. */
function isSameBut<T extends object>(fields: readonly (keyof T)[], before: T, row: T): boolean {
  for (const name in row) if (row[name] !== before[name] && !fields.includes(name)) return false;
  for (const name in before) if (!(name in row) && !fields.includes(name)) return false;
  return true;
}
