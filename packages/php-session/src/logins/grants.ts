import { ConfigurationError } from '../configuration/configuration.ts';
import { StoreError } from '../login.ts';
import type { Database } from '../stores/sql/driver.ts';
import type { MemberApplication } from './application.ts';
import { type FolderSettings, findSite } from './applications.ts';
import type { SitePlace } from './site.ts';
import { quoteTable } from './site-table.ts';
import type { SiteSql } from './sql.ts';

/**
 * Returns the SQL that creates a database user with minimal rights: views with the rows and columns that are read. It can
 * be run again, such as after an upgrade.
 * @param mails also allows reading mail addresses. Not needed with the option `userMail`, which finds them in sessions
 * @returns its lines, or why they are unknown
 */
export async function grants(
  { site }: FolderSettings,
  mails = false,
): Promise<string[] | { problem: string }> {
  try {
    return await readGrants(site, mails);
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof StoreError)) throw error;
    return { problem: error.message };
  }
}

/** Returns the columns of a session table that are read, and the column that is renewed. @param options of its store URL */
function toRenewedTable(options: Readonly<Record<string, string>>, driver: SiteSql) {
  const { table = '', id = '', data = '', expires, last = '' } = options;
  const column = quoteTable(expires ?? last, driver);
  return {
    table: quoteTable(table, driver),
    read: [id, data].map((name) => quoteTable(name, driver)),
    column,
  };
}

/**
 * Returns the host name under which MariaDB or MySQL knows this machine. A database user is identified by name and host.
 * @throws StoreError if it is not a valid host name
 */
async function readClientHost(database: Database): Promise<string> {
  const [[user] = []] = await database.query('SELECT USER()');
  const host = user?.slice(user.lastIndexOf('@') + 1) ?? '';
  // An administrator runs the printed grants, which contain this name, so it must not be able to inject SQL.
  if (!/^[\w.:%-]+$/.test(host))
    throw new StoreError(
      'the database knows this machine by a name that is not a valid host name: correct the name in the DNS of the database, or set skip_name_resolve = ON in its configuration, so that it uses the address',
    );
  return host;
}

const hostComment = (host: string) =>
  `-- '${host}' is the machine of this command, as the database sees it. Put another one in its place, or a pattern such as '10.0.%', if this server runs elsewhere or its address changes, as in containers.`;

async function readGrants(place: SitePlace, withMails: boolean): Promise<string[]> {
  // The site's own user sees all tables.
  const site = await findSite({ ...place, database: undefined });
  const tables = 'session' in site ? site.accounts : site;
  if (tables === undefined)
    throw new StoreError(
      `${site.application.title} has PHP sessions: docs/sites/stores.md says which rights their store needs`,
    );
  const { application, found, reader } = tables;
  try {
    const { site: state, driver, database: opened } = await reader.open();
    const { kind, place: own } = found.database;
    if (kind === 'sqlite')
      throw new StoreError('an SQLite file has no users: let the account of this program read the file');
    const quoted = (name: string) => quoteTable(name, driver);
    const logins = Object.values(application.logins(state, driver));
    const settings = application.settings(found, driver);
    const parts = driver.changed === undefined ? [] : logins.flatMap((each) => each.parts ?? []);
    const changing = new Set(parts.flatMap((part) => part.tables ?? []));
    const store = 'sessions' in application ? (application as MemberApplication).sessions(state).store : '';
    const sessions = typeof store === 'string' ? [] : [store];
    const isInSession = place.sessions?.given.userMail !== undefined;
    const mails = withMails && !isInSession ? application.mails?.(state, driver) : undefined;
    const accounts = application.accounts(state, driver);
    const all = [
      ...(settings === null ? [] : [settings]),
      ...logins,
      ...parts,
      ...sessions,
      accounts,
      ...(mails === undefined ? [] : [mails]),
    ];
    // Tables of logins may share parts.
    const views = [...new Map(all.map((each) => [each.view, each])).values()];
    const named = 'session' in site ? site.accounts?.sessions?.options : undefined;
    // Logins that expire when unused are renewed.
    const renewed = [
      ...logins.flatMap((each) => each.renewed ?? []).map(({ id, ...rest }) => ({ ...rest, read: [id] })),
      ...sessions.map(({ view, renewed: { id, column } }) => ({ table: quoted(view), read: [id], column })),
      ...(named === undefined ? [] : [toRenewedTable(named, driver)]),
    ];
    const host = kind === 'mysql' ? await readClientHost(opened) : '';
    const user = kind === 'mysql' ? `'chat'@'${host}'` : 'chat';
    // A dot is part of the name.
    const name = own.path.slice(1).replaceAll(driver.quote, driver.quote.repeat(2));
    const database = driver.quote + name + driver.quote;
    return [
      ...(kind === 'mysql' && host !== 'localhost' ? [hostComment(host)] : []),
      kind === 'mysql'
        ? `CREATE USER IF NOT EXISTS ${user} IDENTIFIED BY 'PASSWORD';`
        : `DO $$ BEGIN CREATE ROLE ${user} LOGIN PASSWORD 'PASSWORD'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;`,
      ...(kind === 'mysql' ? [`USE ${database};`] : []),
      ...views.flatMap(({ view, select }) => [
        // PostgreSQL cannot change a view's columns, so drop it first.
        ...(kind === 'mysql'
          ? [`CREATE OR REPLACE VIEW ${quoted(view)} AS ${select};`]
          : [`DROP VIEW IF EXISTS ${quoted(view)};`, `CREATE VIEW ${quoted(view)} AS ${select};`]),
        `GRANT SELECT ON ${quoted(view)} TO ${user};`,
      ]),
      // Any right on a table shows when it was last changed, and this one allows nothing else.
      ...[...changing].map((table) => `GRANT REFERENCES ON ${quoteTable(table, driver)} TO ${user};`),
      ...renewed.map(
        ({ table, read, column }) =>
          `GRANT SELECT (${[...read, column].join(', ')}), UPDATE (${column}) ON ${table} TO ${user};`,
      ),
    ];
  } finally {
    reader.close();
  }
}
