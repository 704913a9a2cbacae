import type { AuditScope, RoomRole } from '../../wire/events.ts';
import { type ErasureStage, isBeforeEnd } from '../erasure.ts';
import { allNames, FoundUsers, mostLookedThrough, namesLike, type Range, type Shown } from '../find-users.ts';
import {
  type ArrivalPlace,
  dayOf,
  everybody,
  holdings,
  type KnownRooms,
  type Membership,
  maxPageBytes,
  mostDevices,
  mostNewReplies,
  mostUnreadMentions,
  namedAuthors,
  otherOf,
  type Page,
  type Partner,
  type Reads,
  type RoomRecord,
  sizeOfHeld,
  sizeOfReport,
  type UserRecord,
} from '../history.ts';
import {
  actColumns,
  actFrom,
  changesPage,
  expiredBefore,
  expiry,
  fileColumns,
  fileFrom,
  fileStates,
  firstLeft,
  goneRooms,
  isOutdated,
  memberColumns,
  memberFrom,
  messageFrom,
  overtaken,
  ownReactionsPage,
  pageOf,
  placeFrom,
  reactorsPage,
  restrictionFrom,
  roomColumns,
  roomFrom,
  roomsLookedThrough,
  shownFrom,
  threadFrom,
  unreadMentionsFrom,
  userFrom,
} from '../rows.ts';
import { SealedCursors } from '../sealed-cursors.ts';
import {
  bans,
  devices,
  held,
  invites,
  mailAddresses,
  mailStops,
  notices,
  pins,
  type Row,
  reports,
  rowFrom,
  vapidKeys,
  webhooks,
} from '../tables.ts';
import { behindNames, findKeys, nameKey } from '../text-keys.ts';
import { messagesAt } from './change-log.ts';
import { type Asking, ask, type Dialect, raw, type Sql, sql } from './dialect.ts';

/** This many people are looked at in one go, however few of them fit. */
const mostCandidates = 2000;
/** This many messages of one user are sorted, and of a room looked through, for a page or for what is unread. */
export const mostLookedAt = 5000;
/** The newest replies of a thread that are looked at to count the new ones. The user's own do not count. */
const newestReplies = 1000;
/** Of members by name: so many at a time where not all of them fit. */
const membersAtOnce = 200;
/** Rooms in each of which the first people are looked for by one statement. */
const roomsAtOnce = 50;
/**
 * Milliseconds by which the clock of a database, whose times acts have, may be behind that of a server, whose times rooms have. It
 * may tell whole seconds. If it is further behind, the first acts of a room are not listed.
 */
const clockStep = 1000;
/** Users who are looked up by one statement. */
const usersAtOnce = 500;
/** Reactions that are looked up by one statement. */
const reactionsAtOnce = 500;

const room = raw(`num, ${roomColumns}`);
const member = raw(memberColumns);
const user = raw('id, name, acted_public, site_role');
/** The bytes of a message that come from users; its JSON has more. */
const size = raw('(octet_length(text) + coalesce(octet_length(files), 0) + coalesce(octet_length(rich), 0))');

/**
 * For each room of a user the newest by the index, as far as the user has not read. DISTINCT makes the databases look for the
 * oldest of them once, and not for each. The union has each message once. LEFT JOIN keeps MariaDB from going through all
 * messages instead.
 * @param most so many are looked at in a room: behind those of blocked users there may be others
 */
export function unreadMentions(user: string, most: number): Sql {
  const newest = (table: string, of: string) =>
    sql`SELECT mentions.room AS room, mentions.seq AS seq FROM (
          SELECT DISTINCT room, coalesce((SELECT seq FROM ${raw(table)} AS newer
            WHERE newer.room = members.room AND newer.user_id = ${of} AND newer.seq > read_seq
            ORDER BY newer.seq DESC LIMIT 1 OFFSET ${most}), read_seq) AS mark
          FROM chat_members AS members WHERE members.user_id = ${user} AND sources <> 0) AS marks
        CROSS JOIN ${raw(table)} AS mentions
        WHERE mentions.room = marks.room AND mentions.user_id = ${of} AND mentions.seq > mark`;
  return sql`SELECT room, seq, by_id FROM (
      SELECT found.room AS room, found.seq AS seq, messages.user_id AS by_id,
          row_number() OVER (PARTITION BY found.room ORDER BY ${isBlocked(user)}, found.seq DESC) AS place FROM (
        ${newest('chat_mentions', user)} UNION ${newest('chat_mentions', everybody)}
        UNION ${newest('chat_concerned', user)}) AS found
      LEFT JOIN chat_messages AS messages ON messages.room = found.room AND messages.seq = found.seq) AS numbered
    WHERE place <= ${mostUnreadMentions} ORDER BY room, seq`;
}

/** 1 for a message of somebody whom this user has blocked, else 0: such a mention must not push out one that counts. */
export const isBlocked = (user: string): Sql =>
  sql`CASE WHEN EXISTS (SELECT 1 FROM chat_blocked AS blocked
    WHERE blocked.user_id = ${user} AND blocked.other_id = messages.user_id) THEN 1 ELSE 0 END`;

const reportsWhere = raw(
  `SELECT reports.num AS num, rooms.id AS room_id, ${Object.values(reports.columns)
    .map((name) => `reports.${name} AS ${name}`)
    .join(', ')}
   FROM chat_reports AS reports JOIN chat_rooms AS rooms ON rooms.num = reports.room WHERE`,
);

const invitesWhere = raw(
  `SELECT rooms.id AS room_id, name, topic, members, ${Object.values(invites.columns)
    .map((name) => `invites.${name} AS ${name}`)
    .join(', ')}
   FROM chat_invites AS invites JOIN chat_rooms AS rooms ON rooms.num = invites.room WHERE`,
);

const heldWhere = raw(
  `SELECT held.num AS num, rooms.id AS room_id, kind, ${Object.values(held.columns)
    .map((name) => `held.${name} AS ${name}`)
    .join(', ')}
   FROM chat_held AS held JOIN chat_rooms AS rooms ON rooms.num = held.room WHERE`,
);

/** The rows of all of these statements. */
const inOneAnswer = (statements: readonly Sql[]): Sql => ({
  text: statements.map(({ text }, n) => `SELECT * FROM (${text}) AS some_${n}`).join(' UNION ALL '),
  values: statements.flatMap(({ values }) => values),
});

const inviteFrom = (row: Row) => rowFrom(invites, row, row.room_id as string);

const heldFrom = (row: Row) => rowFrom(held, row, row.room_id as string);

const reportFrom = (row: Row) => rowFrom(reports, row, row.room_id as string);

type Query = Exclude<keyof Reads, 'search'>;
export type Queries = { [Q in Query]: (input: Reads[Q]['in']) => Asking<Reads[Q]['out']> };

/**
 * The reads of the history. Searching is apart: each database has an index of its own for it.
 * @param digestKey is kept with the history
 */
