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

export const isOfTeam = ({ roles }: { roles: readonly SiteRole[] }): boolean => roles.includes('team');
