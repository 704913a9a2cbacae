import { StoreError } from '../login.ts';
import type { GivenRoles, SiteDatabase, SiteWarning } from './application.ts';
import { mayBeCutOff } from './sql.ts';

export interface SiteGroup {
  id: string;
  name: string;
}

/** The lines of a list of all groups. @throws StoreError if the database may have left some out */
export function linesOfGroups(database: SiteDatabase, list: string): string[] {
  if (mayBeCutOff(database, list)) throw new StoreError('the site has more groups than the chat can read');
  return list.split('\n');
}

/** @param list lines with the id of a group, a blank and its name. @throws StoreError as `linesOfGroups` */
export function groupsIn(database: SiteDatabase, list: string): SiteGroup[] {
  return linesOfGroups(database, list).flatMap((line) => {
    const [, id, name] = /^(\d+) (.*)$/s.exec(line) ?? [];
    return id === undefined || name === undefined ? [] : [{ id, name }];
  });
}

/** The ids of the groups whose members have these roles; undefined where no setting lists any. */
export interface ListedGroups extends GivenRoles {
  warnings: readonly SiteWarning[];
}

/**
 * The groups in CHAT_SITE_ADMINS and CHAT_SITE_MODERATORS, where others than administrators can name groups: by `id:7`, or by
 * a name that one group alone has.
 */
export function groupsListed(given: GivenRoles, groups: readonly SiteGroup[]): ListedGroups {
  const warnings: SiteWarning[] = [];
  const idOf = (text: string) => {
    const [, own] = /^id:(\d+)$/.exec(text) ?? [];
    const listed = groups.find(({ id, name }) => (own === undefined ? name === text : id === own));
    const alike = groups.filter(({ name }) => folded(name) === folded(text));
    if (listed !== undefined && (own !== undefined || alike.length === 1)) return [listed.id];
    warnings.push(listed === undefined ? missing(text, own) : ambiguous(text, alike));
    return [];
  };
  return { admins: given.admins?.flatMap(idOf), moderators: given.moderators?.flatMap(idOf), warnings };
}

/** For an application that has them in its site. */
export const withListedGroups = {
  // They change where somebody names a group.
  comparedSettings: ({ listed, ...site }: { listed: ListedGroups }): unknown => site,
  warnings: ({ listed }: { listed: ListedGroups }) => listed.warnings,
};

/**
 * Names that differ in the case of letters or in blanks alone are equal. Names that only look alike are not: phpBB takes them
 * from anybody who may name a group, who could take roles away by them.
 */
const folded = (name: string) => name.toLowerCase().trim();

// Somebody who may name groups could take a name that none has.
const missing = (name: string, id: string | undefined): SiteWarning => ({
  reason:
    id === undefined
      ? `no group has the name ${name}, so it gives nobody a role in the chat until one is called so`
      : `no group has the id ${id}, so it gives nobody a role in the chat`,
  hint: 'List a group by its id in CHAT_SITE_ADMINS or CHAT_SITE_MODERATORS, or take this one out.',
});

const ambiguous = (name: string, groups: readonly SiteGroup[]): SiteWarning => ({
  reason: `several groups have the name ${name}, so it gives nobody a role in the chat: ${groups.map(({ id }) => `id:${id}`).join(', ')}`,
  hint: 'List the right one by its id in CHAT_SITE_ADMINS or CHAT_SITE_MODERATORS, or give the others other names.',
});
