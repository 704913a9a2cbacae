import { StoreError } from '../login.ts';
import type { Doubt, SiteDatabase } from './application.ts';
import { mayBeCutOff } from './sql.ts';

export interface SiteGroup {
  id: string;
  name: string;
}

/** @param list lines with the id of a group, a blank and its name. @throws StoreError if the database may have left some out */
export function groupsIn(database: SiteDatabase, list: string): SiteGroup[] {
  if (mayBeCutOff(database, list)) throw new StoreError('the site has more groups than the chat can read');
  return list.split('\n').flatMap((line) => {
    const [, id, name] = /^(\d+) (.*)$/s.exec(line) ?? [];
    return id === undefined || name === undefined ? [] : [{ id, name }];
  });
}

/**
 * The ids of the groups that CHAT_SITE_ADMINS or CHAT_SITE_MODERATORS list, where others than administrators can name
 * groups: by `id:7`, or by a name that one group alone has.
 */
export function groupsListed(
  given: readonly string[],
  groups: readonly SiteGroup[],
): { ids: string[]; doubts: Doubt[] } {
  const [ids, doubts]: [string[], Doubt[]] = [[], []];
  for (const text of given) {
    const [, id] = /^id:(\d+)$/.exec(text) ?? [];
    if (id !== undefined) ids.push(id);
    else if (groups.some(({ name }) => name === text)) {
      const same = groups.filter(({ name }) => folded(name) === folded(text)).map((group) => group.id);
      if (same.length === 1) ids.push(...same);
      else doubts.push(doubtAbout(text, same));
    }
  }
  return { ids, doubts };
}

/** Names that a site may take for the same are equal. */
const folded = (name: string) => name.normalize('NFKC').toUpperCase().trim();

const doubtAbout = (name: string, ids: readonly string[]): Doubt => ({
  reason: `several groups have the name ${name}, so it gives nobody a role in the chat: ${ids.map((id) => `id:${id}`).join(', ')}`,
  hint: 'List the right one by its id in CHAT_SITE_ADMINS or CHAT_SITE_MODERATORS, or give the others other names.',
});
