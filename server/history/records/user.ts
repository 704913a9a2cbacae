import type { SiteRole, User } from '../../wire/events.ts';
import type { Row } from './columns.ts';

/** Replaces erased users. No session has this ID, because `empty('0')` is true in PHP. */
export const deletedUser: User = { id: '0', name: 'Deleted user' };

/** The stored data of a user. */
export interface UserRecord extends User {
  /** Whether the user joined a public room, or wrote in one. */
  actedPublic: boolean;
  /** The highest site role among the sessions of the user's last visit. */
  siteRole?: SiteRole;
}

export function userFrom(row: Row): UserRecord {
  return {
    id: row.id as string,
    name: row.name as string,
    actedPublic: row.acted_public === 1,
    siteRole: (row.site_role ?? undefined) as UserRecord['siteRole'],
  };
}
