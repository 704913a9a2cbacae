import { type SiteAccounts, StoreError } from '../login.ts';
import { Semaphore } from '../stores/semaphore.ts';
import { DatabaseError, likeEscape } from '../stores/sql/driver.ts';
import { encodeForColumn, packTable, unpackRow } from './rows.ts';
import type { OpenSite } from './site.ts';
import type { AccountTable } from './site-table.ts';
import type { SiteSql } from './sql.ts';

/** A search may read the whole table, and logins need the other connections. */
const maxSearches = 1;

/** @param nobody the IDs of the option `userNobody`. @param open as in `ClaimedLogins` */
export function openAccounts<Site>(
  { accounts }: { accounts(site: Site, sql: SiteSql): AccountTable },
  nobody: readonly string[],
  open: () => Promise<OpenSite>,
): SiteAccounts {
  const slots = new Semaphore(maxSearches);

  async function openTable() {
    const { site, driver, database, charset, views } = await open();
    const table = accounts(site as Site, driver);
    const columns = Object.keys(table.columns);
    const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
    const { packed, from } = packTable(driver, table, { charset, views });
    const select = `SELECT ${driver.asText(quoted('id'))}, ${packed}, NULL FROM ${from}`;
    const toNames = (rows: Awaited<ReturnType<typeof database.rows>>) =>
      rows.flatMap(({ id, data }): [string, string][] => {
        if (data === null || nobody.includes(id)) return [];
        const row = unpackRow(data, columns);
        return [[id, table.name((column) => row[column]?.toString('utf8') ?? '') || id]];
      });
    return {
      async findByIds(ids: readonly string[]) {
        try {
          return toNames(await database.rows(`${select} WHERE ${quoted('id')}`, ids));
        } catch (error) {
          // The database cannot compare an ID with the column, for example a word with numbers.
          if (error instanceof DatabaseError && error.problem === 'type') return null;
          throw error;
        }
      },
      async search(text: string, limit: number) {
        const found = new Map<string, string>();
        const literal = encodeForColumn(text, charset).replace(/[|%_]/g, `${likeEscape}$&`);
        // The beginning of the name first, because an index finds it.
        for (const pattern of [`${literal}%`, `% ${literal}%`]) {
          for (const column of table.search) {
            if (found.size >= limit) break;
            const rows = await database.search(select, quoted(column), pattern, limit);
            for (const [id, name] of toNames(rows)) found.set(id, name);
          }
        }
        return found;
      },
      timeoutMs: database.timeoutMs,
    };
  }

  return {
    async names(ids) {
      const { findByIds } = await openTable();
      const all = await findByIds(ids);
      const each =
        all === null && ids.length > 1 ? await Promise.all(ids.map((id) => findByIds([id]))) : [all];
      // MySQL also finds the number 7 by the text 7abc.
      return new Map(each.flatMap((found) => found ?? []).filter(([id]) => ids.includes(id)));
    },
    async search(text, limit) {
      const { findByIds, search, timeoutMs } = await openTable();
      await slots.acquire(AbortSignal.timeout(timeoutMs)).catch(() => {
        throw new StoreError(`too many concurrent searches for users: none ended within ${timeoutMs} ms`);
      });
      try {
        const byId = (await findByIds([text]))?.filter(([id]) => id === text) ?? [];
        const found = [...new Map([...byId, ...(await search(text, limit))])];
        return found.slice(0, limit).map(([id, name]) => ({ id, name }));
      } finally {
        slots.release();
      }
    },
  };
}
