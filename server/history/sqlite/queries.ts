import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { allNames, FoundUsers, mostLookedThrough, namesLike, type Range, type Shown } from '../find-users.ts';
import {
  type Ban,
  everybody,
  mostUnreadMentions,
  otherOf,
  type Partner,
  type Reads,
  type RoomRecord,
} from '../history.ts';
import {
  changesPage,
  expiredBefore,
  expiry,
  fileColumns,
  fileFrom,
  fileStates,
  firstLeft,
  gone,
  goneRooms,
  isOutdated,
  memberColumns,
  memberFrom,
  messageFrom,
  overtaken,
  ownReactionsPage,
  pageOf,
  placeFrom,
  type Row,
  reactorsPage,
  reportColumns,
  reportFrom,
  reportsPage,
  restrictionFrom,
  roomColumns,
  roomFrom,
  roomsLookedThrough,
  shownFrom,
  unreadMentionsFrom,
  userFrom,
} from '../rows.ts';
import { SealedCursors } from '../sealed-cursors.ts';
import { behindNames, findKeys, nameKey } from '../text-keys.ts';
import { columns } from './columns.ts';

/** This many people are looked at in one go, however few of them fit: other reads wait meanwhile. */
const mostCandidates = 2000;
/** The same for the messages of a room. */
const mostLookedAt = 5000;

const num = '(SELECT num FROM rooms WHERE id = ?1)';
const page = `SELECT ${columns} FROM messages WHERE room = ${num}`;
const notExpired = 'seq >= (SELECT first_seq FROM rooms WHERE id = ?1)';
/** Unread messages that mention a user or everybody: by the index, as far as the user has not read. The union has each once. */
export const unreadMentions = `SELECT found.seq AS seq, messages.user_id AS by_id FROM (
    SELECT seq FROM mentions WHERE room = ?1 AND user_id = ?2 AND seq > ?3
    UNION SELECT seq FROM mentions WHERE room = ?1 AND user_id = '${everybody}' AND seq > ?3
    ORDER BY seq DESC LIMIT ${mostUnreadMentions}) AS found
  CROSS JOIN messages ON messages.room = ?1 AND messages.seq = found.seq ORDER BY found.seq`;
const reportsColumns = reportColumns.map((name) => `reports.${name} AS ${name}`).join(', ');
/** The first people by name in a room, between two sort keys: nobody who is not shown is looked at. */
const shownIn = (condition: string) => `SELECT users.id AS id, name, acted_public, site_role, sort
  FROM members INDEXED BY members_by_name CROSS JOIN users ON users.id = members.user_id
  WHERE room = ?1 AND sources <> 0 AND sort >= ?2 AND sort < ?3 AND user_id <> ?4 AND ${condition}
  ORDER BY sort, user_id LIMIT ?5`;
/** The queries of `Reads` by name, but for `search`, which has a thread and an index of its own. */
export type Queries = {
  [Query in Exclude<keyof Reads, 'search'>]: (input: Reads[Query]['in']) => Reads[Query]['out'];
};

