import type { Logins, SiteAccounts } from '../login.ts';
import { StoreError } from '../login.ts';
import { DatabaseError } from '../stores/sql/driver.ts';
import { quoteTable, selectAccounts, type UserTable } from './application.ts';
import { accountsOf } from './site-accounts.ts';
import { siteSql } from './sql.ts';

const unreadable = ['table', 'column', 'permission', 'hidden', 'hiddenColumn'];

/** In words of the setting. */
function explained(error: unknown): never {
  if (error instanceof DatabaseError && unreadable.includes(error.problem))
    throw new StoreError(
      `CHAT_USER_TABLE names a table or a column that is not there, or that the user of the database may not read (${error.code})`,
      { cause: error },
    );
  throw error;
}

/** The same logins, with the users of the table that the operator names. */
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
  const { names, search } = accountsOf({ accounts: () => users }, nobody, async () => open);
  const accounts: SiteAccounts = {
    names: (ids) => names(ids).catch(explained),
    search: (text, limit) => search(text, limit).catch(explained),
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
