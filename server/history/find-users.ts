import { asTyped, folded } from '../text/folding.ts';
import { isGuest } from '../wire/guest.ts';
import { type Asking, ask, type Dialect, inList, raw, type Sql, sql, unionAll } from './engine/dialect.ts';
import type { ReadsOf } from './engine/read.ts';
import { type None, subject } from './engine/subject.ts';
import { isBehind, listedFrom, type MemberCursor, type MemberPage, selectListed } from './members/members.ts';
import type { Row } from './records/columns.ts';
import { behindNames, findKeys, queryKeys, typedFindKeys } from './records/text-keys.ts';
import { type UserRecord, userFrom } from './records/user.ts';
import { userSelection } from './users/users.ts';

export interface FindUsersReads {
  /**
   * Users whose ID, name or a word of the name starts with `query`. Members of the user's non-public rooms come first.
   * `onlyShared`: only members of the user's rooms. Guests are not found.
   */
  findUsers: { in: { user: string; query: string; onlyShared: boolean; limit: number }; out: UserRecord[] };
  /**
   * The members of a room after `after` whose ID, name or a word of the name starts with `query`. Members whose whole
   * name may start with it come first, then the others, each in the order of the member list. A page with `next` can
   * have fewer members than `limit`. Guests are not found.
   */
  findMembers: { in: { room: string; query: string; after?: MemberCursor; limit: number }; out: MemberPage };
}

/** A query reads at most this many keys of users that match, some of which belong to users who are not findable. */
const maxScannedKeys = 2000;

/** One read of `findMembers` scans at most this many members, and one statement fewer, since most pages need few. */
const maxListedMembers = 2000;
const listedPerStatement = 200;

/** `scanMembers` reads at most this many members, for matches of the ID or of a later word of the name. */
const maxScannedMembers = 5000;

/** One statement reads the first matching members of this many rooms. */
const roomsPerStatement = 50;

/** Sort keys from `from` inclusive to `to` exclusive. */
interface SortRange {
  from: string;
  to: string;
}

/** Excludes guests: see `isGuest`. */
const noGuest = ({ name }: Dialect, column: 'user_id' | 'user_keys.user_id'): Sql =>
  raw(
    {
      // Not `!~`, because the planner would evaluate it for a sample of all IDs. The time would reveal hidden users. Not
      // `IS NULL`, because the planner would expect few members, and read and sort all members of a large room.
      PostgreSQL: `substring(${column}, '^g-[0-9a-f]{32}$') IS DISTINCT FROM ${column}`,
      MariaDB: `${column} NOT REGEXP '^g-[0-9a-f]{32}$'`,
      SQLite: `${column} NOT GLOB 'g-${'[0-9a-f]'.repeat(32)}'`,
    }[name],
  );

const allNames: SortRange = { from: '', to: behindNames };

/** Contains the keys of all names that start with `query`. */
function rangeOfNames(query: string): SortRange {
  const from = [...folded(query)].slice(0, 128).join('');
  return { from, to: from + behindNames };
}

/**
 * Collects matching users without duplicates, ordered by the call of `add`, then matches of the query as it was typed,
 * then by name.
 */
class Matches {
  readonly #key: string;
  readonly #typed: string;
  readonly #limit: number;
  readonly #userById = new Map<string, UserRecord>();

  constructor(query: string, limit: number) {
    this.#key = folded(query);
    this.#typed = asTyped(query);
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#userById.size >= this.#limit;
  }

