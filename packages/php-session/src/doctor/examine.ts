import { ConfigurationError } from '../configuration/configuration.ts';
import { RequestCookies } from '../cookie.ts';
import type { UserPaths } from '../identity.ts';
import { type Logins, StoreError } from '../login.ts';
import type { UserTable } from '../logins/application.ts';
import { findSite, type LoginSettings, openLogins, openSite } from '../logins/applications.ts';
import type { SitePlace } from '../logins/site.ts';
import { openLoginReader } from '../logins/tables.ts';
import { grantsCommand, option, trustedProxies } from '../names.ts';
import { DatabaseError } from '../stores/sql/driver.ts';
import { checkCookieName, cookieHeader, findMissingCookie, listCookieNames } from './cookie.ts';
import { type Finding, ok, printable, problem, warning } from './finding.ts';
import { examineSession, type SessionExamination } from './session.ts';
import { findTypedPaths } from './user.ts';

export interface LoginExamination extends SessionExamination {
  /** Checks whether the mail addresses of users can be read. */
  mails?: boolean;
  /** Whether an address belongs to a trusted proxy. If given, the stored origin of the login is checked. */
  isProxy?(address: string): boolean;
}

/** Finds problems in the settings alone, without reading files or connecting. */
export const examineSettings = (settings: LoginSettings): Finding[] =>
  'session' in settings ? findTypedPaths(settings.session.user) : [];

/** Checks the settings, the site and its store or database, and follows one login. Findings contain no secrets. */
export async function* examineLogins(
  settings: LoginSettings,
  { cookie, ...examination }: LoginExamination = {},
): AsyncGenerator<Finding> {
  const wrongName = cookie === undefined ? null : await checkCookieName(settings, cookie);
  if (wrongName !== null) yield wrongName;
  const further = { ...examination, cookie: wrongName === null ? cookie : undefined };
  if ('site' in settings) return yield* examineSite(settings.site, further);
  const { session, users } = settings;
  if (examination.mails) yield await checkMails({}, session.user);
  if (users !== undefined) {
    const logins = await openLogins(settings);
    yield* checkAccounts(logins, users);
    logins.close();
  }
  yield* examineSession(session, further);
}

async function* examineSite(place: SitePlace, examination: LoginExamination): AsyncGenerator<Finding> {
  const { cookie, mails } = examination;
  try {
    const { title, logins, session } = await openSite({ ...place, checks: false });
    try {
      yield ok(`${place.folder} is the folder of ${title}, and its configuration can be read.`);
      const isRejected = session !== undefined && (yield* examineSession(session, examination));
      const hasTables = session === undefined || session.user.proof !== undefined;
      if (hasTables && session?.check === undefined) {
        const fault = await logins.fault();
        if (fault !== null) return yield explainFault(fault, place);
        yield* checkDatabase(place);
      }
      yield* checkAccounts(logins, place.users, place);
      if (mails) yield await checkMails(logins, session?.user, place);
      if (!hasTables || cookie === undefined || isRejected) return;
      const isValueAlone = listCookieNames(cookie).length === 0;
      const name = session?.cookie.name ?? (isValueAlone ? await findMissingCookie(logins) : undefined);
      const cookies = cookieHeader(cookie, name);
      const answer = await logins.identify({ cookies });
      if ('code' in answer)
        return yield problem(
          `This login is rejected: ${answer.reason}.`,
          answer.hint ??
            'Log in to the site again, and copy the whole Cookie header: in the browser’s developer tools, open Network, and select a page of the site to see its request headers.',
        );
      yield* checkLoginOrigin(place, cookies, examination);
      const { id, name: userName, roles = [], banned } = answer.user;
      const labels = [...roles, ...(banned ? ['banned'] : [])].map((label) => `, ${label}`).join('');
      yield ok(
        `The user ${printable(id)} is logged in, and others see the name ${printable(userName)}${labels}.`,
      );
    } finally {
      logins.close();
    }
  } catch (error) {
    if (error instanceof StoreError) return yield explainFault(error, place);
    if (!(error instanceof ConfigurationError)) throw error;
    yield {
      ...problem(error.message, 'Correct that in the site or in the settings.'),
      isConfiguration: true,
    };
  }
}

/** Returns the kind of a database's failure. Undefined if the database did not answer. */
export const databaseProblem = (error: StoreError): DatabaseError['problem'] | undefined =>
  [error, error.cause].find((each) => each instanceof DatabaseError)?.problem;

/** Whether the user of `siteDatabase` may lack rights. Tables and views are then reported as missing. */
export const lacksRights = ({ database }: Pick<SitePlace, 'database'>, error: StoreError): boolean =>
  database !== undefined &&
  /^(database|table|column|permission|hidden|hiddenColumn)$/.test(databaseProblem(error) ?? '');

