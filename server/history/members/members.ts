import { ask, inList, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { MemberReads } from '../history.ts';
import { roomNumber } from '../rooms/rooms.ts';
import { memberColumns, memberFrom, userFrom } from '../rows.ts';
import { findKeys, nameKey } from '../text-keys.ts';

/** The columns of a `MemberRecord`. */
export const memberSelection = raw(memberColumns);

/** One page of a search by name scans this many members, this many with each statement. */
const maxScannedMembers = 2000;
const membersPerStatement = 200;

export const memberReads: ReadsOf<MemberReads> = {
  *membersOf({ dialect }, { room, users }) {
    if (users.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT user_id, ${memberSelection} FROM chat_members
          WHERE room = ${roomNumber(room)} AND ${inList(dialect, 'user_id', users)}`,
    );
    const memberById = new Map(rows.map((row) => [row.user_id as string, memberFrom(row)]));
    return users.map((user) => memberById.get(user) ?? null);
  },
  *members(_, { room, query, after = { sort: '', id: '' }, limit }) {
    const key = query === undefined ? undefined : nameKey(query);
    const members: MemberReads['members']['out']['members'] = [];
    const num = roomNumber(room);
    let place = after;
    for (let scanned = 0; ; ) {
      const most = key === undefined ? limit + 1 : membersPerStatement;
      const rows = yield* ask(
        sql`SELECT user_id AS id, coalesce(users.name, user_id) AS name, coalesce(acted_public, 0) AS acted_public,
              site_role, sort, ${memberSelection}
            FROM chat_members AS members LEFT JOIN chat_users AS users ON users.id = members.user_id
            WHERE room = ${num} AND sources <> 0
              AND sort >= ${place.sort} AND (sort > ${place.sort} OR user_id > ${place.id})
            ORDER BY sort, user_id LIMIT ${most}`,
      );
      for (const row of rows) {
        if (members.length === limit || scanned === maxScannedMembers) return { members, next: place };
        scanned++;
        const user = userFrom(row);
        place = { sort: row.sort as string, id: user.id };
        if (key !== undefined && !findKeys(user).some((one) => one.startsWith(key))) continue;
        members.push({ user, member: memberFrom(row), place });
      }
      if (rows.length < most) return { members };
    }
  },
};
