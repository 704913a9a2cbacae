import { sql } from '../engine/dialect.ts';
import { type Need, needOf, rows, type ValueLoader, type Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import { acted, isMember, sources } from '../records/member.ts';
import { getMember } from '../rows/members.ts';
import { team } from '../rows/questions.ts';
import { requireRoom } from '../rows/room-changes.ts';
import { named } from '../users/users.ts';
import { add, peopleLosing, take } from './membership.ts';

// The members of a team as members of a question.

/** Maximum members of a team that become members of a question. */
const mostInTeam = 200;

export const wholeTeamNeed = (name: string): Need => rows(team, { team: name });

/**
 * Makes the members of a team members of a question.
 * @param options.readSeq the last message that they do not get as unread
 */
export function inviteTeam(
  work: Work,
  { id, name, readSeq, at }: { id: string; name: string; readSeq: number; at: number },
  changes: Change[],
): void {
  const how = { source: 'people', role: 'moderator', acted: acted.never, readSeq, at } as const;
  const members = work
    .find(team, { team: name })
    .sort((a, b) => a.since - b.since || (a.user < b.user ? -1 : 1));
  for (const { user } of members.slice(0, mostInTeam))
    add(work, requireRoom(work, id), named(work, user), how, changes);
}

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