function explainFault(error: StoreError, place: SitePlace): Finding {
  const text = `The database of the site: ${error.message}.`;
  // A fault with a hint ends without a change of the settings, for example at the first login.
  return error.hint === undefined
    ? { ...problem(text), lacksRights: lacksRights(place, error) }
    : warning(text, error.hint);
}

/** Checks that the database of the site answers, and is not a replica. @throws StoreError */
async function* checkDatabase(place: SitePlace): AsyncGenerator<Finding> {
  const site = await findSite(place);
  const tables = 'session' in site ? site.accounts : site;
  if (tables === undefined) return yield ok('The database of the site answers.');
  const { application, reader } = tables;
  try {
    yield (await reader.isReplica())
      ? problem(
          'The database of the site is a replica or read-only, so a logout reaches it late or never.',
          `Set ${option('siteDatabase')} to the primary, which the site writes to.`,
        )
      : ok('The database of the site answers.');
    const open = await reader.open();
    for (const { reason, hint } of application.warnings?.(open.site) ?? [])
      yield warning(`${application.title}: ${printable(reason, 400)}.`, hint);
  } finally {
    reader.close();
  }
}

async function checkMails(
  logins: Pick<Logins, 'findMail'>,
  paths: Pick<UserPaths, 'mail'> | undefined,
  place: Pick<SitePlace, 'database'> = {},
): Promise<Finding> {
  if (logins.findMail === undefined) {
    return paths?.mail === undefined
      ? problem(
          'Mails cannot be sent, because no setting names the path of the users’ addresses.',
          `Set ${option('userMail')} to the path in the session, or disable mails.`,
        )
      : ok('The addresses for mails come from the sessions of users.');
  }
  try {
    await logins.findMail('0');
    return ok('The addresses for mails can be read in the database of the site.');
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return {
      ...problem(
        `The addresses for mails cannot be read: ${error.message}.`,
        `${grantsCommand()} also prints the right for them.`,
      ),
      lacksRights: lacksRights(place, error),
    };
  }
}

async function* checkAccounts(
  { accounts }: Pick<Logins, 'accounts'>,
  table: UserTable | undefined,
  place: Pick<SitePlace, 'database'> = {},
): AsyncGenerator<Finding> {
  try {
    // A character that names do not contain. The search still reads all columns.
    await accounts?.search('\u{10ffff}', 1);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    yield {
      ...problem(
        `The users of the site cannot be read: ${error.message}.`,
        table === undefined
          ? `${grantsCommand()} also prints the right for them.`
          : `Correct ${option('userTable')}, or the database that ${option('siteDatabase')} names. Its user needs SELECT on the two columns.`,
      ),
      lacksRights: lacksRights(place, error),
    };
  }
}

/** Checks the address and the browser that the site stored at the login. @throws StoreError */
async function* checkLoginOrigin(
  place: SitePlace,
  cookies: string,
  { isProxy }: LoginExamination,
): AsyncGenerator<Finding> {
  if (isProxy === undefined) return;
  const site = await findSite(place);
  if (!('reader' in site)) return;
  const { application, reader } = site;
  try {
    if ('sessions' in application || application.loginOrigin === undefined) return;
    const open = await reader.open();
    const claim = application.claim(open.site, { cookies: new RequestCookies(cookies) });
    if ('reason' in claim) return;
    const table = application.logins(open.site, open.driver)[claim.table];
    const row = table && (await openLoginReader(table, open).find(claim.lookup))?.row;
    const origin = row && application.loginOrigin(open.site, claim, row);
    if (!origin) return;
    const { title } = application;
    const disableAdvice = `if that is not possible, ${option('siteChecks')}=off disables the comparison. Be warned: a stolen session ID then works from any address and browser.`;
    if (origin.address !== null && isProxy(origin.address))
      yield problem(
        `${title} stored ${printable(origin.address)} as the address of this login, which is a proxy of ${trustedProxies()}. Unless the browser runs on that machine, PHP sees the address of the proxy instead of the visitor’s. ${title} compares the addresses, so every login is rejected.`,
        `Let PHP see the addresses of visitors (nginx: set_real_ip_from, Apache: mod_remoteip); ${disableAdvice}`,
      );
    if (origin.browser === '')
      yield problem(
        `${title} stored no User-Agent for this login. It compares the User-Agent header with the stored one, so every login is rejected.`,
        `Let the proxy in front of PHP pass on the User-Agent header; ${disableAdvice}`,
      );
  } finally {
    reader.close();
  }
}
