import { acted, type UserRecord } from '../history.ts';
import {
  fileStates,
  filesColumn,
  gone,
  mentioned,
  mentionsJson,
  type Row,
  reportColumns,
  reportRow,
  restrictedOf,
  richOf,
} from '../rows.ts';
import { addTerms } from '../terms.ts';
import { findKeys, nameKey } from '../text-keys.ts';
import { blockOf } from './blocks.ts';
import { type Columns, type Dialect, sql, type Value } from './dialect.ts';
import { storedNameKey } from './load.ts';
import type { Transaction } from './transaction.ts';
import { type LoadedMessage, type LoadedRoom, type LoadedWork, storedMemberKey } from './work.ts';

type Rows = (readonly Value[])[];

/** Terms of one statement, and users with new names. */
const mostTerms = 1000;
const mostNames = 100;

const newRoomColumns: Columns = [
  'id',
  'kind',
  'name',
  'public_key',
  'topic',
  'head',
  'last_seq',
  'first_seq',
  'access',
  'members',
  'created_at',
  'created_by',
  'client_id',
  'pair_low',
  'pair_high',
  'empty_since',
  'writers',
  'slow',
  'reports',
  'reset_rev',
];
const memberColumns: Columns = [
  'room',
  'user_id',
  'sources',
  'role',
  'read_seq',
  'notify',
  'acted',
  'wrote_at',
  'has_left',
  'held',
  'restricted',
  'restricted_until',
  'since',
  'sort',
];
const messageColumns: Columns = [
  'room',
  'seq',
  'rev',
  'id',
  'client_id',
  'user_id',
  'user_name',
  'text',
  'sent_at',
  'edited_at',
  'deleted_at',
  'deleted_by',
  'reply_to',
  'rich',
  'files',
  'mentions',
  'digest',
];
const fileColumns: Columns = ['id', 'room', 'user_id', 'seq', 'state', 'at', 'about'];
const mentionColumns: Columns = ['room', 'user_id', 'seq'];
const reactionColumns: Columns = ['room', 'seq', 'emoji', 'user_id', 'place'];

/**
 * Writes what a transaction has put, along with its next statement: one statement a table, however many operations it holds.
 */