/** What is read of the history, over this connection to it. */
export function prepareQueries(db: DatabaseSync): Queries {
  const digestKey = db.prepare('SELECT key FROM digest_key').get()?.key as Uint8Array;
  const reportCursors = new SealedCursors(digestKey, 'report');
  const statements = {
    publicRooms: db.prepare(`SELECT num, ${roomColumns} FROM rooms WHERE kind = 'public'`),
    erasures: db.prepare('SELECT count(*) AS users FROM erasures'),
    bans: db.prepare('SELECT user_id, until, reason FROM bans'),
    report: db.prepare(
      `SELECT reports.num AS num, rooms.id AS room_id, ${reportsColumns} FROM reports
       JOIN rooms ON rooms.num = reports.room WHERE reports.id = ? AND seq >= first_seq`,
    ),
    reports: db.prepare(
      `SELECT reports.num AS num, rooms.id AS room_id, ${reportsColumns} FROM reports INDEXED BY reports_open
       CROSS JOIN rooms ON rooms.num = reports.room
       WHERE reports.num < ? AND closed IS NULL AND seq >= first_seq ORDER BY reports.num DESC LIMIT ?`,
    ),
    reportsOfRoom: db.prepare(
      `SELECT reports.num AS num, rooms.id AS room_id, ${reportsColumns} FROM rooms
       CROSS JOIN reports ON reports.room = rooms.num
       WHERE rooms.id = ? AND reports.num < ? AND closed IS NULL AND seq >= first_seq
       ORDER BY reports.num DESC LIMIT ?`,
    ),
    reportsBy: db.prepare(
      `SELECT reports.num AS num, rooms.id AS room_id, ${reportsColumns} FROM reports INDEXED BY reports_by_user
       CROSS JOIN rooms ON rooms.num = reports.room
       WHERE by_id = ? AND reports.num < ? AND seq >= first_seq ORDER BY reports.num DESC LIMIT ?`,
    ),
    restrictions: db.prepare(
      `SELECT rooms.id AS room, user_id, restricted FROM members JOIN rooms ON rooms.num = members.room
       WHERE restricted_until > 0`,
    ),
    room: db.prepare(`SELECT num, ${roomColumns} FROM rooms WHERE id = ?`),
    message: db.prepare(`SELECT ${columns} FROM messages WHERE room = ? AND seq = ?`),
    user: db.prepare('SELECT id, name, acted_public, site_role FROM users WHERE id = ?'),
    blocked: db.prepare('SELECT other_id FROM blocked WHERE user_id = ? ORDER BY since DESC, other_id'),
    memberships: db.prepare(
      `SELECT num, ${roomColumns}, ${memberColumns} FROM members JOIN rooms ON rooms.num = members.room
       WHERE user_id = ? AND sources <> 0`,
    ),
    mentions: db.prepare(unreadMentions),
    member: db.prepare(`SELECT ${memberColumns} FROM members WHERE room = ${num} AND user_id = ?2`),
    members: db.prepare(
      `SELECT user_id AS id, coalesce(users.name, user_id) AS name, coalesce(acted_public, 0) AS acted_public, site_role,
         sort, ${memberColumns}
       FROM members LEFT JOIN users ON users.id = members.user_id
       WHERE room = ${num} AND sources <> 0 AND (sort, user_id) > (?2, ?3) ORDER BY sort, user_id`,
    ),
    // By the rooms of the other side: who asks may have hundreds, for each of the people who are looked at.
    sharesRoom: db.prepare(
      `SELECT 1 FROM members AS theirs CROSS JOIN rooms ON rooms.num = theirs.room
       CROSS JOIN members AS mine ON mine.room = theirs.room
       WHERE theirs.user_id = ?2 AND theirs.sources <> 0 AND theirs.acted > 0 AND rooms.kind <> 'public'
         AND mine.user_id = ?1 AND mine.sources <> 0 LIMIT 1`,
    ),
    reaction: db.prepare(
      `SELECT 1 FROM reactions WHERE message = (SELECT num FROM messages WHERE room = ${num} AND seq = ?2)
         AND emoji = ?3 AND user_id = ?4`,
    ),
    messageNum: db.prepare(
      `SELECT num FROM messages WHERE room = ${num} AND seq = ?2 AND deleted_at IS NULL AND ${notExpired}`,
    ),
    reactors: db.prepare(
      `SELECT user_id AS id, coalesce(name, user_id) AS name, place
       FROM reactions LEFT JOIN users ON users.id = reactions.user_id
       WHERE message = ? AND emoji = ? AND place > ? ORDER BY place LIMIT ?`,
    ),
    written: db.prepare(
      `SELECT ${columns} FROM messages INDEXED BY messages_by_client_id
       WHERE room = ? AND user_id = ? AND seq > ? AND deleted_at IS NULL ORDER BY seq LIMIT ?`,
    ),
    writtenAmong: db.prepare(
      `SELECT ${columns} FROM messages INDEXED BY messages_by_seq
       WHERE room = ?1 AND user_id = ?2 AND seq > ?3 AND seq <= ?3 + ${mostLookedAt} AND deleted_at IS NULL
       ORDER BY seq LIMIT ?4`,
    ),
    countWritten: db.prepare(
      `SELECT count(*) AS count FROM (SELECT 1 FROM messages INDEXED BY messages_by_client_id
         WHERE room = ? AND user_id = ? LIMIT ${mostLookedAt + 1})`,
    ),
    roomOf: db.prepare('SELECT id, first_seq, last_seq FROM rooms WHERE num = ?'),
    nextWritten: db.prepare(
      `SELECT num FROM rooms WHERE num > ?2 AND num <= ?2 + ${roomsLookedThrough} AND NOT (${goneRooms})
         AND EXISTS (SELECT 1 FROM messages WHERE room = rooms.num AND user_id = ?1) ORDER BY num LIMIT 1`,
    ),
    lastRoom: db.prepare('SELECT coalesce(max(num), 0) AS num FROM rooms'),
    reactionsBy: db.prepare(
      `SELECT rooms.id AS room, messages.seq AS seq, emoji, message AS place
       FROM reactions JOIN messages ON messages.num = message JOIN rooms ON rooms.num = messages.room
       WHERE reactions.user_id = ?1 AND rooms.id NOT LIKE '${gone}%' AND (message, emoji) > (?2, ?3) ORDER BY message, emoji LIMIT ?4`,
    ),
    file: db.prepare(
      `SELECT ${fileColumns}, ${roomColumns} FROM files JOIN rooms ON rooms.num = files.room
       WHERE files.id = ? AND state <> ${fileStates.dropped}`,
    ),
    known: db.prepare(
      `SELECT users.id AS id, name, acted_public, site_role, key AS sort
       FROM user_keys JOIN users ON users.id = user_keys.user_id
       WHERE key >= ?1 AND key < ?1 || '${behindNames}' AND users.id <> ?2 ORDER BY key, users.id LIMIT ${mostCandidates}`,
    ),
    roomsOf: db.prepare(
      `SELECT room, kind FROM members CROSS JOIN rooms ON rooms.num = members.room
       WHERE user_id = ? AND sources <> 0 ORDER BY room`,
    ),
    shown: db.prepare(shownIn('acted > 0')),
    // Without a private room in common only what was done in public makes a user known.
    shownInPublic: db.prepare(shownIn('acted_public <> 0')),
    oldest: db.prepare(
      `SELECT num, id, kind, first_seq, (SELECT sent_at FROM messages WHERE room = rooms.num AND seq >= rooms.first_seq
         ORDER BY seq LIMIT 1) AS oldest FROM rooms WHERE num > ? AND NOT (${goneRooms}) ORDER BY num LIMIT ?`,
    ),
    oldestMessages: db.prepare(
      'SELECT seq, sent_at FROM messages WHERE room = ? AND seq >= ? ORDER BY seq LIMIT ?',
    ),
    newest: db.prepare(`${page} AND ${notExpired} AND seq <= ?2 ORDER BY seq DESC LIMIT ?3`),
    after: db.prepare(`${page} AND ${notExpired} AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4`),
    changes: db.prepare(
      `${page} AND ${notExpired} AND rev > ?2 AND (rev <= ?3 OR rich IS NOT NULL) ORDER BY rev LIMIT ?4`,
    ),
  };

  return {
    publicRooms: () => statements.publicRooms.all().map(roomWithLast),
    bans: () =>
      statements.bans.all().map(({ user_id, until, reason }) => ({
        user: user_id as string,
        ban: {
          ...(until === null ? {} : { until: until as number }),
          ...(reason === null ? {} : { reason: reason as string }),
        } satisfies Ban,
      })),
    erasures: () => statements.erasures.get()?.users as number,
    report({ id }) {
      const row = statements.report.get(id);
      return row === undefined ? null : reportFrom(row, row.room_id as string);
    },
    reports({ rooms, from, limit }) {
      const before = reportCursors.numberOf(from);
      if (rooms === null) return reportsPage(statements.reports.all(before, limit + 1), limit, reportCursors);
      const rows = rooms.flatMap((room) => statements.reportsOfRoom.all(room, before, limit + 1));
      return reportsPage(
        rows.sort((a, b) => (b.num as number) - (a.num as number)).slice(0, limit + 1),
        limit,
        reportCursors,
      );
    },
    reportsBy: ({ user, from, limit }) =>
      reportsPage(
        statements.reportsBy.all(user, reportCursors.numberOf(from), limit + 1),
        limit,
        reportCursors,
      ),
    restrictions: () => statements.restrictions.all().map(restrictionFrom),
    room: ({ room }) => optionalRoom(statements.room.get(room)),
    partner: ({ user, other, room }) => partner(user, other, room),
    user({ user }) {
      const row = statements.user.get(user);
      const blocked = statements.blocked.all(user).map(({ other_id }) => other_id as string);
      return {
        user: row === undefined ? null : userFrom(row),
        blocked,
        memberships: statements.memberships.all(user).map((row) => {
          const room = roomWithLast(row);
          const other = otherOf(room.pair, user);
          const member = memberFrom(row);
          return {
            room,
            member,
            mentions: unreadMentionsFrom(
              member.readSeq < room.lastSeq
                ? statements.mentions.all(row.num as number, user, member.readSeq)
                : [],
            ),
            ...(other === undefined ? {} : { partner: partner(user, other, room.id) }),
          };
        }),
      };
    },
    users: ({ ids }) =>
      ids.flatMap((id) => {
        const row = statements.user.get(id);
        return row === undefined ? [] : [userFrom(row)];
      }),
    membersOf: ({ room, users }) =>
      users.map((user) => {
        const row = statements.member.get(room, user);
        return row === undefined ? null : memberFrom(row);
      }),
    members({ room, query, after = { sort: '', id: '' }, limit }) {
      const members: Reads['members']['out']['members'] = [];
      const beginning = query === undefined ? undefined : nameKey(query);
      let looked = 0;
      let place = after;
      for (const row of statements.members.iterate(room, after.sort, after.id)) {
        if (members.length === limit || looked === mostCandidates) return { members, next: place };
        looked++;
        const user = userFrom(row);
        place = { sort: row.sort as string, id: user.id };
        if (beginning !== undefined && !findKeys(user).some((key) => key.startsWith(beginning))) continue;
        members.push({ user, member: memberFrom(row), place });
      }
      return { members };
    },
    sharesRoom: ({ user, of }) => of.filter((other) => statements.sharesRoom.get(user, other) !== undefined),
    findUsers({ user, query, onlyShared, limit }) {
      const found = new FoundUsers({ query, limit });
      const rooms = statements.roomsOf.all(user);
      const addShown = (of: readonly Row[], statement: StatementSync) => {
        const shown = ({ room }: Row, { from, to }: Range, most: number): Shown[] =>
          statement.all(room as number, from, to, user, most).map(shownFrom);
        const named = namesLike(query);
        found.add(of.flatMap((room) => shown(room, named, limit)));
        const looked: Shown[] = [];
        for (const room of found.isFull ? [] : of) {
          if (looked.length === mostLookedThrough) break;
          looked.push(...shown(room, allNames, mostLookedThrough - looked.length));
        }
        found.add(looked);
      };
      addShown(
        rooms.filter(({ kind }) => kind !== 'public'),
        statements.shown,
      );
      if (found.isFull) return found.users;
      if (!onlyShared) found.add(statements.known.all(nameKey(query), user).map(shownFrom));
      else
        addShown(
          rooms.filter(({ kind }) => kind === 'public'),
          statements.shownInPublic,
        );
      return found.users;
    },
    expired({ before, beforeDirect, from }) {
      const rooms: Reads['expired']['out']['rooms'] = [];
      const looked = statements.oldest.all(from, expiry.rooms);
      for (const row of looked) {
        const time = expiredBefore(row, { before, beforeDirect });
        if (time === null) continue;
        const num = row.num as number;
        const oldest = statements.oldestMessages.all(num, row.first_seq as number, expiry.messages);
        rooms.push({ room: row.id as string, firstSeq: firstLeft(oldest, time) });
        // It may have more of them.
        if (oldest.length === expiry.messages || rooms.length === expiry.found)
          return { rooms, next: num - 1 };
      }
      return looked.length < expiry.rooms ? { rooms } : { rooms, next: looked.at(-1)?.num as number };
    },
    reactionsOf: ({ user, of }) =>
      of.filter(({ room, seq, emoji }) => statements.reaction.get(room, seq, emoji, user) !== undefined),
    reactors({ room, seq, emoji, after, limit }) {
      const message = statements.messageNum.get(room, seq)?.num as number | undefined;
      if (message === undefined) return null;
      return reactorsPage(statements.reactors.all(message, emoji, after, limit + 1), limit);
    },
    written({ user, from, limit }) {
      const [num, seq] = placeFrom(from);
      const room = statements.roomOf.get(num);
      if (room === undefined) return { messages: [], ...nextRoom(user, num) };
      // The index by authors has their messages in no order: to sort many of them would take as long for each page.
      const isFew = (statements.countWritten.get(num, user)?.count as number) <= mostLookedAt;
      const found = isFew ? statements.written : statements.writtenAmong;
      const after = Math.max(seq, (room.first_seq as number) - 1);
      const rows = found.iterate(num, user, after, limit + 1);
      const { messages, complete } = pageOf(rows, room.id as string, limit);
      if (!complete) return { messages, next: `${num} ${messages.at(-1)?.seq}` };
      const end = after + mostLookedAt;
      const isEnd = isFew || end >= (room.last_seq as number);
      return { messages, ...(isEnd ? nextRoom(user, num) : { next: `${num} ${end}` }) };
    },
    reactionsBy({ user, from, limit }) {
      const [place = '0', emoji = ''] = from.split(' ');
      return ownReactionsPage(statements.reactionsBy.all(user, Number(place), emoji, limit + 1), limit);
    },
    file({ id, user }) {
      const row = statements.file.get(id);
      if (row === undefined) return null;
      const room = roomFrom(row);
      const file = fileFrom(row);
      if (isOutdated(file, room)) return null;
      const member = statements.member.get(room.id, user);
      return { file, room, member: member === undefined ? null : memberFrom(member) };
    },
    newest({ room, upTo, limit }) {
      const found = pageOf(statements.newest.iterate(room, upTo, limit + 1), room, limit);
      found.messages.reverse();
      return found;
    },
    after: ({ room, after, upTo, limit }) =>
      pageOf(statements.after.iterate(room, after, upTo, limit + 1), room, limit),
    changes: ({ room, since, upTo, limit }) =>
      changesPage(statements.changes.iterate(room, since, upTo, limit + 1), room, upTo, limit) ??
      overtaken(statements.changes.iterate(room, since, upTo, -1), room, upTo),
  };

  /** The place where the messages of a user go on behind a room. */
  function nextRoom(user: string, room: number): { next?: string } {
    const next = statements.nextWritten.get(user, room)?.num;
    if (next !== undefined) return { next: `${next} 0` };
    const end = room + roomsLookedThrough;
    return end < (statements.lastRoom.get()?.num as number)
      ? { next: `${end} ${Number.MAX_SAFE_INTEGER}` }
      : {};
  }

  function optionalRoom(row: Row | undefined): RoomRecord | null {
    return row === undefined ? null : roomWithLast(row);
  }

  function roomWithLast(row: Row): RoomRecord {
    const room = roomFrom(row);
    const last =
      room.lastSeq < room.firstSeq ? undefined : statements.message.get(row.num as number, room.lastSeq);
    return last === undefined ? room : { ...room, last: messageFrom(last, room.id) };
  }

  function partner(user: string, other: string, room: string): Partner {
    const row = statements.user.get(other);
    const member = statements.member.get(room, other);
    return {
      user: row === undefined ? { id: other, name: other, actedPublic: false } : userFrom(row),
      acted: (member?.acted as number | undefined) ?? 0,
      readSeq: (member?.read_seq as number | undefined) ?? 0,
      shares: statements.sharesRoom.get(user, other) !== undefined,
    };
  }
}
