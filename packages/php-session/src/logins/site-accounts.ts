import type { SiteAccounts } from '../login.ts';
import { StoreError } from '../login.ts';
import { Semaphore } from '../stores/semaphore.ts';
import { DatabaseError, likeEscape } from '../stores/sql/driver.ts';
import type { AccountTable } from './application.ts';
import { forColumn, packedRows, unpacked } from './rows.ts';
import type { OpenSite } from './site.ts';
import type { SiteSql } from './sql.ts';

/** A search may read the whole table, so only one runs at a time. The other connections stay free for logins. */
const searchesAtOnce = 1;

/**
 * The accounts of a site, by its own table.
 * @param nobody IDs that are not users, by CHAT_USER_NOBODY
 * @param open as in `ClaimedLogins`
 */
export function accountsOf<Site>(
  { accounts }: { accounts(site: Site, sql: SiteSql): AccountTable },
  nobody: readonly string[],
  open: () => Promise<OpenSite>,
): SiteAccounts {
  const slots = new Semaphore(searchesAtOnce);

  async function questions() {
    const { site, driver, database, charset, views } = await open();
    const table = accounts(site as Site, driver);
    const columns = Object.keys(table.columns);
    const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
    const { packed, from } = packedRows(driver, table, { charset, views });
    const select = `SELECT ${driver.asText(quoted('id'))}, ${packed}, NULL FROM ${from}`;
    /** Names by ID. */
    const named = (rows: Awaited<ReturnType<typeof database.rows>>) =>
      rows.flatMap(({ id, data }): [string, string][] => {
        if (data === null || nobody.includes(id)) return [];
        const row = unpacked(data, columns);
        return [[id, table.name((column) => row[column]?.toString('utf8') ?? '') || id]];
      });
    return {
      async byIds(ids: readonly string[]) {
        try {
          return named(await database.rows(`${select} WHERE ${quoted('id')}`, ids));
        } catch (error) {
          // A text that is not an ID of this type, such as a word where IDs are numbers.
          if (error instanceof DatabaseError && error.problem === 'type') return null;
          throw error;
        }
      },
      async search(text: string, most: number) {
        const found = new Map<string, string>();
        const literal = forColumn(text, charset).replace(/[|%_]/g, `${likeEscape}$&`);
        // The beginning first: an index finds it. Only then words within the name.
        for (const pattern of [`${literal}%`, `% ${literal}%`]) {
          for (const column of table.search) {
            if (found.size >= most) break;
            const rows = await database.search(select, quoted(column), pattern, most);
            for (const [id, name] of named(rows)) found.set(id, name);
          }
        }
        return found;
      },
      timeout: database.timeout,
    };
  }

  return {
    async names(ids) {
      const { byIds } = await questions();
      const all = await byIds(ids);
      const each = all === null && ids.length > 1 ? await Promise.all(ids.map((id) => byIds([id]))) : [all];
      // MySQL also finds the number 7 by the text 7abc.
      return new Map(each.flatMap((found) => found ?? []).filter(([id]) => ids.includes(id)));
    },
    async search(text, limit) {
      const { byIds, search, timeout } = await questions();
      const busy = AbortSignal.timeout(timeout);
      await slots.acquire(busy).catch(() => {
        throw new StoreError(`other searches for users took more than ${timeout} ms`);
      });
      try {
        const byId = (await byIds([text]))?.filter(([id]) => id === text) ?? [];
        const found = [...new Map([...byId, ...(await search(text, limit))])];
        return found.slice(0, limit).map(([id, name]) => ({ id, name }));
      } finally {
        slots.release();
      }
    },
  };
}