  /** Adds the users who match. @param rows users with the column `sort` */
  add(rows: readonly Row[]): void {
    const key = this.#key;
    // Each find key is a part of the name or the ID. `includes` is a cheap filter before `findKeys` splits the name.
    const mayMatch = ({ id, name }: UserRecord) => folded(name).includes(key) || folded(id).includes(key);
    const isTyped = (user: UserRecord) => typedFindKeys(user).some((word) => word.startsWith(this.#typed));
    const matches = rows
      .map((row) => ({ user: userFrom(row), sort: row.sort as string }))
      .filter(({ user }) => mayMatch(user) && findKeys(user).some((findKey) => findKey.startsWith(key)))
      .map((match) => ({ ...match, rank: isTyped(match.user) ? 0 : 1 }));
    matches.sort((a, b) => a.rank - b.rank || compare(a.sort, b.sort) || compare(a.user.id, b.user.id));
    for (const { user } of matches) this.#userById.set(user.id, this.#userById.get(user.id) ?? user);
  }

  get users(): UserRecord[] {
    return [...this.#userById.values()].slice(0, this.#limit);
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** A search among the members of the asker's rooms. */
interface MemberSearch {
  dialect: Dialect;
  asker: string;
  /** True for members whose name the asker may see. */
  condition: Sql;
}

/** Selects members by name. Every range of sort keys excludes members that are listed by ID only. */
function selectMembers(
  { dialect, asker, condition }: MemberSearch,
  rooms: readonly number[],
  { from, to }: SortRange,
  limit: number,
): Sql {
  const [firstRoom = 0, ...otherRooms] = rooms;
  // Within a single room the index has this order, so the database stops after `limit` matches.
  const inRooms = otherRooms.length === 0 ? sql`room = ${firstRoom}` : inList(dialect, 'room', rooms);
  return sql`SELECT id, name, acted_public, site_role, sort
    FROM chat_members AS members JOIN chat_users AS users ON users.id = members.user_id
    WHERE ${inRooms} AND sources <> 0 AND sort >= ${from} AND sort < ${to} AND user_id <> ${asker} AND ${noGuest(dialect, 'user_id')}
      AND ${condition}
    ORDER BY room, sort, user_id LIMIT ${limit}`;
}

/** Reads up to `maxScannedMembers` members of these rooms, in the order of `rooms`, then by name. */
function* scanMembers(search: MemberSearch, rooms: readonly Row[]): Asking<Row[]> {
  const scanned: Row[] = [];
  for (let n = 0; n < rooms.length && scanned.length < maxScannedMembers; ) {
    const batch: number[] = [];
    // A statement sorts at most `maxScannedMembers` members, unless a single room is larger.
    for (let members = 0; n < rooms.length; n++) {
      members += rooms[n]?.members as number;
      if (batch.length > 0 && members > maxScannedMembers) break;
      batch.push(rooms[n]?.room as number);
    }
    scanned.push(...(yield* ask(selectMembers(search, batch, allNames, maxScannedMembers - scanned.length))));
  }
  return scanned;
}

const reads: ReadsOf<FindUsersReads> = {
  *findUsers({ dialect }, { user: asker, query, onlyShared, limit }) {
    const matches = new Matches(query, limit);
    const rooms = yield* ask(
      sql`SELECT room, kind, rooms.members AS members FROM chat_members AS members
          JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE user_id = ${asker} AND sources <> 0 AND (kind <> 'direct' OR last_seq > 0) ORDER BY room`,
    );
    const addMembers = function* (inRooms: readonly Row[], condition: Sql): Asking<void> {
      const search = { dialect, asker, condition };
      const range = rangeOfNames(query);
      for (let n = 0; n < inRooms.length && !matches.isFull; n += roomsPerStatement) {
        const statements = inRooms
          .slice(n, n + roomsPerStatement)
          .map(({ room }) => selectMembers(search, [room as number], range, limit));
        matches.add(yield* ask(unionAll(statements)));
      }
      if (!matches.isFull) matches.add(yield* scanMembers(search, inRooms));
    };
    yield* addMembers(
      rooms.filter(({ kind }) => kind !== 'public'),
      raw('(acted > 0 OR acted_public <> 0)'),
    );
    if (matches.isFull) return matches.users;
    if (onlyShared) {
      yield* addMembers(
        rooms.filter(({ kind }) => kind === 'public'),
        // Members of a public room may see the name of a user only after the user's public activity.
        raw('acted_public <> 0'),
      );
    } else {
      // A user can have several matching keys, so a page of keys may be too short.
      const keysPerStatement = 4 * limit;
      for (const key of queryKeys(query)) {
        let after = { sort: key, id: '' };
        for (let scanned = 0; !matches.isFull && scanned < maxScannedKeys; scanned += keysPerStatement) {
          // Excludes users whom only other users added to rooms. They have no keys, so the database reads few rows
          // beyond the limit. The order is that of the primary key, so it reads no more keys than it returns.
          const rows = yield* ask(
            sql`SELECT ${userSelection}, find_key AS sort
              FROM chat_user_keys AS user_keys JOIN chat_users AS users ON users.id = user_keys.user_id
              WHERE find_key >= ${after.sort} AND find_key < ${key + behindNames}
                AND (find_key > ${after.sort} OR user_keys.user_id > ${after.id}) AND user_keys.user_id <> ${asker}
                AND ${noGuest(dialect, 'user_keys.user_id')}
                AND (acted_public <> 0
                  OR EXISTS (SELECT 1 FROM chat_arrivals AS arrivals WHERE arrivals.user_id = user_keys.user_id)
                  OR EXISTS (SELECT 1 FROM chat_site_users AS site_users WHERE site_users.user_id = user_keys.user_id))
              ORDER BY find_key, user_keys.user_id LIMIT ${keysPerStatement}`,
          );
          matches.add(rows);
          const last = rows.at(-1);
          if (last === undefined || rows.length < keysPerStatement) break;
          after = { sort: last.sort as string, id: last.id as string };
        }
      }
    }
    return matches.users;
  },
  *findMembers(_, { room, query, after, limit }) {
    const key = folded(query);
    const names = rangeOfNames(query);
    const ranges = [names, { from: '', to: names.from }, { from: names.to }];
    const members: MemberPage['members'] = [];
    let scanned = 0;
    let place = after ?? { sort: names.from, id: '' };
    for (let n = after === undefined ? 0 : rangeAt(after.sort, names); ; ) {
      const { to } = ranges[n] as Partial<SortRange>;
      const isInRange = to === undefined ? isBehind(place) : sql`${isBehind(place)} AND sort < ${to}`;
      const rows = yield* ask(selectListed(room, isInRange, listedPerStatement));
      for (const row of rows) {
        if (members.length === limit || scanned === maxListedMembers) return { members, next: place };
        scanned++;
        const member = listedFrom(row);
        place = member.place;
        const isFound = findKeys(member.user).some((findKey) => findKey.startsWith(key));
        if (isFound && !isGuest(member.user.id)) members.push(member);
      }
      if (rows.length === listedPerStatement) continue;
      const next = ranges[++n];
      if (next === undefined) return { members };
      place = { sort: next.from, id: '' };
    }
  },
};

/** Returns the index of the range of `findMembers` that contains the sort key, in the order of the databases. */
function rangeAt(sort: string, { from, to }: SortRange): 0 | 1 | 2 {
  if (sort.startsWith(from) && !sort.startsWith(to)) return 0;
  return Buffer.compare(Buffer.from(sort), Buffer.from(from)) < 0 ? 1 : 2;
}

export const findUsersSubject = subject<None, FindUsersReads>({
  rules: {},
  reads,
});
