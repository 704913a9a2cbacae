import { type Logins, type SiteAccounts, StoreError } from '../login.ts';
import { option } from '../names.ts';
import { DatabaseError } from '../stores/sql/driver.ts';
import type { UserTable } from './application.ts';
import { openAccounts } from './site-accounts.ts';
import { quoteTable, selectAccounts } from './site-table.ts';
import { siteSql } from './sql.ts';

const unreadableProblems = ['table', 'column', 'permission', 'hidden', 'hiddenColumn'];

function rethrow(error: unknown): never {
  if (error instanceof DatabaseError && unreadableProblems.includes(error.problem))
    throw new StoreError(
      `${option('userTable')} names a table or a column that does not exist, or that the user of the database may not read (${error.code})`,
      { cause: error },
    );
  throw error;
}

/** Adds the accounts of the option `userTable` to logins. */
export function withUserTable(logins: Logins, given: UserTable | undefined): Logins {
  if (given === undefined) return logins;
  const { table, id, name, nobody } = given;
  const database = given.database.open();
  const driver = siteSql(given.database.driver);
  const quoted = (text: string) => quoteTable(text, driver);
  const users = selectAccounts('users', quoted(table), {
    id: quoted(id),
    name: driver.anyCase(quoted(name)),
  });
  const open = { site: null, driver, database, charset: 'utf8', views: false, versions: false } as const;
  const { names, search } = openAccounts({ accounts: () => users }, nobody, async () => open);
  const accounts: SiteAccounts = {
    names: (ids) => names(ids).catch(rethrow),
    search: (text, limit) => search(text, limit).catch(rethrow),
  };
  const closeLogins = logins.close.bind(logins);
  return Object.assign(logins, {
    accounts,
    close() {
      closeLogins();
      database.close();
    },
  });
}
