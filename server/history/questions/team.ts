import type { User } from '../../wire/events.ts';
import { ask, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';

/** Maximum members of a team that become members of each question. */
const mostInTeam = 200;

export interface TeamWrites {
  /** Records that a user is in the team. No-op for a user who is being erased or does not exist. See `leaveTeam`. */
  joinTeam: { in: { user: string; team: string; at: number }; out: Nothing };
}

export interface TeamReads {
  /** The first members of a team who ever connected, with their current names. */
  team: { in: { team: string }; out: User[] };
}

/** The members of teams. */
export const team = table<{ user: string; team: string; since: number }>(
  'chat_team',
  ['user', 'team'],
  { user: 'user_id', team: 'team', since: 'since' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const teamNeed = (user: string, name: string) => rows(team, { user, team: name });

/** Whether the user was in the team at the last connection. */
export const isInTeam = (work: Work, user: string, name: string): boolean =>
  work.find(team, { user, team: name }).length > 0;

const joinTeam: Rule<TeamWrites['joinTeam']> = {
  needs: ({ user, team: name }) => [teamNeed(user, name), ...aboutUser(user)],
  run(work, { user, team: name, at }) {
    if (!isInTeam(work, user, name) && !isGone(work, user)) work.put(team, { user, team: name, since: at });
    return {};
  },
};

const reads: ReadsOf<TeamReads> = {
  *team(_, { team: name }) {
    const found = yield* ask(
      sql`SELECT users.id AS id, users.name AS name FROM chat_team AS team
          JOIN chat_users AS users ON users.id = team.user_id
          WHERE team = ${name} ORDER BY since, users.id LIMIT ${mostInTeam}`,
    );
    return found.map(({ id, name }) => ({ id: id as string, name: name as string }));
  },
};

export const teamSubject = subject<TeamWrites, TeamReads>({
  tables: [team],
  rules: { joinTeam },
  reads,
});
