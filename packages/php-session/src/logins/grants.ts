import { ConfigurationError } from '../configuration/configuration.ts';
import { StoreError } from '../login.ts';
import type { Database } from '../stores/sql/driver.ts';
import { type MemberApplication, quoteTable } from './application.ts';
import { findSite } from './applications.ts';
import type { SitePlace } from './site.ts';
import type { SiteSql } from './sql.ts';

/**
 * The SQL that gives a database user of the chat's own the least rights: views with the rows and columns that are read,
 * and nothing else. It can be run again, such as after an upgrade.
 * @param mails whether the addresses of users are read, if the option `userMail` does not find them in sessions
 * @returns its lines, or why they cannot be known
 */
export async function grants(place: SitePlace, mails = false): Promise<string[] | { problem: string }> {
  try {
    return await grantsOf(place, mails);
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof StoreError)) throw error;
    return { problem: error.message };
  }
}

/** The columns of a session table that the chat reads, and the one that it renews. @param options of its store URL */
function columnsOf(options: Readonly<Record<string, string>>, driver: SiteSql) {
  const { table = '', id = '', data = '', expires, last = '' } = options;
  const column = quoteTable(expires ?? last, driver);
  return {
    table: quoteTable(table, driver),
    read: [id, data].map((name) => quoteTable(name, driver)),
    column,
  };
}

/** This machine as MariaDB or MySQL sees it, which is a part of the name of each user there. */
async function hostSeen(database: Database): Promise<string> {
  const [[user] = []] = await database.query('SELECT USER()');

  const host = user?.slice(user.lastIndexOf('@') + 1) ?? '';
  // An administrator of the database runs the SQL.
  if (!/^[\w.:%-]+$/.test(host))
    throw new StoreError(
      'the database knows this machine by a name with other characters than those of a host: let its DNS name the machine without them, or set skip_name_resolve = ON in its configuration, so that it takes the address',
    );
  return host;
}

const ofHost = (host: string) =>
  `-- '${host}' is the machine of this command, as the database sees it. Put another one in its place, or a pattern such as '10.0.%', if the chat server runs elsewhere or its address changes, as in containers.`;

async function grantsOf(place: SitePlace, withMails: boolean): Promise<string[]> {
  // With the user of the site itself, who can see all of it.
  const site = await findSite({ ...place, database: undefined });
  const tables = 'session' in site ? site.accounts : site;
  if (tables === undefined)
    throw new StoreError(
      `${site.application.title} has PHP sessions: docs/sessions.md says which rights their store needs`,
    );
  const { application, found, reader } = tables;
  try {
    const { site: state, driver, database: opened } = await reader.open();
    const { kind, place: own } = application.database(found);
    if (kind === 'sqlite')
      throw new StoreError('an SQLite file has no users: let the account of the chat read the file');
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
    // Two tables of logins may have a part in common, and a login may be its only part.
    const views = [...new Map(all.map((each) => [each.view, each])).values()];
    const named = 'session' in site ? site.accounts?.sessions?.options : undefined;
    // A login that ends when unused: so that writing in the chat counts as a use.
    const renewed = [
      ...logins.flatMap((each) => each.renewed ?? []).map(({ id, ...rest }) => ({ ...rest, read: [id] })),
      ...sessions.map(({ view, renewed: { id, column } }) => ({ table: quoted(view), read: [id], column })),
      ...(named === undefined ? [] : [columnsOf(named, driver)]),
    ];
    const host = kind === 'mysql' ? await hostSeen(opened) : '';
    const user = kind === 'mysql' ? `'chat'@'${host}'` : 'chat';
    // A dot in it is part of the name.
    const name = own.path.slice(1).replaceAll(driver.quote, driver.quote.repeat(2));
    const database = driver.quote + name + driver.quote;
    return [
      ...(kind === 'mysql' && host !== 'localhost' ? [ofHost(host)] : []),
      kind === 'mysql'
        ? `CREATE USER IF NOT EXISTS ${user} IDENTIFIED BY 'PASSWORD';`
        : `DO $$ BEGIN CREATE ROLE ${user} LOGIN PASSWORD 'PASSWORD'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;`,
      ...(kind === 'mysql' ? [`USE ${database};`] : []),
      ...views.flatMap(({ view, select }) => [
        // PostgreSQL replaces no view by one with other columns.
        ...(kind === 'mysql'
          ? [`CREATE OR REPLACE VIEW ${quoted(view)} AS ${select};`]
          : [`DROP VIEW IF EXISTS ${quoted(view)};`, `CREATE VIEW ${quoted(view)} AS ${select};`]),
        `GRANT SELECT ON ${quoted(view)} TO ${user};`,
      ]),
      // A user with any right on a table sees when it has changed last. This right gives nothing else.
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
