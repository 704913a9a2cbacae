import type { User } from '../../wire/events.ts';
import { ask, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';
import { isInTeam, team, teamNeed } from '../rows/questions.ts';

export interface TeamWrites {
  /** Records that a user is in the team. No-op for a user who is being erased or does not exist. See `leaveTeam`. */
  joinTeam: { in: { user: string; team: string; at: number }; out: Nothing };
  /** Returns members who are not among `users`. Not a read, because a start without reads needs one thread less. */
  othersInTeam: { in: { team: string; users: string[] }; out: { users: string[] } };
}

export interface TeamReads {
  /** The members of a team, longest known first. */
  team: { in: { team: string }; out: User[] };
}

const joinTeam: Rule<TeamWrites['joinTeam']> = {
  needs: ({ user, team: name }) => [teamNeed(user, name), ...aboutUser(user)],
  run(work, { user, team: name, at }) {
    if (!isInTeam(work, user, name) && !isGone(work, user)) work.put(team, { user, team: name, since: at });
    return {};
  },
};

const othersInTeam: Rule<TeamWrites['othersInTeam']> = {
  needs: ({ team: name }) => [rows(team, { team: name })],
  run(work, { team: name, users }) {
    const members = work.find(team, { team: name }).map(({ user }) => user);
    return { users: members.filter((user) => !users.includes(user)) };
  },
};

const reads: ReadsOf<TeamReads> = {
  *team(_, { team: name }) {
    const found = yield* ask(
      sql`SELECT users.id AS id, users.name AS name FROM chat_team AS team
          JOIN chat_users AS users ON users.id = team.user_id
          WHERE team = ${name} ORDER BY since, users.id`,
    );
    return found.map(({ id, name }) => ({ id: id as string, name: name as string }));
  },
};

export const teamSubject = subject<TeamWrites, TeamReads>({
  tables: [team],
  rules: { joinTeam, othersInTeam },
  reads,
});
