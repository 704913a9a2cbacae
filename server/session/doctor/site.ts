import { type MemberApplication, tableIn } from '../application.ts';
import { findSite, openSite } from '../applications.ts';
import { ConfigurationError } from '../configuration/configuration.ts';
import { StoreError } from '../login.ts';
import { questions } from '../logins/tables.ts';
import type { SitePlace } from '../site.ts';
import type { SqlDriver } from '../stores/sql/driver.ts';
import { cookieHeader, type Examined, examine } from './examine.ts';
import { type Finding, printable, warning, well, wrong } from './finding.ts';

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
      // With a hint it ends by itself.
      const find = fault?.hint === undefined ? wrong : warning;
      if (fault !== null) return yield find(`The database of the site: ${fault.message}.`, fault.hint);
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
      yield* begun(place, cookies, how);
      yield well(`The user ${printable(id)} is logged in, whom others see as ${printable(name)}${suffix}.`);
    } finally {
      logins.close();
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    yield wrong(error.message);
  }
}

const leaveOut =
  'where that cannot be, CHAT_SITE_CHECKS=off leaves the comparison out. Be warned: a stolen session id then works from everywhere.';

/** Compares the row of a login with what the chat sees of visitors. @throws StoreError */
async function* begun(place: SitePlace, cookies: string, { isProxy }: Examined): AsyncGenerator<Finding> {
  if (isProxy === undefined) return;
  const found = await findSite(place);
  if (!('reader' in found)) return;
  const { application, reader } = found;
  try {
    if ('sessions' in application || application.begun === undefined) return;
    const open = await reader.open();
    const claim = application.claim(open.site, { cookies });
    if ('reason' in claim) return;
    const table = application.logins(open.site, open.driver)[claim.table];
    const row = table && (await questions(table, open).find(claim.lookup))?.row;
    const noted = row && application.begun(open.site, claim, row);
    if (!noted) return;
    const { title } = application;
    if (noted.address !== null && isProxy(noted.address))
      yield wrong(
        `${title} has noted ${printable(noted.address)} as the address of this login, which is a proxy of CHAT_TRUSTED_PROXIES. Unless the browser runs on that machine, PHP sees no address of a visitor, and the chat, which compares them, refuses everybody.`,
        `Let PHP see the addresses of visitors (nginx: set_real_ip_from, Apache: mod_remoteip); ${leaveOut}`,
      );
    if (noted.browser === '')
      yield wrong(
        `${title} has noted no browser for this login. The chat compares it with the header User-Agent, and refuses everybody.`,
        `Let the proxy in front of PHP pass on the header User-Agent; ${leaveOut}`,
      );
  } finally {
    reader.close();
  }
}

/** @throws StoreError */
async function isReplica(place: SitePlace): Promise<boolean> {
  const found = await findSite(place);
  const tables = 'session' in found ? found.accounts : found;
  if (tables === undefined) return false;
  try {
    const { driver, database } = await tables.reader.open();
    if (driver.isReplica === undefined) return false;
    const state = `CASE WHEN ${driver.isReplica} THEN 'replica' ELSE 'primary' END`;
    const sql = `SELECT 'any', NULL, ${state} FROM (SELECT 1 AS one) AS one WHERE 'any'`;
    return (await database.rows(sql, ['any']))[0]?.state === 'replica';
  } finally {
    tables.reader.close();
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

/** The columns of a session table that the chat reads, and the one that it renews. @param options of its store URL */
function columnsOf(options: Readonly<Record<string, string>>, driver: SqlDriver) {
  const { table = '', id = '', data = '', expires, last = '' } = options;
  const column = tableIn(expires ?? last, driver);
  return { table: tableIn(table, driver), read: [id, data].map((name) => tableIn(name, driver)), column };
}

async function grantsOf(place: SitePlace): Promise<string[]> {
  // With the user of the site itself, who can see all of it.
  const site = await findSite({ ...place, database: undefined });
  const tables = 'session' in site ? site.accounts : site;
  if (tables === undefined)
    throw new StoreError(
      `${site.application.title} has PHP sessions: docs/sessions.md says which rights their store needs`,
    );
  const { application, found, reader } = tables;
  try {
    const { site: state, driver } = await reader.open();
    const { kind, place: own } = application.database(found);
    if (kind === 'sqlite')
      throw new StoreError('an SQLite file has no users: let the account of the chat read the file');
    const quoted = (name: string) => tableIn(name, driver);
    const logins = Object.values(application.logins(state, driver));
    const settings = application.settings(found, driver);
    // Two tables of logins may have a part in common.
    const all = driver.changed === undefined ? [] : logins.flatMap((each) => each.parts ?? []);
    const parts = [...new Map(all.map((part) => [part.view, part])).values()];
    const changing = new Set(parts.flatMap((part) => part.tables ?? []));
    const store = 'sessions' in application ? (application as MemberApplication).sessions(state).store : '';
    const sessions = typeof store === 'string' ? [] : [store];
    const views = [...(settings === null ? [] : [settings]), ...logins, ...parts, ...sessions];
    const named = 'session' in site ? site.accounts?.sessions?.options : undefined;
    // A login that ends when unused: so that writing in the chat counts as a use.
    const renewed = [
      ...logins.flatMap((each) => each.renewed ?? []).map(({ id, ...rest }) => ({ ...rest, read: [id] })),
      ...sessions.map(({ view, renewed: { id, column } }) => ({ table: quoted(view), read: [id], column })),
      ...(named === undefined ? [] : [columnsOf(named, driver)]),
    ];
    const user = kind === 'mysql' ? "'chat'@'localhost'" : 'chat';
    // A dot in it is part of the name.
    const name = own.path.slice(1).replaceAll(driver.quote, driver.quote.repeat(2));
    const database = driver.quote + name + driver.quote;
    return [
      kind === 'mysql'
        ? `CREATE USER ${user} IDENTIFIED BY 'PASSWORD';`
        : `CREATE ROLE ${user} LOGIN PASSWORD 'PASSWORD';`,
      ...(kind === 'mysql' ? [`USE ${database};`] : []),
      ...views.flatMap(({ view, select }) => [
        `CREATE OR REPLACE VIEW ${quoted(view)} AS ${select};`,
        `GRANT SELECT ON ${quoted(view)} TO ${user};`,
      ]),
      // A user with any right on a table sees when it has changed last. This right gives nothing else.
      ...[...changing].map((table) => `GRANT REFERENCES ON ${tableIn(table, driver)} TO ${user};`),
      ...renewed.map(
        ({ table, read, column }) =>
          `GRANT SELECT (${[...read, column].join(', ')}), UPDATE (${column}) ON ${table} TO ${user};`,
      ),
    ];
  } finally {
    reader.close();
  }
}
