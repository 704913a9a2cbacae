import type { SiteRole } from '../../wire/events.ts';

/** The operator's settings of the team that answers questions. */
export interface TeamSettings {
  users: ReadonlySet<string>;
  /** The roles on the site whose users are in the team. */
  roles: ReadonlySet<string>;
  /** What visitors can expect, such as office hours. */
  text?: string | undefined;
}

/** Returns the roles of a user of the site, with `team` for a member of the team. */
export function withTeam(
  team: TeamSettings | undefined,
  id: string,
  roles: readonly SiteRole[],
): readonly SiteRole[] {
  const isIn = team !== undefined && (team.users.has(id) || roles.some((role) => team.roles.has(role)));
  return isIn ? [...roles, 'team'] : roles;
}

export const isOfTeam = ({ roles }: { roles: readonly SiteRole[] }): boolean => roles.includes('team');
