import { findSite, openSite } from '../applications.ts';
import { ConfigurationError } from '../configuration/configuration.ts';
import { StoreError } from '../login.ts';
import type { SitePlace } from '../site.ts';
import { cookieHeader, type Examined, examine } from './examine.ts';
import { type Finding, printable, well, wrong } from './finding.ts';

/** Checks the configuration of a site and its database or session store, and follows one login. */
export async function* examineSite(place: SitePlace, how: Examined): AsyncGenerator<Finding> {
  const { cookie } = how;
  try {
    const { title, logins, session } = await openSite({ ...place, checks: false });
    try {
      yield well(`${place.folder} is the folder of ${title}, and its configuration can be read.`);
      if (session !== undefined) yield* examine(session, how);
      if (session !== undefined && session.user.proof === undefined) return;
      const fault = await logins.fault();
      if (fault !== null) return yield wrong(`The database of the site: ${fault.message}.`);
      yield (await isReplica(place))
        ? wrong(
            'The database of the site is a replica or read-only: a logout reaches it late, or never.',
            'Set CHAT_SITE_DATABASE to the primary, which the site writes to.',
          )
        : well('The database of the site answers.');
      if (cookie === undefined) return;
      // Where the cookies come from is not known here.
      const cookies = cookieHeader(cookie, session?.cookie.name);
      const answer = await logins.identify({ cookies });
      if ('code' in answer)
        return yield wrong(`Nobody is logged in with these cookies: ${answer.reason}.`, answer.hint);
      const { id, name, roles = [], banned } = answer.user;
      const more = [...roles, ...(banned ? ['kept out of the chat'] : [])];
      const suffix = more.length === 0 ? '' : `, ${more.join(', ')}`;
      yield well(`The user ${printable(id)} is logged in, whom others see as ${printable(name)}${suffix}.`);
    } finally {
      logins.close();
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    yield wrong(error.message);
  }
}

/** @throws StoreError */
async function isReplica(place: SitePlace): Promise<boolean> {
  const found = await findSite(place);
  if (!('reader' in found)) return false;
  try {
    const { driver, database } = await found.reader.open();
    if (driver.isReplica === undefined) return false;
    const state = `CASE WHEN ${driver.isReplica} THEN 'replica' ELSE 'primary' END`;
    const sql = `SELECT 'any', NULL, ${state} FROM (SELECT 1 AS one) AS one WHERE 'any'`;
    return (await database.rows(sql, ['any']))[0]?.state === 'replica';
  } finally {
    found.reader.close();
  }
}

/** The name of the cookie by which a site knows its users; undefined if the site cannot be read. */
export async function siteCookie(place: SitePlace): Promise<string | undefined> {
  try {
    const { logins, session } = await openSite(place);
    try {
      if (session !== undefined) return session.cookie.name;
      const answer = await logins.identify({});
      return 'cookie' in answer ? answer.cookie : undefined;
    } finally {
      logins.close();
    }
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/**
 * The SQL that gives a database user of the chat's own the least rights: views with the rows and columns that are read,
 * and nothing else.
 * @returns its lines, or why they cannot be known
 */
export async function grants(place: SitePlace): Promise<string[] | { problem: string }> {
  try {
    return await grantsOf(place);
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof StoreError)) throw error;
    return { problem: error.message };
  }
}

async function grantsOf(place: SitePlace): Promise<string[]> {
  // With the user of the site itself, who can see all of it.
  const site = await findSite({ ...place, database: undefined });
  if ('session' in site)
    throw new StoreError(
      `${site.application.title} has PHP sessions: docs/sessions.md says which rights their store needs`,
    );
  const { application, found, reader } = site;
  try {
    const { site, driver } = await reader.open();
    const { kind, place: own } = application.database(found);
    if (kind === 'sqlite')
      throw new StoreError('an SQLite file has no users: let the account of the chat read the file');
    const quoted = (name: string) => driver.quote + name + driver.quote;
    const logins = Object.values(application.logins(site, driver));
    const settings = application.settings(found, driver);
    // Two tables of logins may have a part in common.
    const all = driver.changed === undefined ? [] : logins.flatMap((each) => each.parts ?? []);
    const parts = [...new Map(all.map((part) => [part.view, part])).values()];
    const changing = new Set(parts.flatMap((part) => part.tables ?? []));
    const store = 'sessions' in application ? application.sessions(site).store : '';
    const sessions = typeof store === 'string' ? [] : [store];
    const tables = [...(settings === null ? [] : [settings]), ...logins, ...parts, ...sessions];
    // A login that ends when unused: so that writing in the chat counts as a use.
    const renewed = [
      ...logins.flatMap((each) => each.renewed ?? []),
      ...sessions.map(({ view, renewed }) => ({ ...renewed, table: quoted(view) })),
    ];
    const user = kind === 'mysql' ? "'chat'@'localhost'" : 'chat';
    const database = quoted(own.path.slice(1).replaceAll(driver.quote, driver.quote.repeat(2)));
    return [
      kind === 'mysql'
        ? `CREATE USER ${user} IDENTIFIED BY 'PASSWORD';`
        : `CREATE ROLE ${user} LOGIN PASSWORD 'PASSWORD';`,
      ...(kind === 'mysql' ? [`USE ${database};`] : []),
      ...tables.flatMap(({ view, select }) => [
        `CREATE OR REPLACE VIEW ${quoted(view)} AS ${select};`,
        `GRANT SELECT ON ${quoted(view)} TO ${user};`,
      ]),
      // A user with any right on a table sees when it has changed last. This right gives nothing else.
      ...[...changing].map((table) => `GRANT REFERENCES ON ${quoted(table)} TO ${user};`),
      ...renewed.map(
        ({ table, id, column }) =>
          `GRANT SELECT (${id}, ${column}), UPDATE (${column}) ON ${table} TO ${user};`,
      ),
    ];
  } finally {
    reader.close();
  }
}
