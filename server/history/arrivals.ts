import type { SiteRole, User } from '../wire/events.ts';
import { ask, type Sql, sql, unionAll } from './engine/dialect.ts';
import { countUpTo, cutPage, type ReadsOf } from './engine/read.ts';
import { type Nothing, type Rule, refuse } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { type Need, rows } from './engine/work.ts';
import { add, take } from './members/membership.ts';
import { acted, sources } from './records/member.ts';
import { behindNames, queryKeys } from './records/text-keys.ts';
import { deletedUser, type UserRecord, userFrom } from './records/user.ts';
import { memberNeed, sessionRoomsNeed, sessionRoomsOf } from './rows/members.ts';
import { lastMessageNeed } from './rows/messages.ts';
import { newRoom, siteRoom } from './rows/room-changes.ts';
import { getRoom } from './rows/rooms.ts';
import { arrivals, getUser, siteUsers, userNeed } from './rows/users.ts';
import { putUser, rename, userSelection } from './users/users.ts';

export interface ArrivalWrites {
  /**
   * Stores the name and the site role of a user who connects. If `rooms` is set, the session's memberships become
   * exactly `rooms`; rooms that do not exist are created.
   */
  arrive: {
    in: { user: User; siteRole?: SiteRole; rooms?: readonly { id: string; name: string }[]; at: number };
    out: Nothing;
  };
  /** Makes users of the site findable before they first open the chat. Codes: `forbidden` (the ID of deleted users). */
  putSiteUsers: { in: { users: readonly User[]; at: number }; out: Nothing };
}

/** A cursor of `arrivals`. `key`: the time of the arrival, or with `query` the matching key. */
export interface ArrivalCursor {
  key: number | string;
  user: string;
}

export interface ArrivalReads {
  /** The user and the time of the first arrival in milliseconds since 1970, or null if the user never connected. */
  arrival: { in: { user: string }; out: { user: UserRecord; at: number } | null };
  /**
   * The users who ever connected, sorted by their first arrival, latest first. `query` is a prefix of the ID, the name
   * or a word of the name. With it, the users are sorted by the matching text. `next`: the `after` of the next page.
   */
  arrivals: {
    in: { query?: string; after?: ArrivalCursor; limit: number };
    out: { users: UserRecord[]; next?: ArrivalCursor };
  };
  /** The number of users who ever connected, counted up to `most`. */
  arrived: { in: { most: number }; out: number };
}

const arrive: Rule<ArrivalWrites['arrive']> = {
  needs: ({ user, rooms: listed }) => [
    userNeed(user.id),
    rows(arrivals, { user: user.id }),
    ...(listed === undefined ? [] : [sessionRoomsNeed(user.id)]),
    ...(listed ?? []).flatMap(({ id }): Need[] => [lastMessageNeed(id), memberNeed(id, user.id)]),
  ],
  run(work, { user, siteRole, rooms, at }, changes) {
    rename(work, user, changes);
    if (work.find(arrivals, { user: user.id }).length === 0) work.put(arrivals, { user: user.id, at });
    const stored = getUser(work, user.id);
    if (stored !== undefined && stored.siteRole !== siteRole) {
      const { siteRole: _, ...rest } = stored;
      putUser(work, { ...rest, siteRole }, changes);
    }
    if (rooms === undefined) return {};
    const listedIds = new Set(rooms.map(({ id }) => id));
    // Sorted, so that the changes have the same order with every database.
    for (const id of sessionRoomsOf(work, user.id).sort()) {
      const how = { bits: sources.session, by: 'session', cause: 'removed', at } as const;
      if (!listedIds.has(id)) take(work, id, user.id, how, changes);
    }
    for (const { id, name } of rooms) {
      const room = getRoom(work, id) ?? newRoom(work, siteRoom(work, id, 'private', name, at), changes);
      if (room.kind === 'direct') continue;
      add(work, room, user, { source: 'session', role: 'member', acted: acted.never, at }, changes);
    }
    return {};
  },
};

const putSiteUsers: Rule<ArrivalWrites['putSiteUsers']> = {
  adds: true,
  needs: ({ users }) => users.flatMap(({ id }): Need[] => [userNeed(id), rows(siteUsers, { user: id })]),
  run(work, { users, at }, changes) {
    for (const user of users) {
      if (user.id === deletedUser.id) refuse('forbidden');
      rename(work, user, changes);
      if (work.find(siteUsers, { user: user.id }).length === 0) work.put(siteUsers, { user: user.id, at });
    }
    return {};
  },
};

const reads: ReadsOf<ArrivalReads> = {
  *arrival(_, { user }) {
    const [row] = yield* ask(
      sql`SELECT ${userSelection}, at FROM chat_arrivals JOIN chat_users AS users ON users.id = user_id WHERE user_id = ${user}`,
    );
    return row === undefined ? null : { user: userFrom(row), at: row.at as number };
  },
  *arrivals(_, { query, after, limit }) {
    const rows = yield* ask(
      query === undefined ? newestArrivals(after, limit) : arrivalsByName(query, after, limit),
    );
    const { page, last } = cutPage(rows, limit);
    const next = last && {
      key: (query === undefined ? last.at : last.sort) as number | string,
      user: last.id as string,
    };
    return { users: page.map(userFrom), next };
  },
  arrived: (_, { most }) => countUpTo(most, sql`SELECT at FROM chat_arrivals WHERE at >= 0`),
};

function newestArrivals(after: ArrivalCursor | undefined, limit: number): Sql {
  const { key, user } = after ?? { key: Number.MAX_SAFE_INTEGER, user: '' };
  return sql`SELECT ${userSelection}, at FROM chat_arrivals JOIN chat_users AS users ON users.id = user_id
             WHERE at <= ${key} AND (at < ${key} OR user_id < ${user}) ORDER BY at DESC, user_id DESC LIMIT ${limit + 1}`;
}

/** Lists each user once, by the first matching key. */
function arrivalsByName(query: string, after: ArrivalCursor | undefined, limit: number): Sql {
  const starts = queryKeys(query);
  const { key, user } = after ?? { key: '', user: '' };
  const isEarlier = either(
    starts.map(
      (start) => sql`(earlier.find_key >= ${start} AND earlier.find_key < ${start + behindNames}
                      AND earlier.find_key < user_keys.find_key)`,
    ),
  );
  // A statement for each start, so that the database reads no keys between them.
  const pages = starts.map(
    (start) => sql`SELECT ${userSelection}, find_key AS sort FROM chat_user_keys AS user_keys
             JOIN chat_arrivals AS arrivals ON arrivals.user_id = user_keys.user_id
             JOIN chat_users AS users ON users.id = user_keys.user_id
             WHERE find_key >= ${start} AND find_key < ${start + behindNames} AND find_key >= ${key}
               AND (find_key > ${key} OR user_keys.user_id > ${user})
               AND NOT EXISTS (SELECT 1 FROM chat_user_keys AS earlier WHERE earlier.user_id = user_keys.user_id
                 AND ${isEarlier})
             ORDER BY find_key, user_keys.user_id LIMIT ${limit + 1}`,
  );
  return sql`${unionAll(pages)} ORDER BY sort, id LIMIT ${limit + 1}`;
}

const either = (conditions: readonly Sql[]): Sql => ({
  text: `(${conditions.map(({ text }) => text).join(' OR ')})`,
  values: conditions.flatMap(({ values }) => values),
});

export const arrivalSubject = subject<ArrivalWrites, ArrivalReads>({
  tables: [arrivals, siteUsers],
  rules: { arrive, putSiteUsers },
  reads,
});
