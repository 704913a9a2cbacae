import type { SiteDatabase } from '../configuration/database-host.ts';
import { StoreError } from '../login.ts';
import { option } from '../names.ts';
import type { GivenRoles, SiteWarning } from './application.ts';
import { mayBeCutOff } from './sql.ts';

export interface SiteGroup {
  id: string;
  name: string;
}

/** Splits a list of groups into lines. @throws StoreError if the database may have cut off the list */
export function splitGroupLines(database: SiteDatabase, list: string): string[] {
  if (mayBeCutOff(database, list)) throw new StoreError('the site has more groups than can be read');
  return list.split('\n');
}

/**
 * Parses a list of groups.
 * @param list lines with a group's ID, a blank and its name
 * @throws StoreError as `splitGroupLines`
 */
export function parseGroups(database: SiteDatabase, list: string): SiteGroup[] {
  return splitGroupLines(database, list).flatMap((line) => {
    const [, id, name] = /^(\d+) (.*)$/s.exec(line) ?? [];
    return id === undefined || name === undefined ? [] : [{ id, name }];
  });
}

/** The IDs of the groups with these roles. Undefined if the option is not given. */
export interface ListedGroups extends GivenRoles {
  warnings: readonly SiteWarning[];
}

/**
 * Finds the groups of the options `siteAdmins`, `siteModerators` and `teamRoles`: by `id:7`, or by a name that only one group has. For
 * applications where users other than administrators can rename groups.
 */
export function findListedGroups(given: GivenRoles, groups: readonly SiteGroup[]): ListedGroups {
  const warnings: SiteWarning[] = [];
  const idOf = (text: string) => {
    const [, own] = /^id:(\d+)$/.exec(text) ?? [];
    const listed = groups.find(({ id, name }) => (own === undefined ? name === text : id === own));
    const alike = groups.filter(({ name }) => fold(name) === fold(text));
    if (listed !== undefined && (own !== undefined || alike.length === 1)) return [listed.id];
    warnings.push(listed === undefined ? missingWarning(text, own) : ambiguousWarning(text, alike));
    return [];
  };
  const [admins, moderators, team] = [given.admins, given.moderators, given.team].map((names) =>
    names?.flatMap(idOf),
  );
  return { admins, moderators, team, warnings };
}

/** For an application whose site has `listed`. */
export const withListedGroups = {
  // Users may rename groups at any time.
  comparedSettings: ({ listed, ...site }: { listed: ListedGroups }): unknown => site,
  warnings: ({ listed }: { listed: ListedGroups }) => listed.warnings,
};

/**
 * Converts a name for comparison. Ignores case and outer blanks, but not letters that only look alike, because otherwise a
 * user who may rename groups in phpBB could take away roles.
 */
const fold = (name: string) => name.toLowerCase().trim();

const listOptions = () => `${option('siteAdmins')}, ${option('siteModerators')} or ${option('teamRoles')}`;

// A name without a group needs a warning, because a user who gives a group this name would give its members the role.
const missingWarning = (name: string, id: string | undefined): SiteWarning => ({
  reason:
    id === undefined
      ? `no group has the name ${name}, so it gives no role until a group has that name`
      : `no group has the ID ${id}, so it gives no role`,
  hint: `List an existing group by its ID in ${listOptions()}, or remove this entry.`,
});

const ambiguousWarning = (name: string, groups: readonly SiteGroup[]): SiteWarning => ({
  reason: `several groups have the name ${name}, so it gives no role: ${groups.map(({ id }) => `id:${id}`).join(', ')}`,
  hint: `List the right group by its ID in ${listOptions()}, or rename the other groups.`,
});
