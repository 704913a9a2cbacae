import type { SiteRole, User } from '../../wire/events.ts';
import type { Row } from '../engine/table.ts';

/** The user in place of an erased one. No session has this id: PHP calls it empty. */
export const deletedUser: User = { id: '0', name: 'Deleted user' };

/** The stored data of a user. */
export interface UserRecord extends User {
  /** Has joined or written in a public room. */
  actedPublic: boolean;
  /** The highest role that the sessions gave when the user was last here. */
  siteRole?: SiteRole;
}

export function userFrom(row: Row): UserRecord {
  return {
    id: row.id as string,
    name: row.name as string,
    actedPublic: row.acted_public === 1,
    ...(row.site_role === null ? {} : { siteRole: row.site_role as NonNullable<UserRecord['siteRole']> }),
  };
}
