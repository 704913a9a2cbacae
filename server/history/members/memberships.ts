import { type Asking, ask, type Dialect, inList, sql } from '../engine/dialect.ts';
import { maxScannedRows, type ReadsOf } from '../engine/read.ts';
import { type None, subject } from '../engine/subject.ts';
import type { Row } from '../records/columns.ts';
import { type MemberRecord, memberFrom } from '../records/member.ts';
import { otherOf, type RoomRecord } from '../records/room.ts';
import { type UserRecord, userFrom } from '../records/user.ts';
import { memberSelection, roomSelection, withLastMessages } from '../rows/select.ts';
import { findUsersById, userSelection } from '../users/users.ts';
import { mentionsByAuthor, mostUnreadMentions, type UnreadMentions, unreadMentions } from './reading.ts';

export interface Membership {
  room: RoomRecord;
  member: MemberRecord;
  /** When the membership started, in milliseconds since 1970. */
  since: number;
  mentions: UnreadMentions;
  /** The peer of a direct room. */
  partner?: Partner;
}

/** The peer of a direct room, with the facts that decide whether the user may see the peer's name. */
export interface Partner {
  user: UserRecord;
  /** The peer's participation in the direct room, a value of `acted`. */
  acted: number;
  /** The highest read marker of the peer in the direct room. */
  readSeq: number;
  /** Whether the peer participated (see `acted`) in a non-public room of which both are members. */
  shares: boolean;
}

export interface MembershipReads {
  partner: { in: { user: string; other: string; room: string }; out: Partner };
  /** The user's record, rooms and blocked users, the latest block first. */
  user: {
    in: { user: string };
    out: {
      user: UserRecord | null;
      memberships: Membership[];
      blocked: string[];
      /** Whether the user ever connected: see `arrive`. */
      arrived: boolean;
    };
  };
  /** The users among `of` who share a non-public room with `user` and participated there. */
  sharesRoom: { in: { user: string; of: readonly string[] }; out: string[] };
}

/** Finds the users among `others` who share a non-public room with `user` and participated there. */
function* findSharing(dialect: Dialect, user: string, others: readonly string[]): Asking<Set<string>> {
  if (others.length === 0) return new Set();
  const rows = yield* ask(
    sql`SELECT DISTINCT user_id FROM chat_members AS theirs JOIN chat_rooms AS rooms ON rooms.num = theirs.room
        WHERE ${inList(dialect, 'user_id', others)} AND theirs.sources <> 0 AND theirs.acted > 0 AND rooms.kind <> 'public'
          AND EXISTS (SELECT 1 FROM chat_members AS mine WHERE mine.user_id = ${user} AND mine.room = theirs.room
            AND mine.sources <> 0)`,
  );
  return new Set(rows.map((row) => row.user_id as string));
}

/** Reads the peers of these direct rooms, by ID. */
function* findPartners(
  dialect: Dialect,
  user: string,
  directRooms: readonly { other: string; room: string }[],
): Asking<Map<string, Partner>> {
  if (directRooms.length === 0) return new Map();
  const ids = directRooms.map(({ other }) => other);
  const userById = yield* findUsersById(dialect, ids);
  const isDirectRoom = inList(
    dialect,
    'id',
    directRooms.map(({ room }) => room),
  );
  const rows = yield* ask(
    sql`SELECT user_id, acted, coalesce(seen_seq, read_seq) AS read_seq
        FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
        WHERE ${isDirectRoom} AND user_id <> ${user}`,
  );
  const memberById = new Map(rows.map((row) => [row.user_id as string, row]));
  const sharing = yield* findSharing(dialect, user, ids);
  return new Map(
    ids.map((id) => [
      id,
      {
        user: userById.get(id) ?? { id, name: id, actedPublic: false },
        acted: (memberById.get(id)?.acted as number | undefined) ?? 0,
        readSeq: (memberById.get(id)?.read_seq as number | undefined) ?? 0,
        shares: sharing.has(id),
      },
    ]),
  );
}

const reads: ReadsOf<MembershipReads> = {
  *user({ dialect }, { user: id }) {
    const [user] = yield* ask(sql`SELECT ${userSelection} FROM chat_users WHERE id = ${id}`);
    const [arrival] = yield* ask(sql`SELECT at FROM chat_arrivals WHERE user_id = ${id}`);
    const rows = yield* ask(
      sql`SELECT ${roomSelection}, ${memberSelection}, since
          FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE user_id = ${id} AND sources <> 0`,
    );
    const rooms = yield* withLastMessages(dialect, rows);
    const directRooms = rooms.flatMap(({ id: room, pair }) => {
      const other = otherOf(pair, id);
      return other === undefined ? [] : [{ room, other }];
    });
    const partnerById = yield* findPartners(dialect, id, directRooms);
    const hasUnread = rooms.some(({ lastSeq }, n) => lastSeq > (rows[n]?.read_seq as number));
    const blocked = (yield* ask(
      sql`SELECT other_id FROM chat_blocked WHERE user_id = ${id} ORDER BY since DESC, other_id`,
    )).map(({ other_id }) => other_id as string);
    const maxPerRoom = blocked.length === 0 ? mostUnreadMentions : maxScannedRows;
    const mentions = hasUnread ? yield* ask(unreadMentions(id, maxPerRoom)) : [];
    const mentionsByRoom = Map.groupBy(mentions, ({ room }) => room);
    const memberships = rooms.map((room, n): Membership => {
      const partner = partnerById.get(otherOf(room.pair, id) ?? '');
      const row = rows[n] as Row;
      return {
        room,
        member: memberFrom(row),
        since: row.since as number,
        mentions: mentionsByAuthor(mentionsByRoom.get(row.num as number)),
        partner,
      };
    });
    return {
      user: user === undefined ? null : userFrom(user),
      memberships,
      blocked,
      arrived: arrival !== undefined,
    };
  },
  *partner({ dialect }, { user, other, room }) {
    const partnerById = yield* findPartners(dialect, user, [{ other, room }]);
    return partnerById.get(other) as Partner;
  },
  *sharesRoom({ dialect }, { user, of }) {
    const sharing = yield* findSharing(dialect, user, of);
    return of.filter((other) => sharing.has(other));
  },
};

export const membershipSubject = subject<None, MembershipReads>({
  rules: {},
  reads,
});
