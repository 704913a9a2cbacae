import { sql } from '../engine/dialect.ts';
import { type Need, needOf, type ValueLoader, type Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import { acted, isMember, sources } from '../records/member.ts';
import { getMember } from '../rows/members.ts';
import { peopleLosing, take } from './membership.ts';

/** The members of the team who did not write in a room, before the transaction. */
const silentLoader: ValueLoader<{ of: string }, readonly string[]> = {
  name: 'silent members of a team',
  keyOf: ({ of }) => of,
  *find({ transaction }, work, needs) {
    const found: Need[] = [];
    for (const need of needs) {
      const members = yield* transaction.query(
        sql`SELECT user_id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE rooms.id = ${need.of} AND role = 'moderator' AND sources <> 0 AND acted < ${acted.written}`,
      );
      const users = members.map(({ user_id }) => user_id as string);
      work.keep(silentLoader, need, users);
      found.push(...peopleLosing(need.of, users));
    }
    return found;
  },
};

/** Returns the need of `leaveToOne`. */
export const silentNeed = (room: string): Need => needOf(silentLoader, { of: room });

/** Ends the memberships of the members of the team who did not write, except the user who has the question. */
export function leaveToOne(work: Work, id: string, by: string, at: number, changes: Change[]): void {
  for (const user of work.value(silentLoader, { of: id })) {
    const member = getMember(work, id, user);
    if (user === by || !isMember(member) || member.acted === acted.written) continue;
    take(work, id, user, { bits: sources.people, by: 'people', cause: 'left', at }, changes);
  }
}