export async function store(
  { dialect, transaction }: { dialect: Dialect; transaction: Transaction },
  work: LoadedWork,
): Promise<void> {
  // Before the others are made: one may be named as a deleted one was.
  for (const num of work.deleted) retire(num);
  const rooms = [...work.rooms.values()].filter((room) => room !== null);
  await storeRooms(rooms);
  const members: Rows = [];
  const fresh: { order: number; row: readonly Value[] }[] = [];
  const changed: Rows = [];
  const former: Rows = [];
  const outdated: Rows = [];
  const added: Rows = [];
  const removed: Rows = [];
  const cleared: Rows = [];
  const named: Rows = [];
  const unnamed: Rows = [];
  for (const room of rooms) {
    const num = room.num as number;
    for (const [user, member] of room.members) {
      if (!member?.dirty) continue;
      const { sources, role, readSeq, notify = null, acted, wroteAt = null, left, held = null } = member.row;
      // A user may have had another name between two operations of the transaction.
      const named = work.users.get(user);
      const sort = named === undefined ? member.sort : work.sortOf(user, member.row);
      members.push([
        num,
        user,
        sources,
        role,
        readSeq,
        notify,
        acted,
        wroteAt,
        left ? 1 : 0,
        held,
        ...restrictedOf(member.row),
        member.since,
        sort,
      ]);
    }
    for (const message of room.messages.values()) {
      if (message === null || message.state === 'stored') continue;
      const row = messageRow(num, message);
      if (message.state === 'new') fresh.push({ order: message.order as number, row });
      else {
        changed.push(row);
        if (message.former !== undefined) {
          former.push(...termRows(num, message));
          outdated.push([num, blockOf(message.row.message.seq)]);
        }
      }
      const { seq, deletedAt, mentions } = message.row.message;
      if (message.state === 'new' || message.named) {
        if (message.state !== 'new') unnamed.push([num, seq]);
        for (const user of mentioned(mentions)) named.push([num, user, seq]);
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
  if (members.length > 0) {
    transaction.later(dialect.upsert('chat_members', ['user_id', 'room'], memberColumns, members));
  }
  if (fresh.length > 0) {
    // Of all rooms in the order in which they came: a search shows them so.
    const rows = fresh.sort((a, b) => a.order - b.order).map(({ row }) => row);
    transaction.later(dialect.insert('chat_messages', messageColumns, rows));
  }
  if (changed.length > 0) {
    transaction.later(dialect.upsert('chat_messages', ['room', 'seq'], messageColumns, changed));
  }
  if (outdated.length > 0) {
    const { length } = await transaction.query(
      sql`SELECT room FROM chat_blocks WHERE ${dialect.among(['room', 'block'], outdated)}`,
    );
    if (length > 0) outdate(outdated);
  }
  if (cleared.length > 0) {
    transaction.later(sql`DELETE FROM chat_reactions WHERE ${dialect.among(['room', 'seq'], cleared)}`);
  }
  if (removed.length > 0) {
    transaction.later(
      sql`DELETE FROM chat_reactions WHERE ${dialect.among(['room', 'seq', 'emoji', 'user_id'], removed)}`,
    );
  }
  if (added.length > 0) {
    transaction.later(
      dialect.upsert('chat_reactions', ['room', 'seq', 'emoji', 'user_id'], reactionColumns, added),
    );
  }
  if (unnamed.length > 0) {
    transaction.later(sql`DELETE FROM chat_mentions WHERE ${dialect.among(['room', 'seq'], unnamed)}`);
  }
  if (named.length > 0) transaction.later(dialect.insert('chat_mentions', mentionColumns, named));
  storeUsers();
  storeBans();
  storeBlocked();
  storeReports();
  storeFiles();
  for (const statement of work.more) transaction.later(statement(dialect));

  async function storeRooms(rooms: readonly LoadedRoom[]): Promise<void> {
    const made = rooms.filter(({ num }) => num === undefined);
    // Another room may take the name that one gives up, and two may change theirs.
    const renamed = rooms.filter(
      ({ num, row, storedName }) => num !== undefined && row.kind === 'public' && row.name !== storedName,
    );
    if (renamed.length > 0) {
      const nums = renamed.map(({ num }) => [num as number]);
      transaction.later(sql`UPDATE chat_rooms SET public_key = NULL WHERE ${dialect.among(['num'], nums)}`);
    }
    if (made.length > 0) {
      const rows = made.map(roomRow);
      const nums = await transaction.query(
        dialect.insert('chat_rooms', newRoomColumns, rows, 'RETURNING num, id'),
      );
      const byId = new Map(nums.map(({ num, id }: Row) => [id as string, num as number]));
      for (const room of made) room.num = byId.get(room.row.id);
    }
    const changed = rooms.filter((room) => room.dirty && !made.includes(room));
    if (changed.length > 0) {
      const rows = changed.map((room) => [room.num as number, ...roomRow(room)]);
      transaction.later(dialect.upsert('chat_rooms', ['num'], ['num', ...newRoomColumns], rows));
    }
    const expired = changed.filter(({ row, storedFirst }) => row.firstSeq !== storedFirst);
    if (expired.length > 0) {
      const nums = expired.map(({ num }) => [num as number]);
      transaction.later(sql`UPDATE chat_rooms SET expiring = 1 WHERE ${dialect.among(['num'], nums)}`);
    }
  }

  /** What the index for searching holds of the texts goes with them. Others in these blocks may have had the same. */
  function outdate(blocks: Rows): void {
    transaction.later(
      sql`UPDATE chat_blocks SET stale = 1 WHERE ${dialect.among(['room', 'block'], blocks)}`,
    );
    for (let n = 0; n < former.length; n += mostTerms) {
      const some = former.slice(n, n + mostTerms);
      transaction.later(sql`DELETE FROM chat_terms WHERE ${dialect.among(['room', 'term', 'block'], some)}`);
    }
  }

  function storeUsers(): void {
    const changed = [...work.users].flatMap(([id, { row, before }]) =>
      row === undefined || row === before ? [] : [{ id, row, before }],
    );
    if (changed.length === 0) return;
    // In one order, as other servers do: fewer of them wait for each other in a circle.
    changed.sort((a, b) => (a.id < b.id ? -1 : 1));
    const rows: Rows = [];
    const keys: Rows = [];
    const renamed: UserRecord[] = [];
    const sorted: UserRecord[] = [];
    for (const { id, row, before } of changed) {
      const { name, actedPublic, siteRole = null } = row;
      rows.push([id, name, actedPublic ? 1 : 0, siteRole]);
      if (name !== before?.name || actedPublic !== before.actedPublic) sorted.push(row);
      if (name === before?.name) continue;
      for (const key of findKeys({ id, name })) keys.push([key, id]);
      renamed.push(row);
    }
    transaction.later(
      dialect.upsert('chat_users', ['id'], ['id', 'name', 'acted_public', 'site_role'], rows),
    );
    if (renamed.length > 0) {
      transaction.later(
        sql`DELETE FROM chat_user_keys WHERE ${dialect.among(
          ['user_id'],
          renamed.map(({ id }) => [id]),
        )}`,
      );
      transaction.later(dialect.insert('chat_user_keys', ['find_key', 'user_id'], keys));
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

  function storeBans(): void {
    if (work.bans.size === 0) return;
    transaction.later(
      sql`DELETE FROM chat_bans WHERE ${dialect.among(
        ['user_id'],
        [...work.bans.keys()].map((user) => [user]),
      )}`,
    );
    const rows = [...work.bans].flatMap(([user, ban]) =>
      ban === null ? [] : [[user, ban.until ?? null, ban.reason ?? null]],
    );
    if (rows.length > 0) {
      transaction.later(dialect.insert('chat_bans', ['user_id', 'until', 'reason'], rows));
    }
  }

  function storeFiles(): void {
    const rows: Record<'new' | 'changed', Rows> = { new: [], changed: [] };
    for (const [id, file] of work.files) {
      if (file === null || file.state === 'stored') continue;
      const { user, seq = null, state, at, about } = file.row;
      const room = typeof file.room === 'number' ? file.room : (work.rooms.get(file.room)?.num as number);
      (rows[file.state] as (readonly Value[])[]).push([
        id,
        room,
        user,
        seq,
        fileStates[state],
        at,
        JSON.stringify(about),
      ]);
    }
    if (rows.new.length > 0) transaction.later(dialect.insert('chat_files', fileColumns, rows.new));
    if (rows.changed.length > 0) {
      transaction.later(dialect.upsert('chat_files', ['id'], fileColumns, rows.changed));
    }
    const among = (ids: ReadonlySet<string>) =>
      dialect.among(
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

  function storeReports(): void {
    const rows: Rows = [];
    for (const report of work.reports.values()) {
      const num = report?.dirty ? work.rooms.get(report.row.room)?.num : undefined;
      if (report && num !== undefined) rows.push([num, ...reportRow(report.row)]);
    }
    if (rows.length === 0) return;
    transaction.later(dialect.upsert('chat_reports', ['id'], ['room', ...reportColumns], rows));
  }

  function storeBlocked(): void {
    const changed = [...work.blocked.values()].filter(({ stored, now }) => stored !== now);
    const gone = changed.flatMap(({ user, other, stored }) => (stored === null ? [] : [[user, other]]));
    if (gone.length > 0) {
      transaction.later(sql`DELETE FROM chat_blocked WHERE ${dialect.among(['user_id', 'other_id'], gone)}`);
    }
    const rows = changed.flatMap(({ user, other, now }) => (now === null ? [] : [[user, other, now]]));
    if (rows.length > 0) {
      transaction.later(dialect.insert('chat_blocked', ['user_id', 'other_id', 'since'], rows));
    }
  }

  /** A deleted room keeps nothing but its messages, which are deleted step by step: see `Background`. */
  function retire(num: number): void {
    transaction.later(sql`DELETE FROM chat_members WHERE room = ${num}`);
    transaction.later(sql`DELETE FROM chat_reports WHERE room = ${num}`);
    transaction.later(
      sql`UPDATE chat_rooms SET id = ${`${gone}${num}`}, kind = 'private', name = '', public_key = NULL, topic = NULL,
            members = 0, created_by = NULL, client_id = NULL, pair_low = NULL, pair_high = NULL, empty_since = NULL
          WHERE num = ${num}`,
    );
  }
}

function roomRow({ row }: LoadedRoom): Value[] {
  return [
    row.id,
    row.kind,
    row.name,
    row.kind === 'public' ? storedNameKey(nameKey(row.name)) : null,
    row.topic ?? null,
    row.head,
    row.lastSeq,
    row.firstSeq,
    row.access,
    row.members,
    row.createdAt,
    row.createdBy ?? null,
    row.clientId ?? null,
    row.pair?.[0] ?? null,
    row.pair?.[1] ?? null,
    row.emptySince ?? null,
    row.write ?? null,
    row.slow ?? null,
    row.reports ?? null,
    row.reset ?? null,
  ];
}

function termRows(room: number, { row, former = '' }: LoadedMessage): Rows {
  const terms = new Set<number>();
  addTerms(terms, former);
  return [...terms].map((term) => [room, term, blockOf(row.message.seq)]);
}

function messageRow(room: number, { row: { message, digest }, reacted }: LoadedMessage): Value[] {
  return [
    room,
    message.seq,
    message.rev,
    message.id,
    message.clientId,
    message.user.id,
    message.user.name,
    message.text,
    message.sentAt,
    message.editedAt ?? null,
    message.deletedAt ?? null,
    message.deletedBy ?? null,
    message.replyTo ?? null,
    richOf(message, reacted),
    filesColumn(message),
    mentionsJson(message),
    digest,
  ];
}
