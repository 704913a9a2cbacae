import type { SiteRole } from '../../wire/events.ts';

/** The operator's settings of the team that answers questions. */
export interface TeamSettings {
  users: ReadonlySet<string>;
  /** The roles of the chat whose users are in the team. Logins add the role `team` for names of roles of the site. */
  roles: ReadonlySet<string>;
  /** Whether roles of the chat or of the site make users members of the team. */
  hasRoles: boolean;
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
  return isIn && !isOfTeam({ roles }) ? [...roles, 'team'] : roles;
}

export const isOfTeam = ({ roles }: { roles: readonly SiteRole[] }): boolean => roles.includes('team');
