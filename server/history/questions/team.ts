import type { User } from '../../wire/events.ts';
import { ask, inList, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { type Need, needOf, roomValueLoader, rows, type ValueLoader, type Work } from '../engine/work.ts';
import {
  add,
  byPeople,
  isModerator,
  peopleIn,
  peopleLosing,
  putMember,
  take,
} from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import { acted, isMember, notifyOf, sources } from '../records/member.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';
import { getMember, loadedMembers } from '../rows/members.ts';
import { requireRoom } from '../rows/room-changes.ts';
import { existingRoom } from '../rows/rooms.ts';
import { isNotified } from '../rows/select.ts';
import { named } from '../users/users.ts';

// The members of a team, and how they become members of a question.

export interface TeamWrites {
  /**
   * Records that a user is in the team, and was seen there at this time. No-op for a user who is being erased or does not
   * exist. See `leaveTeam`.
   */
  joinTeam: { in: { user: string; team: string; at: number }; out: Nothing };
  /**
   * Returns up to `most` members who are not among `users`; with `before`, only those who were last seen before this
   * time. Not a read, because a start without reads needs one thread less.
   */
  othersInTeam: {
    in: { team: string; users: string[]; before?: number | undefined; most: number };
    out: { users: string[] };
  };
}

export interface TeamReads {
  /** The members of a team, longest known first. */
  team: { in: { team: string; limit: number }; out: User[] };
  /** Up to `limit` members of a team whose ID follows `after`, in order of their IDs. */
  teamAfter: { in: { team: string; after: string; limit: number }; out: string[] };
  /** When the user was last seen in the team; null if the user is not in the team. */
  inTeam: { in: { team: string; user: string }; out: { seenAt: number } | null };
}

/** The members of teams. */
export const team = table<{ user: string; team: string; since: number; seenAt?: number }>(
  'chat_team',
  ['user', 'team'],
  { user: 'user_id', team: 'team', since: 'since', seenAt: 'seen_at' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const teamNeed = (user: string, name: string): Need => rows(team, { user, team: name });

/** Whether the user was in the team at the last connection. */
export const isInTeam = (work: Work, user: string, name: string): boolean =>
  work.find(team, { user, team: name }).length > 0;

/** Whether the user is in the team and was seen there since a time. */
export const wasSeenSince = (work: Work, user: string, name: string, time: number): boolean =>
  // While servers are updated, those of an earlier version store only when a member was first seen.
  work.find(team, { user, team: name }).some(({ since, seenAt = since }) => seenAt >= time);

/** Maximum members of a team that become members of a question. */
const mostInTeam = 200;

/** The members of a team who become members of a question, as stored before the transaction. */
const invitedLoader: ValueLoader<{ team: string; of: string }, readonly string[]> = {
  name: 'invited members of a team',
  keyOf: ({ team: name, of }) => `${of} ${name}`,
  *find({ transaction }, work, needs) {
    const found: Need[] = [];
    for (const [name, some] of Map.groupBy(needs, (need) => need.team)) {
      const members = yield* transaction.query(
        sql`SELECT user_id FROM chat_team WHERE team = ${name} ORDER BY since, user_id LIMIT ${mostInTeam}`,
      );
      const users = members.map(({ user_id }) => user_id as string);
      for (const need of some) {
        work.keep(invitedLoader, need, users);
        found.push(...peopleIn(need.of, users));
      }
    }
    return found;
  },
};

/** Returns the need of `inviteTeam`. */
export const invitedNeed = (room: string, name: string): Need =>
  needOf(invitedLoader, { team: name, of: room });

/**
 * Makes the members of a team members of a question, longest known first, and turns on the notices of those who are.
 * @param options.readSeq the last message that new members do not get as unread
 * @param options.except a user who leaves the team in this transaction
 */
export function inviteTeam(
  work: Work,
  {
    id,
    name,
    readSeq,
    except,
    at,
  }: { id: string; name: string; readSeq: number; except?: string | undefined; at: number },
  changes: Change[],
): void {
  const how = { source: 'people', role: 'moderator', acted: acted.never, readSeq, at } as const;
  for (const user of work.value(invitedLoader, { team: name, of: id })) {
    if (user === except) continue;
    add(work, requireRoom(work, id), named(work, user), how, changes);
    turnOnNotices(work, id, user, changes);
  }
}

/** The members of the team who are notified of each message of a question, before the transaction. */
const notifiedLoader = roomValueLoader<{ room: string }, readonly string[]>('notified members of a team', {
  keyOf: ({ room }) => room,
  select: ({ num }) =>
    sql`SELECT user_id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
        WHERE members.room = ${num} AND role = 'moderator' AND sources <> 0 AND ${isNotified(false)}`,
  value: (found) => found.map(({ user_id }) => user_id as string),
  none: [],
});

/** Returns the need of `notifiesTeam`. */
export const notifiedNeed = (room: string): Need => needOf(notifiedLoader, { room });

/** Whether a member of the team is notified of each message of a question. */
export function notifiesTeam(work: Work, id: string): boolean {
  const loaded = loadedMembers(existingRoom(work, id));
  for (const member of loaded.values())
    if (member !== null && isModerator(member.row) && notifyOf('private', member.row) === 'all') return true;
  // The transaction may have changed any loaded member.
  return work.value(notifiedLoader, { room: id }).some((user) => !loaded.has(user));
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

/** Turns on the notices of a member of the team that are off because the user opened a question of another member. */
export function turnOnNotices(work: Work, id: string, user: string, changes: Change[]): void {
  const before = getMember(work, id, user);
  if (!isMember(before) || before.notify !== 'mentions') return;
  const { notify: _, ...now } = before;
  putMember(work, { room: id, user, before, now, ...byPeople }, changes);
}

const joinTeam: Rule<TeamWrites['joinTeam']> = {
  // A question in the same transaction would not invite the user.
  alone: true,
  needs: ({ user, team: name }) => [teamNeed(user, name), ...aboutUser(user)],
  run(work, { user, team: name, at }) {
    const [stored] = work.find(team, { user, team: name });
    if ((stored?.seenAt ?? 0) < at && !isGone(work, user))
      work.put(team, { user, team: name, since: at, ...stored, seenAt: at });
    return {};
  },
};

/** Members of a team who are not among some users, before the transaction. */
const othersLoader: ValueLoader<TeamWrites['othersInTeam']['in'], string[]> = {
  name: 'other members of a team',
  *find({ dialect, transaction }, work, needs) {
    for (const need of needs) {
      const others =
        need.users.length === 0 ? raw('') : sql`AND NOT ${inList(dialect, 'user_id', need.users)}`;
      const unseen = need.before === undefined ? raw('') : sql`AND COALESCE(seen_at, since) < ${need.before}`;
      const members = yield* transaction.query(
        sql`SELECT user_id FROM chat_team WHERE team = ${need.team} ${others} ${unseen} LIMIT ${need.most}`,
      );
      work.keep(
        othersLoader,
        need,
        members.map(({ user_id }) => user_id as string),
      );
    }
    return [];
  },
};

const othersInTeam: Rule<TeamWrites['othersInTeam']> = {
  alone: true,
  needs: (input) => [needOf(othersLoader, input)],
  run: (work, input) => ({ users: work.value(othersLoader, input) }),
};

const reads: ReadsOf<TeamReads> = {
  *team(_, { team: name, limit }) {
    const found = yield* ask(
      sql`SELECT users.id AS id, users.name AS name FROM chat_team AS team
          JOIN chat_users AS users ON users.id = team.user_id
          WHERE team = ${name} ORDER BY since, user_id LIMIT ${limit}`,
    );
    return found.map(({ id, name }) => ({ id: id as string, name: name as string }));
  },
  *teamAfter(_, { team: name, after, limit }) {
    const found = yield* ask(
      sql`SELECT user_id FROM chat_team WHERE team = ${name} AND user_id > ${after} ORDER BY user_id LIMIT ${limit}`,
    );
    return found.map(({ user_id }) => user_id as string);
  },
  *inTeam(_, { team: name, user }) {
    const [member] = yield* ask(
      sql`SELECT COALESCE(seen_at, since) AS seen FROM chat_team WHERE user_id = ${user} AND team = ${name}`,
    );
    return member === undefined ? null : { seenAt: member.seen as number };
  },
};

export const teamSubject = subject<TeamWrites, TeamReads>({
  tables: [team],
  rules: { joinTeam, othersInTeam },
  reads,
});
