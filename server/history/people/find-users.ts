import { type Asking, ask, type Dialect, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { Row } from '../engine/table.ts';
import { behindNames, findKeys, nameKey, sortKey } from '../text-keys.ts';
import { type UserRecord, userFrom } from './user.ts';
import { userSelection } from './users.ts';

export interface FindUsersReads {
  /**
   * Users by the beginning of the id, the name or a word of the name; those who share a private room with `user` first.
   * `onlyShared`: no others.
   */
  findUsers: { in: { user: string; query: string; onlyShared: boolean; limit: number }; out: UserRecord[] };
}

/** Users with a matching key who are scanned. */
const maxScannedUsers = 2000;

/** Members of the user's rooms who are scanned for a match in the middle of a name, or of the ID. */
const maxScannedMembers = 5000;

/** Rooms whose first matching members are read with one statement. */
const roomsPerStatement = 50;

/** Sort keys from `from` on and before `to`. */
interface SortRange {
  from: string;
  to: string;
}

const allNames: SortRange = { from: '', to: behindNames };

/** All names that start with this, and perhaps some more. */
function namesLike(query: string): SortRange {
  const from = [...sortKey(query)].slice(0, 128).join('');
  return { from, to: from + behindNames };
}

const unionAll = (statements: readonly Sql[]): Sql => ({
  text: statements.map(({ text }, n) => `SELECT * FROM (${text}) AS some_${n}`).join(' UNION ALL '),
  values: statements.flatMap(({ values }) => values),
});

/** Collects matching users, each once: by the call that added them, then by name. */
class FoundUsers {
  readonly #key: string;
  readonly #limit: number;
  readonly #userById = new Map<string, UserRecord>();

  constructor(query: string, limit: number) {
    this.#key = nameKey(query);
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#userById.size >= this.#limit;
  }

  /** @param rows users, with their sort keys */
  add(rows: readonly Row[]): void {
    const key = this.#key;
    // Each key is a part of the name or the ID, and searching for a part is cheap.
    const mayMatch = ({ id, name }: UserRecord) => nameKey(name).includes(key) || nameKey(id).includes(key);
    const matches = rows
      .map((row) => ({ user: userFrom(row), sort: row.sort as string }))
      .filter(({ user }) => mayMatch(user) && findKeys(user).some((one) => one.startsWith(key)));
    matches.sort((a, b) => compare(a.sort, b.sort) || compare(a.user.id, b.user.id));
    for (const { user } of matches) this.#userById.set(user.id, this.#userById.get(user.id) ?? user);
  }

  get users(): UserRecord[] {
    return [...this.#userById.values()].slice(0, this.#limit);
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Searches the members of rooms that an asker is in. */
interface MemberSearch {
  dialect: Dialect;
  asker: string;
  /** Which members are known to the asker by name. */
  condition: Sql;
}

/** Selects the first members by name, without scanning those whose names are not shown. */
function selectMembers(
  { dialect, asker, condition }: MemberSearch,
  rooms: readonly number[],
  { from, to }: SortRange,
  limit: number,
): Sql {
  const [only = 0, ...others] = rooms;
  // The index has the members of one room in this order, so the database reads no more than `limit` of them.
  const inRooms = others.length === 0 ? sql`room = ${only}` : inList(dialect, 'room', rooms);
  return sql`SELECT id, name, acted_public, site_role, sort
    FROM chat_members AS members JOIN chat_users AS users ON users.id = members.user_id
    WHERE ${inRooms} AND sources <> 0 AND sort >= ${from} AND sort < ${to} AND user_id <> ${asker} AND ${condition}
    ORDER BY room, sort, user_id LIMIT ${limit}`;
}

/** Reads some members of these rooms, by room and name. */
function* scanMembers(search: MemberSearch, rooms: readonly Row[]): Asking<Row[]> {
  const scanned: Row[] = [];
  for (let n = 0; n < rooms.length && scanned.length < maxScannedMembers; ) {
    const some: number[] = [];
    // A statement sorts no more members than are scanned, except those of a single larger room.
    for (let members = 0; n < rooms.length; n++) {
      members += rooms[n]?.members as number;
      if (some.length > 0 && members > maxScannedMembers) break;
      some.push(rooms[n]?.room as number);
    }
    scanned.push(...(yield* ask(selectMembers(search, some, allNames, maxScannedMembers - scanned.length))));
  }
  return scanned;
}

export const findUsersReads: ReadsOf<FindUsersReads> = {
  *findUsers({ dialect }, { user: asker, query, onlyShared, limit }) {
    const found = new FoundUsers(query, limit);
    const rooms = yield* ask(
      sql`SELECT room, kind, rooms.members AS members FROM chat_members AS members
          JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE user_id = ${asker} AND sources <> 0 AND (kind <> 'direct' OR last_seq > 0) ORDER BY room`,
    );
    const addMembers = function* (of: readonly Row[], condition: Sql): Asking<void> {
      const search = { dialect, asker, condition };
      const named = namesLike(query);
      const first: Row[] = [];
      for (let n = 0; n < of.length; n += roomsPerStatement) {
        const statements = of
          .slice(n, n + roomsPerStatement)
          .map(({ room }) => selectMembers(search, [room as number], named, limit));
        first.push(...(yield* ask(unionAll(statements))));
      }
      found.add(first);
      if (!found.isFull) found.add(yield* scanMembers(search, of));
    };
    yield* addMembers(
      rooms.filter(({ kind }) => kind !== 'public'),
      raw('(acted > 0 OR acted_public <> 0)'),
    );
    if (found.isFull) return found.users;
    if (onlyShared) {
      yield* addMembers(
        rooms.filter(({ kind }) => kind === 'public'),
        // Without a shared private room a user is known only by public activity.
        raw('acted_public <> 0'),
      );
    } else {
      const key = nameKey(query);
      // Users whom only others have named, as by adding them to a room, are not known to anybody else. They have no keys, so
      // the limit bounds the rows that are read.
      const rows = yield* ask(
        sql`SELECT ${userSelection}, find_key AS sort
            FROM chat_user_keys AS user_keys JOIN chat_users AS users ON users.id = user_keys.user_id
            WHERE find_key >= ${key} AND find_key < ${key + behindNames} AND users.id <> ${asker}
              AND (acted_public <> 0
                OR EXISTS (SELECT 1 FROM chat_arrivals AS arrivals WHERE arrivals.user_id = users.id)
                OR EXISTS (SELECT 1 FROM chat_site_users AS site_users WHERE site_users.user_id = users.id))
            ORDER BY find_key, users.id LIMIT ${maxScannedUsers}`,
      );
      found.add(rows);
    }
    return found.users;
  },
};