export function queriesOf(dialect: Dialect, digestKey: Uint8Array): Queries {
  const reportCursors = new SealedCursors(digestKey, 'report');
  const actCursors = new SealedCursors(digestKey, 'act');
  const heldCursors = new SealedCursors(digestKey, 'held');
  const message = dialect.messageColumns;
  const amongUsers = (column: 'id' | 'user_id' | 'author_id', ids: readonly string[]) =>
    dialect.among(
      [column],
      ids.map((id) => [id]),
    );
  const numOf = (id: string) => sql`(SELECT num FROM chat_rooms WHERE id = ${id})`;

  /** A list of the rooms that a user may know of. */
  const knownRooms = ({ rooms, except }: KnownRooms): Sql => {
    const among = (ids: readonly string[]) =>
      dialect.among(
        ['id'],
        ids.map((id) => [id]),
      );
    const open = except.length === 0 ? raw("kind = 'public'") : sql`kind = 'public' AND NOT ${among(except)}`;
    const own = rooms.length === 0 ? raw('') : sql` OR ${among(rooms)}`;
    return sql`(SELECT num, id AS room_id, name, kind, first_seq, last_seq, day, sent FROM chat_rooms WHERE ${open}${own})`;
  };

  /**
   * The messages of a user that are left in these rooms. The index is asked room by room: the site may have written some for
   * somebody who has never been a member there.
   */
  const writtenIn = (known: KnownRooms, id: string): Sql =>
    sql`${knownRooms(known)} AS rooms CROSS JOIN chat_messages AS messages ${dialect.by('chat_messages_by_author')}
        WHERE messages.room = rooms.num AND messages.user_id = ${id} AND seq >= first_seq AND deleted_at IS NULL`;

  const inRooms = (ids: readonly string[]): Sql =>
    dialect.among(
      ['room_id'],
      ids.map((id) => [id]),
    );

  /** Acts in private rooms of the asker, without those in a former room of the same id, which was others'. */
  const actsInOwn = (ids: readonly string[]): Sql =>
    sql`${inRooms(ids)} AND NOT EXISTS (
          SELECT 1 FROM chat_rooms AS rooms WHERE rooms.id = room_id AND rooms.created_at > at + ${clockStep})`;

  const countUpTo = function* (most: number, some: Sql): Asking<number> {
    const [row] = yield* ask(sql`SELECT count(*) AS num FROM (${some} LIMIT ${most}) AS found`);
    return row?.num as number;
  };

  const notExpired = (id: string) => sql`seq >= (SELECT first_seq FROM chat_rooms WHERE id = ${id})`;

  return {
    *publicRooms() {
      return yield* withLast(yield* ask(sql`SELECT ${room} FROM chat_rooms AS rooms WHERE kind = 'public'`));
    },
    *bans() {
      const rows = yield* ask(raw(`SELECT ${Object.values(bans.columns).join(', ')} FROM chat_bans`));
      return rows.map((row) => {
        const { user, ...ban } = rowFrom(bans, row);
        return { user, ban };
      });
    },
    *acts({ of, by, scope, before = Number.MAX_SAFE_INTEGER, limit }) {
      const page = (which: Sql) =>
        sql`SELECT num, ${raw(actColumns.join(', '))} FROM chat_audit WHERE ${which} num < ${before}
            ORDER BY num DESC LIMIT ${limit + 1}`;
      const rows = yield* ask(
        of === undefined
          ? page(sql`${by === undefined ? raw('') : sql`by_id = ${by} AND`} ${inScope(scope)}`)
          : sql`SELECT * FROM (${page(sql`by_id = ${of.user} AND`)}) AS one
                UNION SELECT * FROM (${page(sql`user_id = ${of.user} AND ${knownActs(of)} AND`)}) AS other
                ORDER BY num DESC LIMIT ${limit + 1}`,
      );
      const acts = rows.slice(0, limit);
      const next = acts.length < rows.length ? { next: acts.at(-1)?.num as number } : {};
      return { acts: acts.map(actFrom), ...next };
    },
    *report({ id }) {
      const [row] = yield* ask(sql`${reportsWhere} reports.id = ${id} AND seq >= first_seq`);
      return row === undefined ? null : reportFrom(row);
    },
    *reports({ rooms, except = [], from, limit }) {
      const before = reportCursors.numberOf(from);
      if (rooms?.length === 0) return { reports: [] };
      const among = (ids: readonly string[]) =>
        sql`reports.room IN (SELECT num FROM chat_rooms WHERE ${dialect.among(
          ['id'],
          ids.map((id) => [id]),
        )})`;
      const all = except.length === 0 ? raw('1 = 1') : sql`NOT (${among(except)})`;
      const which = rooms === null ? all : among(rooms);
      const rows = yield* ask(
        sql`${reportsWhere} ${which} AND reports.num < ${before} AND closed IS NULL AND seq >= first_seq
            ORDER BY reports.num DESC LIMIT ${limit + 1}`,
      );
      return reportsPage(rows, limit);
    },
    *reportsOf({ room, seq, limit }) {
      const rows = yield* ask(
        sql`${reportsWhere} reports.room = ${numOf(room)} AND seq = ${seq} AND closed IS NULL AND seq >= first_seq
            ORDER BY reports.num DESC LIMIT ${limit}`,
      );
      return reportsPage(rows, limit).reports;
    },
    *reportsBy({ user, from, limit }) {
      const before = reportCursors.numberOf(from);
      const rows = yield* ask(
        sql`${reportsWhere} by_id = ${user} AND reports.num < ${before} AND seq >= first_seq
            ORDER BY reports.num DESC LIMIT ${limit + 1}`,
      );
      return reportsPage(rows, limit);
    },
    *held({ id }) {
      const [row] = yield* ask(sql`${heldWhere} held.id = ${id}`);
      return row === undefined ? null : heldFrom(row);
    },
    *heldBy({ user }) {
      return (yield* ask(sql`${heldWhere} user_id = ${user} ORDER BY held.num`)).map(heldFrom);
    },
    *heldIn({ rooms, everyPublic, except = [], from, limit }) {
      const before = heldCursors.numberOf(from);
      const among = (ids: readonly string[]) =>
        ids.length === 0
          ? raw('1 = 0')
          : dialect.each(
              ['room_id'],
              ids.map((id) => [id]),
            );
      const open = everyPublic ? sql`(kind = 'public' AND NOT (${among(except)}))` : raw('1 = 0');
      const rows = yield* ask(
        sql`SELECT * FROM (${heldWhere} held.num < ${before} AND closed IS NULL) AS waiting
            WHERE ${among(rooms)} OR ${open} ORDER BY num DESC LIMIT ${limit + 1}`,
      );
      const { page, ...next } = sizedPage(rows, limit, {
        from: heldFrom,
        size: sizeOfHeld,
        cursors: heldCursors,
      });
      return { held: page, ...next };
    },
    *heldBefore({ before, limit }) {
      const rows = yield* ask(sql`${heldWhere} at < ${before} ORDER BY at LIMIT ${limit}`);
      return rows.map(heldFrom).map(({ room, id }) => ({ room, id }));
    },
    *hasWritten({ user, room }) {
      // An erasure leaves the rooms of its user without a maker; their ids stay those of users' rooms.
      const ofSite = raw("created_by IS NULL AND substr(id, 1, 2) <> 'u-'");
      // The rooms of the user come before all public ones: they are few, and answer for most users.
      for (const some of [
        sql`id = ${room}`,
        sql`${ofSite} AND kind <> 'direct' AND num IN (
              SELECT room FROM chat_members WHERE user_id = ${user} AND sources <> 0)`,
        sql`${ofSite} AND kind = 'public' AND num NOT IN (
              SELECT room FROM chat_members WHERE user_id = ${user} AND held IS NOT NULL)`,
      ]) {
        const rows = yield* ask(
          sql`SELECT 1 AS num FROM (SELECT num FROM chat_rooms WHERE ${some}) AS rooms
              CROSS JOIN chat_messages AS messages ${dialect.by('chat_messages_by_author')}
              WHERE messages.room = rooms.num AND messages.user_id = ${user} AND deleted_at IS NULL LIMIT 1`,
        );
        if (rows.length > 0) return true;
      }
      return false;
    },
    *restrictions() {
      const rows = yield* ask(
        sql`SELECT rooms.id AS id, user_id, restricted FROM chat_members AS members
            JOIN chat_rooms AS rooms ON rooms.num = members.room WHERE restricted_until > 0`,
      );
      return rows.map(({ id, ...row }) => restrictionFrom({ ...row, room: id }));
    },
    *room({ room: id, bare }) {
      const rows = yield* ask(sql`SELECT ${room} FROM chat_rooms AS rooms WHERE id = ${id}`);
      if (bare) return rows.map(roomFrom)[0] ?? null;
      return (yield* withLast(rows))[0] ?? null;
    },
    *siteUsers({ ids }) {
      if (ids.length === 0) return [];
      const rows = yield* ask(sql`SELECT user_id FROM chat_site_users WHERE ${amongUsers('user_id', ids)}`);
      return rows.map(({ user_id }) => user_id as string);
    },
    *arrival({ user: id }) {
      const [row] = yield* ask(
        sql`SELECT ${user}, at FROM chat_arrivals JOIN chat_users AS users ON users.id = user_id WHERE user_id = ${id}`,
      );
      return row === undefined ? null : { user: userFrom(row), at: row.at as number };
    },
    *arrivals({ query, after, limit }) {
      const rows = yield* ask(
        query === undefined ? lastArrived(after, limit) : foundArrived(query, after, limit),
      );
      const users = rows.slice(0, limit);
      const last = users.at(-1);
      const place = last && { key: (query === undefined ? last.at : last.sort) as number | string };
      return {
        users: users.map(userFrom),
        ...(users.length < rows.length && place ? { next: { ...place, user: last.id as string } } : {}),
      };
    },
    *arrived({ most }) {
      const [row] = yield* ask(
        sql`SELECT count(*) AS num FROM (SELECT at FROM chat_arrivals WHERE at >= 0 LIMIT ${most}) AS found`,
      );
      return row?.num as number;
    },
    *openReportsAbout({ users, ...known }) {
      if (users.length === 0) return [];
      const rows = yield* ask(
        sql`SELECT author_id, count(*) AS num FROM chat_reports AS reports
            JOIN ${knownRooms(known)} AS rooms ON rooms.num = reports.room
            WHERE ${amongUsers('author_id', users)} AND closed IS NULL AND seq >= first_seq GROUP BY author_id`,
      );
      return rows.map(({ author_id, num }) => ({ user: author_id as string, reports: num as number }));
    },
    *reportsAbout({ user: id, limit, ...known }) {
      const rows = yield* ask(
        sql`${reportsWhere} author_id = ${id} AND seq >= first_seq AND EXISTS (
              SELECT 1 FROM ${knownRooms(known)} AS known WHERE known.num = reports.room)
            ORDER BY reports.num DESC LIMIT ${limit}`,
      );
      return reportsPage(rows, limit).reports;
    },
    *activity({ user: id, most, mostRooms, ...known }) {
      const rooms = knownRooms(known);
      const [said] = yield* ask(
        sql`SELECT count(*) AS num, min(room_id) AS room, max(room_id) AS other_id FROM (
              SELECT room_id FROM ${writtenIn(known, id)} LIMIT ${most}) AS found`,
      );
      const messages = said?.num as number;
      const isOne = messages > 0 && messages < most && said?.room === said?.other_id;
      const reports = yield* countUpTo(
        most,
        sql`SELECT seq FROM chat_reports AS reports JOIN ${rooms} AS rooms ON rooms.num = reports.room
            WHERE by_id = ${id} AND seq >= first_seq`,
      );
      const rows = yield* ask(
        sql`SELECT room_id, name, kind, role FROM chat_members AS members
            JOIN ${rooms} AS rooms ON rooms.num = members.room
            WHERE user_id = ${id} AND sources <> 0 ORDER BY rooms.num LIMIT ${mostRooms}`,
      );
      const removed = yield* countUpTo(
        most,
        sql`SELECT num FROM chat_audit
            WHERE user_id = ${id} AND act = 'message_deleted' AND ${shownActs(known)}`,
      );
      return {
        messages,
        ...(isOne ? { onlyIn: said?.room as string } : {}),
        reports,
        removed,
        rooms: rows.map(({ room_id, name, kind, role }) => ({
          room: room_id as string,
          name: name as string,
          kind: kind as 'public' | 'private',
          role: role as RoomRole,
        })),
      };
    },
    *filesAndReactions({ user: id, most, ...known }) {
      const said = sql`(SELECT messages.room AS room, seq FROM ${writtenIn(known, id)} AND files IS NOT NULL)`;
      return {
        files: yield* countUpTo(
          most,
          sql`SELECT carried.seq FROM ${said} AS said CROSS JOIN chat_files AS carried
              WHERE carried.room = said.room AND carried.seq = said.seq AND carried.state = ${fileStates.carried}`,
        ),
        reactions: yield* countUpTo(
          most,
          sql`SELECT seq FROM ${knownRooms(known)} AS rooms CROSS JOIN chat_reactions AS reactions
              WHERE reactions.room = rooms.num AND user_id = ${id} AND seq >= first_seq`,
        ),
      };
    },
    *recentOf({ user: id, since, most, ...known }) {
      const day = dayOf(since);
      // The messages of these days are the last ones of the room.
      const first = sql`last_seq - coalesce(CASE WHEN day >= ${day} THEN sent END, 0)
        - coalesce((SELECT sum(days.sent) FROM chat_days AS days WHERE days.room = rooms.num AND days.day >= ${day}), 0)`;
      const rows = yield* ask(
        sql`SELECT room_id, seq, messages.id AS id FROM ${writtenIn(known, id)} AND day >= ${day} AND seq > ${first} AND sent_at >= ${since}
            ORDER BY sent_at DESC LIMIT ${most}`,
      );
      return rows.map(({ room_id, seq, id: is }) => ({
        room: room_id as string,
        seq: seq as number,
        id: is as string,
      }));
    },
    *actsIn({ rooms, except, scope, from, limit }) {
      const before = actCursors.numberOf(from);
      const columns = raw(`num, ${actColumns.join(', ')}`);
      const hidden = except.length === 0 ? raw('') : sql`AND (room_id IS NULL OR NOT ${inRooms(except)})`;
      const end = sql`${inScope(scope)} num < ${before} ORDER BY num DESC LIMIT ${limit + 1}`;
      const open = sql`SELECT * FROM (SELECT ${columns} FROM chat_audit WHERE shown = 1 ${hidden} AND ${end}) AS one`;
      const own = sql`SELECT * FROM (SELECT ${columns} FROM chat_audit WHERE ${actsInOwn(rooms)} AND shown IS NULL AND ${end}) AS other`;
      const rows = yield* ask(
        sql`${open} ${rooms.length === 0 ? raw('') : sql`UNION ALL ${own}`} ORDER BY num DESC LIMIT ${limit + 1}`,
      );
      const acts = rows.slice(0, limit);
      const next = acts.length < rows.length ? { next: actCursors.of(acts.at(-1)?.num as number) } : {};
      return { acts: acts.map(actFrom), ...next };
    },
    *decisionsBy({ user: id, since, most, ...known }) {
      const [row] = yield* ask(
        sql`SELECT count(*) AS num FROM (
              SELECT act, at, room_id, shown FROM chat_audit WHERE by_id = ${id} ORDER BY num DESC LIMIT ${most}) AS found
            WHERE at >= ${since} AND act IN ('report_closed', 'approved', 'rejected')
              AND ${shownActs(known)}`,
      );
      return row?.num as number;
    },
    *recentlyHere({ since, users }) {
      const count = function* (which: Sql): Asking<number> {
        const [row] = yield* ask(
          sql`SELECT count(*) AS num FROM chat_last_here WHERE at >= ${since} AND hidden IS NULL ${which}`,
        );
        return row?.num as number;
      };
      let among = 0;
      for (let n = 0; n < users.length; n += usersAtOnce) {
        among += yield* count(sql`AND ${amongUsers('user_id', users.slice(n, n + usersAtOnce))}`);
      }
      return { all: yield* count(raw('')), among };
    },
    *messagesByDay({ from, ...known }) {
      const rooms = knownRooms(known);
      const rows = yield* ask(
        sql`SELECT day, sum(sent) AS num FROM (
              SELECT days.day AS day, days.sent AS sent FROM chat_days AS days JOIN ${rooms} AS rooms ON rooms.num = days.room
                WHERE days.day >= ${from}
              UNION ALL SELECT day, sent FROM ${rooms} AS rooms WHERE day >= ${from}) AS found
            GROUP BY day ORDER BY day`,
      );
      return rows.map(({ day, num }) => ({ day: day as number, messages: Number(num) }));
    },
    *messagesIn({ rooms, from }) {
      if (rooms.length === 0) return [];
      const asked = dialect.among(
        ['id'],
        rooms.map((id) => [id]),
      );
      const rows = yield* ask(
        sql`SELECT id, coalesce(CASE WHEN day >= ${from} THEN sent END, 0)
              + coalesce((SELECT sum(days.sent) FROM chat_days AS days WHERE days.room = rooms.num AND days.day >= ${from}), 0) AS num
            FROM chat_rooms AS rooms WHERE ${asked} ORDER BY rooms.num`,
      );
      return rows.map(({ id, num }) => ({ room: id as string, messages: Number(num) }));
    },
    *filesIn({ rooms, most }) {
      if (rooms.length === 0) return [];
      const asked = dialect.among(
        ['id'],
        rooms.map((id) => [id]),
      );
      // A single statement for all of them could not stop in a large room.
      const there = yield* ask(sql`SELECT num, id, first_seq FROM chat_rooms WHERE ${asked} ORDER BY num`);
      const sums = yield there.map(
        ({ num, first_seq }) =>
          sql`SELECT count(*) AS files, coalesce(sum(size), 0) AS num FROM (
                SELECT size FROM chat_files WHERE room = ${num as number} AND state = ${fileStates.carried}
                  AND seq >= ${first_seq as number} LIMIT ${most + 1}) AS found`,
      );
      return sums.flat().map(({ files, num }, n) => ({
        room: there[n]?.id as string,
        bytes: Number(num),
        more: Number(files) > most,
      }));
    },
    *filesInAll({ most, ...known }) {
      // By the index on their sizes alone.
      const [row] = yield* ask(
        sql`SELECT count(*) AS files, coalesce(sum(size), 0) AS num FROM (
              SELECT size FROM ${knownRooms(known)} AS rooms CROSS JOIN chat_files WHERE room = rooms.num
                AND state = ${fileStates.carried} AND seq >= first_seq LIMIT ${most + 1}) AS found`,
      );
      return { bytes: Number(row?.num), more: Number(row?.files) > most };
    },
    *invites({ room }) {
      return (yield* ask(sql`${invitesWhere} rooms.id = ${room} ORDER BY at DESC, invites.id`)).map(
        inviteFrom,
      );
    },
    *invitesBy({ user }) {
      return (yield* ask(sql`${invitesWhere} by_id = ${user} ORDER BY at, invites.id`)).map(inviteFrom);
    },
    *invite({ digest, user }) {
      const [row] = yield* ask(sql`${invitesWhere} digest = ${digest}`);
      // The same statements, whether there is such a link or not.
      const invite = row && inviteFrom(row);
      const { id = '', by = '' } = { id: invite?.room, by: invite?.by };
      const members = yield* ask(
        sql`SELECT user_id, ${member} FROM chat_members WHERE room = ${numOf(id)} AND ${amongUsers('user_id', [user, by])}`,
      );
      const maker = (yield* usersOf([by])).get(by);
      if (invite === undefined) return null;
      const of = (id: string) => {
        const found = members.find(({ user_id }) => user_id === id);
        return found === undefined ? null : memberFrom(found);
      };
      const { name, topic = null, members: count } = row as Row;
      return {
        invite,
        room: {
          name: name as string,
          ...(topic === null ? {} : { topic: topic as string }),
          members: count as number,
        },
        member: of(user),
        maker: { member: of(by), ...(maker?.siteRole === undefined ? {} : { siteRole: maker.siteRole }) },
      };
    },
    *lastHere({ user, asker }) {
      const [row] = yield* ask(sql`SELECT at, hidden FROM chat_last_here WHERE user_id = ${user}`);
      const [blocked] = yield* ask(
        sql`SELECT since FROM chat_blocked WHERE (user_id = ${user} AND other_id = ${asker})
            OR (user_id = ${asker} AND other_id = ${user}) LIMIT 1`,
      );
      const hidden = row?.hidden === 1;
      const isKnown = row !== undefined && !hidden && blocked === undefined;
      return { ...(isKnown ? { at: row.at as number } : {}), hidden };
    },
    *notices({ user }) {
      const [row] = yield* ask(
        sql`SELECT ${raw(Object.values(notices.columns).join(', '))} FROM chat_notices WHERE user_id = ${user}`,
      );
      const [acted] = yield* ask(sql`SELECT at FROM chat_active WHERE user_id = ${user}`);
      const notified = yield* ask(
        sql`SELECT rooms.id AS room_id, at, at_before FROM chat_notified AS notified
            JOIN chat_rooms AS rooms ON rooms.num = notified.room WHERE user_id = ${user}`,
      );
      const [last] = yield* ask(sql`SELECT at FROM chat_last_notified WHERE user_id = ${user}`);
      return {
        notices: row === undefined ? {} : rowFrom(notices, row),
        ...(acted === undefined ? {} : { activeAt: acted.at as number }),
        notified: notified.map(({ room_id, at, at_before }) => ({
          ...{ room: room_id as string, at: at as number },
          ...(at_before === null ? {} : { before: at_before as number }),
        })),
        ...(last === undefined ? {} : { lastNotified: last.at as number }),
      };
    },
    *withDevices({ users }) {
      if (users.length === 0) return [];
      const rows = yield* ask(
        sql`SELECT DISTINCT user_id FROM chat_devices WHERE ${amongUsers('user_id', users)}`,
      );
      return rows.map(({ user_id }) => user_id as string);
    },
    *namedOutside({ user: id, since }) {
      // By the index of the user, and messages are looked at only where the user is no member.
      const found = yield* ask(
        sql`SELECT mentions.room AS room, mentions.seq AS seq, messages.user_id AS by_id FROM chat_mentions AS mentions
            CROSS JOIN chat_rooms AS rooms CROSS JOIN chat_messages AS messages
            WHERE mentions.user_id = ${id} AND rooms.num = mentions.room AND kind = 'public'
              AND messages.room = mentions.room AND messages.seq = mentions.seq AND sent_at >= ${since}
              AND NOT EXISTS (SELECT 1 FROM chat_members AS members WHERE members.room = mentions.room
                AND members.user_id = mentions.user_id
                AND (sources <> 0 OR read_seq >= mentions.seq OR held IS NOT NULL OR notify = 'none'))
              AND messages.user_id <> mentions.user_id
              AND NOT EXISTS (SELECT 1 FROM chat_blocked AS blocked
                WHERE blocked.user_id = mentions.user_id AND other_id = messages.user_id)
            ORDER BY sent_at DESC LIMIT ${mostUnreadMentions}`,
      );
      if (found.length === 0) return [];
      const mentions = Map.groupBy(found.reverse(), (one) => one.room as number);
      const among = dialect.among(
        ['num'],
        [...mentions.keys()].map((num) => [num]),
      );
      const rows = yield* ask(
        sql`SELECT ${room}, ${member} FROM chat_rooms AS rooms
            LEFT JOIN chat_members AS members ON members.room = rooms.num AND members.user_id = ${id} WHERE ${among}`,
      );
      return (yield* withLast(rows)).map((room, n) => {
        const row = rows[n] as Row;
        return {
          room,
          ...(row.sources === null ? {} : { member: memberFrom(row) }),
          mentions: unreadMentionsFrom(mentions.get(row.num as number) ?? []),
        };
      });
    },
    *isNamed({ room, user }) {
      const rows = yield* ask(
        sql`SELECT 1 AS num FROM chat_mentions AS mentions WHERE room = ${numOf(room)} AND user_id = ${user}
              AND seq > coalesce((SELECT read_seq FROM chat_members WHERE room = ${numOf(room)} AND user_id = ${user}), 0)
            LIMIT 1`,
      );
      return rows.length > 0;
    },
    *openedBy({ user }) {
      const rows = yield* ask(
        sql`SELECT id, read_seq FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE user_id = ${user} AND sources = 0 AND read_seq > 0 AND held IS NULL AND kind = 'public'`,
      );
      return rows.map(({ id, read_seq }) => ({ room: id as string, readSeq: read_seq as number }));
    },
    *concernedMembers({ room, everyone, after, limit }) {
      // In private and direct rooms people hear of each message unless they have chosen something else.
      const wants = everyone
        ? sql`(members.notify IS NULL OR members.notify <> 'none')`
        : sql`(members.notify = 'all' OR (members.notify IS NULL AND kind <> 'public'))`;
      const rows = yield* ask(
        sql`SELECT members.user_id AS user_id FROM chat_rooms AS rooms
            JOIN chat_members AS members ON members.room = rooms.num
            WHERE rooms.id = ${room} AND sources <> 0 AND members.user_id > ${after}
              AND read_seq < last_seq AND ${wants}
              AND (EXISTS (SELECT 1 FROM chat_devices AS devices WHERE devices.user_id = members.user_id) OR NOT EXISTS (
                SELECT 1 FROM chat_notified AS notified WHERE notified.room = members.room
                  AND notified.user_id = members.user_id AND notified.at >= coalesce(
                    (SELECT active.at FROM chat_active AS active WHERE active.user_id = members.user_id), 0)))
            ORDER BY members.user_id LIMIT ${limit}`,
      );
      const users = rows.map(({ user_id }) => user_id as string);
      const next = users.length === limit ? users.at(-1) : undefined;
      return { users, ...(next === undefined ? {} : { next }) };
    },
    *partner({ user, other, room }) {
      const found = yield* partners(user, [{ other, room }]);
      return found.get(other) as Partner;
    },
    *user({ user: id }) {
      const [known] = yield* ask(sql`SELECT ${user} FROM chat_users WHERE id = ${id}`);
      const [arrival] = yield* ask(sql`SELECT at FROM chat_arrivals WHERE user_id = ${id}`);
      const rows = yield* ask(
        sql`SELECT ${room}, ${member}, since
            FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE user_id = ${id} AND sources <> 0`,
      );
      const rooms = yield* withLast(rows);
      const others = rooms.flatMap(({ id: room, pair }) => {
        const other = otherOf(pair, id);
        return other === undefined ? [] : [{ room, other }];
      });
      const sides = yield* partners(id, others);
      const unread = rooms.some(({ lastSeq }, n) => lastSeq > (rows[n]?.read_seq as number));
      const blocked = (yield* ask(
        sql`SELECT other_id FROM chat_blocked WHERE user_id = ${id} ORDER BY since DESC, other_id`,
      )).map(({ other_id }) => other_id as string);
      const most = blocked.length === 0 ? mostUnreadMentions : mostLookedAt;
      const mentions = Map.groupBy(unread ? yield* ask(unreadMentions(id, most)) : [], (one) => one.room);
      const memberships = rooms.map((room, n): Membership => {
        const other = otherOf(room.pair, id);
        const partner = other === undefined ? undefined : sides.get(other);
        const row = rows[n] as Row;
        return {
          room,
          member: memberFrom(row),
          since: row.since as number,
          mentions: unreadMentionsFrom(mentions.get(row.num as number) ?? []),
          ...(partner === undefined ? {} : { partner }),
        };
      });
      return {
        user: known === undefined ? null : userFrom(known),
        memberships,
        blocked,
        arrived: arrival !== undefined,
      };
    },
    *messages({ places }) {
      return yield* messagesAt(dialect, places);
    },
    *mailAddress({ user }) {
      const [row] = yield* ask(
        sql`SELECT ${raw(Object.values(mailAddresses.columns).join(', '))} FROM chat_mail_addresses WHERE user_id = ${user}`,
      );
      return row === undefined ? { user } : rowFrom(mailAddresses, row);
    },
    *mailStop({ id }) {
      const [row] = yield* ask(
        sql`SELECT ${raw(Object.values(mailStops.columns).join(', '))} FROM chat_mail_stops WHERE id = ${id}`,
      );
      return row === undefined ? null : rowFrom(mailStops, row);
    },
    *devices({ user }) {
      const found = yield* ask(
        sql`SELECT ${raw(Object.values(devices.columns).join(', '))} FROM chat_devices WHERE user_id = ${user}
            ORDER BY at DESC, id LIMIT ${mostDevices}`,
      );
      return found.map((row) => rowFrom(devices, row));
    },
    *vapidKeys() {
      const found = yield* ask(
        raw(`SELECT ${Object.values(vapidKeys.columns).join(', ')} FROM chat_vapid_keys ORDER BY at, id`),
      );
      return found.map((row) => rowFrom(vapidKeys, row));
    },
    *events({ limit }) {
      const [waiting] = yield* ask(raw('SELECT count(*) AS num FROM chat_webhooks WHERE due IS NOT NULL'));
      const failed = yield* ask(
        sql`SELECT ${raw(Object.values(webhooks.columns).join(', '))} FROM chat_webhooks WHERE due IS NULL
            ORDER BY at DESC, id LIMIT ${limit}`,
      );
      return {
        waiting: (waiting?.num as number | undefined) ?? 0,
        failed: failed.map((row) => rowFrom(webhooks, row)),
      };
    },
    *users({ ids }) {
      const known = yield* usersOf(ids);
      return ids.flatMap((id) => known.get(id) ?? []);
    },
    *unerased({ user: id }) {
      // In this order: the erasure may come to its end meanwhile.
      const [erasure] = yield* ask(sql`SELECT stage FROM chat_erasures WHERE user_id = ${id}`);
      const known = yield* usersOf([id]);
      const isErased = erasure !== undefined && isBeforeEnd({ stage: erasure.stage as ErasureStage });
      return isErased ? null : (known.get(id) ?? null);
    },
    *membersOf({ room, users }) {
      if (users.length === 0) return [];
      const rows = yield* ask(
        sql`SELECT user_id, ${member} FROM chat_members
            WHERE room = ${numOf(room)} AND ${amongUsers('user_id', users)}`,
      );
      const known = new Map(rows.map((row) => [row.user_id as string, memberFrom(row)]));
      return users.map((user) => known.get(user) ?? null);
    },
    *members({ room, query, after = { sort: '', id: '' }, limit }) {
      const beginning = query === undefined ? undefined : nameKey(query);
      const members: Reads['members']['out']['members'] = [];
      const num = numOf(room);
      let place = after;
      for (let looked = 0; ; ) {
        const most = beginning === undefined ? limit + 1 : membersAtOnce;
        const rows = yield* ask(
          sql`SELECT user_id AS id, coalesce(users.name, user_id) AS name, coalesce(acted_public, 0) AS acted_public,
                site_role, sort, ${member}
              FROM chat_members AS members LEFT JOIN chat_users AS users ON users.id = members.user_id
              WHERE room = ${num} AND sources <> 0
                AND sort >= ${place.sort} AND (sort > ${place.sort} OR user_id > ${place.id})
              ORDER BY sort, user_id LIMIT ${most}`,
        );
        for (const row of rows) {
          if (members.length === limit || looked === mostCandidates) return { members, next: place };
          looked++;
          const found = userFrom(row);
          place = { sort: row.sort as string, id: found.id };
          if (beginning !== undefined && !findKeys(found).some((key) => key.startsWith(beginning))) continue;
          members.push({ user: found, member: memberFrom(row), place });
        }
        if (rows.length < most) return { members };
      }
    },
    *hasBlocked({ user, other }) {
      const rows = yield* ask(
        sql`SELECT since FROM chat_blocked WHERE user_id = ${user} AND other_id = ${other}`,
      );
      return rows.length > 0;
    },
    *sharesRoom({ user, of }) {
      const near = yield* sharing(user, of);
      return of.filter((other) => near.has(other));
    },
    *findUsers({ user: id, query, onlyShared, limit }) {
      const found = new FoundUsers({ query, limit });
      const rooms = yield* ask(
        sql`SELECT room, kind, rooms.members AS members FROM chat_members AS members
            JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE user_id = ${id} AND sources <> 0 AND (kind <> 'direct' OR last_seq > 0) ORDER BY room`,
      );
      const addShown = function* (of: readonly Row[], condition: Sql): Asking<void> {
        const named = namesLike(query);
        const first: Shown[] = [];
        for (let n = 0; n < of.length; n += roomsAtOnce) {
          const some = of.slice(n, n + roomsAtOnce);
          const each = some.map(({ room }) => shown(id, [room as number], named, condition, limit));
          first.push(...(yield* ask(inOneAnswer(each))).map(shownFrom));
        }
        found.add(first);
        if (!found.isFull) found.add(yield* lookedThrough(id, of, condition));
      };
      yield* addShown(
        rooms.filter(({ kind }) => kind !== 'public'),
        raw('(acted > 0 OR acted_public <> 0)'),
      );
      if (found.isFull) return found.users;
      if (!onlyShared) {
        const key = nameKey(query);
        // A user whom others have named alone, as by adding one to a room of theirs, is known to nobody else. Such a user has
        // no keys, so the limit bounds what is read.
        const rows = yield* ask(
          sql`SELECT ${user}, find_key AS sort
              FROM chat_user_keys AS user_keys JOIN chat_users AS users ON users.id = user_keys.user_id
              WHERE find_key >= ${key} AND find_key < ${key + behindNames} AND users.id <> ${id}
                AND (acted_public <> 0
                  OR EXISTS (SELECT 1 FROM chat_arrivals AS arrivals WHERE arrivals.user_id = users.id)
                  OR EXISTS (SELECT 1 FROM chat_site_users AS site_users WHERE site_users.user_id = users.id))
              ORDER BY find_key, users.id LIMIT ${mostCandidates}`,
        );
        found.add(rows.map(shownFrom));
      } else {
        yield* addShown(
          rooms.filter(({ kind }) => kind === 'public'),
          // Without a private room in common only what was done in public makes a user known.
          raw('acted_public <> 0'),
        );
      }
      return found.users;
    },
    *expired({ before, beforeDirect, from }) {
      const rooms: Reads['expired']['out']['rooms'] = [];
      const looked = yield* ask(
        sql`SELECT num, id, kind, first_seq, (SELECT sent_at FROM chat_messages AS messages
              WHERE messages.room = rooms.num AND seq >= rooms.first_seq ORDER BY seq LIMIT 1) AS oldest
            FROM chat_rooms AS rooms WHERE num > ${from} AND NOT (${raw(goneRooms)}) ORDER BY num LIMIT ${expiry.rooms}`,
      );
      for (const row of looked) {
        const time = expiredBefore(row, { before, beforeDirect });
        if (time === null) continue;
        const num = row.num as number;
        const oldest = yield* ask(
          sql`SELECT seq, sent_at FROM chat_messages WHERE room = ${num} AND seq >= ${row.first_seq as number}
              ORDER BY seq LIMIT ${expiry.messages}`,
        );
        // Another server may have deleted them meanwhile.
        if (oldest.length > 0) rooms.push({ room: row.id as string, firstSeq: firstLeft(oldest, time) });
        // It may have more of them.
        if (oldest.length === expiry.messages || rooms.length === expiry.found)
          return { rooms, next: num - 1 };
      }
      return looked.length < expiry.rooms ? { rooms } : { rooms, next: looked.at(-1)?.num as number };
    },
    *reactionsOf({ user, of }) {
      const found: Reads['reactionsOf']['out'] = [];
      const nums = yield* numsOf([...new Set(of.map(({ room }) => room))]);
      const ids = new Map([...nums].map(([id, num]) => [num, id]));
      const wanted = of.flatMap(({ room, seq, emoji }) => {
        const num = nums.get(room);
        return num === undefined ? [] : [[num, seq, emoji, user]];
      });
      for (let n = 0; n < wanted.length; n += reactionsAtOnce) {
        const some = wanted.slice(n, n + reactionsAtOnce);
        const rows = yield* ask(
          sql`SELECT room, seq, emoji FROM chat_reactions
              WHERE ${dialect.among(['room', 'seq', 'emoji', 'user_id'], some)}`,
        );
        for (const { room, seq, emoji } of rows) {
          found.push({
            room: ids.get(room as number) as string,
            seq: seq as number,
            emoji: emoji as string,
          });
        }
      }
      return found;
    },
    *reactors({ room, seq, emoji, after, limit }) {
      const [row] = yield* ask(
        sql`SELECT room FROM chat_messages
            WHERE room = ${numOf(room)} AND seq = ${seq} AND deleted_at IS NULL AND ${notExpired(room)}`,
      );
      if (row === undefined) return null;
      const rows = yield* ask(
        sql`SELECT user_id, place FROM chat_reactions
            WHERE room = ${row.room as number} AND seq = ${seq} AND emoji = ${emoji} AND place > ${after}
            ORDER BY place LIMIT ${limit + 1}`,
      );
      return reactorsPage(rows, limit);
    },
    *seenBy({ room, seq, asker, limit }) {
      const [row] = yield* ask(
        sql`SELECT room, user_id FROM chat_messages
            WHERE room = ${numOf(room)} AND seq = ${seq} AND deleted_at IS NULL AND ${notExpired(room)}`,
      );
      if (row === undefined) return null;
      const author = row.user_id as string;
      if (author !== asker) return { author, seers: [] };
      const rows = yield* ask(
        sql`SELECT user_id AS id, coalesce(users.name, user_id) AS name, coalesce(acted_public, 0) AS acted_public,
              site_role, ${member}
            FROM chat_members AS members LEFT JOIN chat_users AS users ON users.id = members.user_id
            WHERE room = ${row.room as number} AND sources <> 0 AND user_id <> ${asker}
              AND coalesce(seen_seq, read_seq) >= ${seq} AND coalesce(from_seq, 0) < ${seq}
              AND NOT EXISTS (SELECT 1 FROM chat_last_here AS here WHERE here.user_id = members.user_id AND hidden = 1)
              AND NOT EXISTS (SELECT 1 FROM chat_blocked AS theirs
                WHERE theirs.user_id = members.user_id AND theirs.other_id = ${asker})
              AND NOT EXISTS (SELECT 1 FROM chat_blocked AS own
                WHERE own.user_id = ${asker} AND own.other_id = members.user_id)
            ORDER BY sort, user_id LIMIT ${limit}`,
      );
      return { author, seers: rows.map((one) => ({ user: userFrom(one), member: memberFrom(one) })) };
    },
    *threads({ room: id, threads: of, apart = [], unread }) {
      const [room] =
        of.length === 0
          ? []
          : yield* ask(sql`SELECT num, first_seq, last_seq FROM chat_rooms WHERE id = ${id}`);
      if (room === undefined) return [];
      const [num, first] = [room.num as number, room.first_seq as number];
      const amongThreads = dialect.among(
        ['thread'],
        of.map((thread) => [thread]),
      );
      const known = yield* ask(
        sql`SELECT thread, replies FROM chat_threads WHERE room = ${num} AND ${amongThreads} ORDER BY thread`,
      );
      if (known.length === 0) return [];
      // Of a thread whose first message has expired the oldest reply that is left is the first one.
      const expired = known.filter(({ thread }) => (thread as number) < first);
      const oldest = yield* each(expired, ({ thread }) => oldestReply(num, thread as number, first));
      const roots = new Map(expired.map(({ thread }, n) => [thread, oldest[n]?.[0]]));
      const names = raw(
        'thread, user_id, coalesce(users.name, user_id) AS name, replies, last_seq, last_at FROM chat_thread_authors AS authors LEFT JOIN chat_users AS users ON users.id = authors.user_id',
      );
      const rootOf = (row: Row) => (roots.get(row.thread)?.seq ?? row.thread) as number;
      const authorsIn = (rows: readonly Row[]) => {
        const numbers = rows.map(({ thread }) => [thread as number]);
        return sql`SELECT ${names} WHERE room = ${num} AND ${dialect.among(['thread'], numbers)}`;
      };
      // A thread has no more authors than replies. Where these are few, all are read: nobody is looked for in vain.
      const isShort = ({ replies }: Row) => (replies as number) <= apart.length;
      const [short, long] = [known.filter(isShort), known.filter((row) => !isShort(row))];
      const asked = [
        ...(short.length === 0 ? [] : [authorsIn(short)]),
        ...(apart.length === 0 || long.length === 0
          ? []
          : [sql`${authorsIn(long)} AND ${amongUsers('user_id', apart)}`]),
      ];
      const others = (yield* each(asked, (statement) => statement)).flat();
      const isApart = new Set(apart);
      const byThread = Map.groupBy(
        others.filter(({ user_id }) => isApart.has(user_id as string)),
        ({ thread }) => thread,
      );
      const isOther = ({ thread }: Row) => {
        const users = byThread.get(thread)?.map(({ user_id }) => user_id as string);
        return users === undefined ? raw('') : sql`AND NOT (${amongUsers('user_id', users)})`;
      };
      const last = yield* each(
        known,
        (row) =>
          sql`SELECT ${names} WHERE room = ${num} AND thread = ${row.thread as number} AND last_seq > ${rootOf(row)}
              ${isOther(row)} ORDER BY last_seq DESC LIMIT ${namedAuthors}`,
      );
      // No reply is counted of an author who was not there yet when the others were read.
      const fresh =
        unread === undefined
          ? []
          : yield* each(
              known,
              (row) =>
                sql`SELECT count(*) AS num FROM (SELECT 1 FROM (
                      SELECT user_id, deleted_at FROM chat_messages ${dialect.by('chat_messages_by_thread')}
                      WHERE room = ${num} AND thread = ${row.thread as number}
                        AND seq > ${Math.max(unread.after, rootOf(row))} AND seq <= ${room.last_seq as number}
                      ORDER BY seq DESC LIMIT ${newestReplies}) AS newest
                    WHERE deleted_at IS NULL AND user_id <> ${unread.user} ${isOther(row)} LIMIT ${mostNewReplies}) AS fresh`,
            );
      return known.map((row, n) => {
        const root = roots.get(row.thread);
        return threadFrom(row, {
          root,
          authors: (last[n] ?? []).filter(({ user_id }) => !isApart.has(user_id as string)),
          apart: byThread.get(row.thread) ?? [],
          fresh: fresh[n]?.[0],
        });
      });
    },
    *thread({ room: id, thread: seq, user }) {
      const [room] = yield* ask(sql`SELECT num, first_seq FROM chat_rooms WHERE id = ${id}`);
      if (room === undefined) return null;
      const [num, first] = [room.num as number, room.first_seq as number];
      const one = (which: number) =>
        ask(sql`SELECT ${message} FROM chat_messages AS messages WHERE room = ${num} AND seq = ${which}`);
      const [named] = seq < first ? [] : yield* one(seq);
      if (named === undefined && seq >= first) return null;
      const thread = (named?.thread ?? seq) as number;
      const [oldest] = thread < first ? yield* ask(oldestReply(num, thread, first)) : [{ seq: thread }];
      const [root] = oldest === undefined ? [] : yield* one(oldest.seq as number);
      if (root === undefined) return null;
      const [follower] = yield* ask(
        sql`SELECT following FROM chat_followers WHERE room = ${num} AND thread = ${thread} AND user_id = ${user}`,
      );
      return { thread, root: messageFrom(root, id), following: follower?.following === 1 };
    },
    *replies({ room, thread, after, before, from, limit }) {
      const which = sql`${notExpired(room)} AND thread = ${thread} AND seq > ${after} AND seq < ${before}`;
      const order = raw(from === 'start' ? 'seq' : 'seq DESC');
      const by = dialect.by('chat_messages_by_thread');
      const found = pageOf(yield* rowsOf(room, which, order, limit, by), room, limit);
      if (from === 'end') found.messages.reverse();
      return found;
    },
    *followedBy({ user: id, from, limit }) {
      const [room, thread] = placeFrom(from);
      const rows = yield* ask(
        sql`SELECT rooms.num AS num, rooms.id AS room, thread FROM chat_followers AS followers
            JOIN chat_rooms AS rooms ON rooms.num = followers.room
            WHERE user_id = ${id} AND following = 1 AND followers.room >= ${room}
              AND (followers.room > ${room} OR thread > ${thread})
            ORDER BY followers.room, thread LIMIT ${limit + 1}`,
      );
      const some = rows.slice(0, limit);
      const threads = some.map((row) => ({ room: row.room as string, thread: row.thread as number }));
      const last = some.at(-1);
      return {
        threads,
        ...(rows.length > some.length && last ? { next: `${last.num} ${last.thread}` } : {}),
      };
    },
    *written({ user: id, from, limit }) {
      const [num, seq] = placeFrom(from);
      const [room] = yield* ask(sql`SELECT id, first_seq, last_seq FROM chat_rooms WHERE num = ${num}`);
      if (room === undefined) return { messages: [], ...(yield* nextWritten(id, num)) };
      const theirs = sql`room = ${num} AND user_id = ${id}`;
      // The index by authors has their messages in no order: to sort many of them would take as long for each page.
      const [few] = yield* ask(
        sql`SELECT count(*) AS num FROM (SELECT 1 FROM chat_messages ${dialect.by('chat_messages_by_author')}
            WHERE ${theirs} LIMIT ${mostLookedAt + 1}) AS few`,
      );
      const isFew = (few?.num as number) <= mostLookedAt;
      const after = Math.max(seq, (room.first_seq as number) - 1);
      const end = after + mostLookedAt;
      const index = dialect.by(isFew ? 'chat_messages_by_author' : 'chat_messages_by_seq');
      const rows = yield* ask(
        sql`SELECT ${message} FROM chat_messages AS messages ${index}
            WHERE ${theirs} AND seq > ${after} AND seq <= ${isFew ? Number.MAX_SAFE_INTEGER : end} AND deleted_at IS NULL
            ORDER BY seq LIMIT ${limit + 1}`,
      );
      const { messages, complete } = pageOf(rows, room.id as string, limit);
      if (!complete) return { messages, next: `${num} ${messages.at(-1)?.seq}` };
      const isEnd = isFew || end >= (room.last_seq as number);
      return { messages, ...(isEnd ? yield* nextWritten(id, num) : { next: `${num} ${end}` }) };
    },
    *reactionsBy({ user: id, from, limit }) {
      const [room = 0, seq = 0, emoji = ''] = from === '' ? [] : from.split(/[. ]/);
      const rows = yield* ask(
        sql`SELECT rooms.id AS room, seq, emoji, concat(rooms.num, '.', seq) AS place
            FROM chat_reactions AS reactions JOIN chat_rooms AS rooms ON rooms.num = reactions.room
            WHERE user_id = ${id} AND NOT (${raw(goneRooms)}) AND room >= ${Number(room)} AND (room > ${Number(room)}
              OR seq > ${Number(seq)} OR (seq = ${Number(seq)} AND emoji > ${emoji}))
            ORDER BY rooms.num, seq, emoji LIMIT ${limit + 1}`,
      );
      return ownReactionsPage(rows, limit);
    },
    *holding({ room, what, before, limit }) {
      const num = numOf(room);
      // No more than the first message beyond the size of a page is fetched.
      const rows = yield* ask(
        sql`SELECT * FROM (
              SELECT p.*, sum(${size}) OVER (ORDER BY seq DESC) - ${size} AS bytes_so_far FROM (
                SELECT ${message} FROM (
                  SELECT seq AS held FROM chat_holdings
                  WHERE room = ${num} AND holds = ${holdings.indexOf(what)} AND seq < ${before} AND ${notExpired(room)}
                  ORDER BY seq DESC LIMIT ${limit + 1}) AS found
                JOIN chat_messages AS messages ON messages.room = ${num} AND messages.seq = found.held) AS p) AS q
            WHERE bytes_so_far <= ${maxPageBytes} ORDER BY seq DESC`,
      );
      return pageOf(rows, room, limit);
    },
    *pins({ room, seq }) {
      const rows = yield* ask(
        sql`SELECT by_id, at, behind, place, ${message} FROM chat_messages AS messages
            JOIN (SELECT seq AS pin, by_id, at, behind, place FROM chat_pins
              WHERE room = ${numOf(room)} ${seq === undefined ? raw('') : sql`AND seq = ${seq}`}) AS pins ON pins.pin = seq
            WHERE room = ${numOf(room)} AND ${notExpired(room)} ORDER BY place DESC`,
      );
      return rows.map((row) => ({
        pin: rowFrom(pins, row, room),
        message: messageFrom(row, room),
      }));
    },
    *pinsBy({ user: id, from, limit }) {
      const [num, seq] = placeFrom(from);
      const rows = yield* ask(
        sql`SELECT room, seq, at, rooms.id AS id
            FROM chat_pins AS pins JOIN chat_rooms AS rooms ON rooms.num = pins.room
            WHERE by_id = ${id} AND seq >= first_seq AND room >= ${num} AND (room > ${num} OR seq > ${seq})
            ORDER BY room, seq LIMIT ${limit + 1}`,
      );
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return {
        pins: shown.map((row) => ({ room: row.id as string, seq: row.seq as number, at: row.at as number })),
        ...(rows.length <= limit || last === undefined ? {} : { next: `${last.room} ${last.seq}` }),
      };
    },
    *file({ id, user: asker }) {
      const [row] = yield* ask(
        sql`SELECT ${raw(fileColumns)}, ${room}, ${raw('members.user_id AS member')}, ${member}
            FROM chat_files AS files JOIN chat_rooms AS rooms ON rooms.num = files.room
            LEFT JOIN chat_members AS members ON members.room = rooms.num AND members.user_id = ${asker}
            WHERE files.id = ${id} AND state <> ${fileStates.dropped}`,
      );
      if (row === undefined) return null;
      const record = roomFrom(row);
      const file = fileFrom(row);
      if (isOutdated(file, record)) return null;
      const stored = row.member === null ? null : memberFrom(row);
      return { file, room: record, member: stored };
    },
    *newest({ room, upTo, limit }) {
      const found = yield* page(room, sql`${notExpired(room)} AND seq <= ${upTo}`, raw('seq DESC'), limit);
      found.messages.reverse();
      return found;
    },
    *after({ room, after, upTo, limit }) {
      const which = sql`${notExpired(room)} AND seq > ${after} AND seq <= ${upTo}`;
      return yield* page(room, which, raw('seq'), limit);
    },
    *unread({ room, after, upTo, seqs, without, limit }) {
      const named =
        seqs &&
        dialect.among(
          ['seq'],
          seqs.map((seq) => [seq]),
        );
      const some = (from: number, to: number, order: 'seq' | 'seq DESC', most: number) =>
        sql`SELECT seq, sent_at FROM chat_messages AS messages
            WHERE room = ${numOf(room)} AND ${named ?? sql`seq > ${from} AND seq <= ${to}`} AND deleted_at IS NULL
              AND NOT (${amongUsers('user_id', without)}) ORDER BY ${raw(order)} LIMIT ${most}`;
      const found = yield [
        some(after, Math.min(upTo, after + mostLookedAt), 'seq', limit),
        some(Math.max(after, upTo - mostLookedAt), upTo, 'seq DESC', 1),
      ];
      const rows = new Map(found.flat().map((row) => [row.seq as number, row.sent_at as number]));
      return Array.from(rows, ([seq, sentAt]) => ({ seq, sentAt }));
    },
    *changes({ room, since, upTo, limit }) {
      const which = sql`${notExpired(room)} AND rev > ${since} AND (rev <= ${upTo} OR rich IS NOT NULL)`;
      const found = changesPage(yield* rowsOf(room, which, raw('rev'), limit), room, upTo, limit);
      if (found !== null) return found;
      const rows = yield* ask(
        sql`SELECT ${message} FROM chat_messages AS messages WHERE room = ${numOf(room)} AND ${which} ORDER BY rev`,
      );
      return overtaken(rows, room, upTo);
    },
  };

  function lastArrived(after: ArrivalPlace | undefined, limit: number): Sql {
    const { key, user: id } = after ?? { key: Number.MAX_SAFE_INTEGER, user: '' };
    return sql`SELECT ${user}, at FROM chat_arrivals JOIN chat_users AS users ON users.id = user_id
               WHERE at <= ${key} AND (at < ${key} OR user_id < ${id}) ORDER BY at DESC, user_id DESC LIMIT ${limit + 1}`;
  }

  function inScope(scope: AuditScope | undefined): Sql {
    if (scope === undefined) return raw('');
    return raw(scope === 'site' ? 'site = 1 AND' : 'site IS NULL AND');
  }

  /** The condition that an act was in one of these rooms. */
  function shownActs({ rooms, except }: KnownRooms): Sql {
    const hidden = except.length === 0 ? raw('') : sql`AND NOT ${inRooms(except)}`;
    const own = rooms.length === 0 ? raw('') : sql`OR (${actsInOwn(rooms)})`;
    return sql`((shown = 1 ${hidden}) ${own})`;
  }

  /** The condition that the user of an act may know of it. Only members are removed. */
  function knownActs({ rooms, lost }: NonNullable<Reads['acts']['in']['of']>): Sql {
    const [inRooms, inLost] = [rooms, lost].map((rooms) => shownActs({ rooms, except: [] })) as [Sql, Sql];
    return sql`(act = 'removed' OR ${inRooms} OR (act = 'banned' AND ${inLost}))`;
  }

  /** Each by the first of the keys that fit. */
  function foundArrived(query: string, after: ArrivalPlace | undefined, limit: number): Sql {
    const first = nameKey(query);
    const { key, user: id } = after ?? { key: first, user: '' };
    return sql`SELECT ${user}, find_key AS sort FROM chat_user_keys AS user_keys
               JOIN chat_arrivals AS arrivals ON arrivals.user_id = user_keys.user_id
               JOIN chat_users AS users ON users.id = user_keys.user_id
               WHERE find_key >= ${key} AND find_key < ${first + behindNames}
                 AND (find_key > ${key} OR user_keys.user_id > ${id})
                 AND NOT EXISTS (SELECT 1 FROM chat_user_keys AS earlier WHERE earlier.user_id = user_keys.user_id
                   AND earlier.find_key >= ${first} AND earlier.find_key < user_keys.find_key)
               ORDER BY find_key, user_keys.user_id LIMIT ${limit + 1}`;
  }

  /**
   * As many as fit into a page, but one at least.
   * @param rows one more than `limit` where there are more
   */
  function sizedPage<One>(
    rows: readonly Row[],
    limit: number,
    { from, size, cursors }: { from(row: Row): One; size(one: One): number; cursors: SealedCursors },
  ): { page: One[]; next?: string } {
    const page: One[] = [];
    let bytes = 0;
    for (const row of rows) {
      const one = from(row);
      bytes += size(one);
      if (page.length === limit || (bytes > maxPageBytes && page.length > 0)) {
        return { page, next: cursors.of(rows[page.length - 1]?.num as number) };
      }
      page.push(one);
    }
    return { page };
  }

  function reportsPage(rows: readonly Row[], limit: number): Reads['reports']['out'] {
    const how = { from: reportFrom, size: sizeOfReport, cursors: reportCursors };
    const { page, ...next } = sizedPage(rows, limit, how);
    return { reports: page, ...next };
  }

  /** The place where the messages of a user go on behind a room. */
  function* nextWritten(user: string, num: number): Asking<{ next?: string }> {
    const end = num + roomsLookedThrough;
    const [next] = yield* ask(
      sql`SELECT num FROM chat_rooms AS rooms WHERE num > ${num} AND num <= ${end} AND NOT (${raw(goneRooms)})
            AND EXISTS (SELECT 1 FROM chat_messages AS messages WHERE room = rooms.num AND user_id = ${user})
          ORDER BY num LIMIT 1`,
    );
    if (next !== undefined) return { next: `${next.num} 0` };
    const [later] = yield* ask(sql`SELECT num FROM chat_rooms WHERE num > ${end} ORDER BY num LIMIT 1`);
    return later === undefined ? {} : { next: `${end} ${Number.MAX_SAFE_INTEGER}` };
  }

  /** A statement for each of them. */
  function* each<Of>(rows: readonly Of[], statement: (row: Of) => Sql): Asking<Row[][]> {
    return rows.length === 0 ? [] : yield rows.map(statement);
  }

  function oldestReply(num: number, thread: number, first: number): Sql {
    return sql`SELECT seq, user_id, deleted_at FROM chat_messages
               WHERE room = ${num} AND thread = ${thread} AND seq >= ${first} ORDER BY seq LIMIT 1`;
  }

  function* page(room: string, which: Sql, order: Sql, limit: number): Asking<Page> {
    return pageOf(yield* rowsOf(room, which, order, limit), room, limit);
  }

  /** No more than the first message beyond the size of a page is fetched. */
  function* rowsOf(room: string, which: Sql, order: Sql, limit: number, by = raw('')): Asking<Row[]> {
    return yield* ask(
      sql`SELECT * FROM (
            SELECT p.*, sum(${size}) OVER (ORDER BY ${order}) - ${size} AS bytes_so_far FROM (
              SELECT ${message} FROM chat_messages AS messages ${by} WHERE room = ${numOf(room)} AND ${which}
              ORDER BY ${order} LIMIT ${limit + 1}) AS p) AS q
          WHERE bytes_so_far <= ${maxPageBytes} ORDER BY ${order}`,
    );
  }

  function* numsOf(ids: readonly string[]): Asking<Map<string, number>> {
    if (ids.length === 0) return new Map();
    const among = dialect.among(
      ['id'],
      ids.map((id) => [id]),
    );
    const rows = yield* ask(sql`SELECT id, num FROM chat_rooms WHERE ${among}`);
    return new Map(rows.map(({ id, num }) => [id as string, num as number]));
  }

  function* withLast(rows: readonly Row[]): Asking<RoomRecord[]> {
    const rooms = rows.map(roomFrom);
    const wanted = rooms.flatMap(({ lastSeq, firstSeq }, n) =>
      lastSeq >= firstSeq ? [[rows[n]?.num as number, lastSeq]] : [],
    );
    if (wanted.length === 0) return rooms;
    const last = new Map(
      (yield* ask(
        sql`SELECT room, ${message} FROM chat_messages AS messages WHERE ${dialect.among(['room', 'seq'], wanted)}`,
      )).map((row) => [row.room as number, row]),
    );
    return rooms.map((room, n) => {
      const row = last.get(rows[n]?.num as number);
      return row === undefined ? room : { ...room, last: messageFrom(row, room.id) };
    });
  }

  function* usersOf(ids: readonly string[]): Asking<Map<string, UserRecord>> {
    if (ids.length === 0) return new Map();
    const rows = yield* ask(sql`SELECT ${user} FROM chat_users WHERE ${amongUsers('id', ids)}`);
    return new Map(rows.map((row) => [row.id as string, userFrom(row)]));
  }

  /** The other sides of direct rooms. */
  function* partners(
    user: string,
    of: readonly { other: string; room: string }[],
  ): Asking<Map<string, Partner>> {
    if (of.length === 0) return new Map();
    const ids = of.map(({ other }) => other);
    const known = yield* usersOf(ids);
    const rooms = dialect.among(
      ['id'],
      of.map(({ room }) => [room]),
    );
    const rows = yield* ask(
      sql`SELECT user_id, acted, coalesce(seen_seq, read_seq) AS read_seq
          FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE ${rooms} AND user_id <> ${user}`,
    );
    const members = new Map(rows.map((row) => [row.user_id as string, row]));
    const near = yield* sharing(user, ids);
    return new Map(
      ids.map((id) => [
        id,
        {
          user: known.get(id) ?? { id, name: id, actedPublic: false },
          acted: (members.get(id)?.acted as number | undefined) ?? 0,
          readSeq: (members.get(id)?.read_seq as number | undefined) ?? 0,
          shares: near.has(id),
        },
      ]),
    );
  }

  /** The first people by name in rooms, between two sort keys: nobody who is not shown is looked at. */
  function shown(
    asker: string,
    rooms: readonly number[],
    { from, to }: Range,
    condition: Sql,
    most: number,
  ): Sql {
    const [only = 0, ...others] = rooms;
    // Of one room the database reads no more than `most`: its index has them in this order.
    const inRooms =
      others.length === 0
        ? sql`room = ${only}`
        : dialect.among(
            ['room'],
            rooms.map((room) => [room]),
          );
    return sql`SELECT id, name, acted_public, site_role, sort
      FROM chat_members AS members JOIN chat_users AS users ON users.id = members.user_id
      WHERE ${inRooms} AND sources <> 0 AND sort >= ${from} AND sort < ${to} AND user_id <> ${asker} AND ${condition}
      ORDER BY room, sort, user_id LIMIT ${most}`;
  }

  /** Some people of these rooms, by room and name. */
  function* lookedThrough(asker: string, rooms: readonly Row[], condition: Sql): Asking<Shown[]> {
    const looked: Shown[] = [];
    for (let n = 0; n < rooms.length && looked.length < mostLookedThrough; ) {
      const some: number[] = [];
      // No more are sorted than are looked at: a larger room is alone.
      for (let members = 0; n < rooms.length; n++) {
        members += rooms[n]?.members as number;
        if (some.length > 0 && members > mostLookedThrough) break;
        some.push(rooms[n]?.room as number);
      }
      const most = mostLookedThrough - looked.length;
      looked.push(...(yield* ask(shown(asker, some, allNames, condition, most))).map(shownFrom));
    }
    return looked;
  }

  /** The users who have acted in a private room of which this user is a member too. */
  function* sharing(user: string, of: readonly string[]): Asking<Set<string>> {
    if (of.length === 0) return new Set();
    const rows = yield* ask(
      sql`SELECT DISTINCT user_id FROM chat_members AS theirs JOIN chat_rooms AS rooms ON rooms.num = theirs.room
          WHERE ${amongUsers('user_id', of)} AND theirs.sources <> 0 AND theirs.acted > 0 AND rooms.kind <> 'public'
            AND EXISTS (SELECT 1 FROM chat_members AS mine WHERE mine.user_id = ${user} AND mine.room = theirs.room
              AND mine.sources <> 0)`,
    );
    return new Set(rows.map((row) => row.user_id as string));
  }
}
