import { ConfigurationError } from '../configuration/configuration.ts';
import { RequestCookies } from '../cookie.ts';
import type { UserPaths } from '../identity.ts';
import { type Logins, StoreError } from '../login.ts';
import type { UserTable } from '../logins/application.ts';
import { findSite, openSite } from '../logins/applications.ts';
import type { SitePlace } from '../logins/site.ts';
import { questions } from '../logins/tables.ts';
import { grantsCommand } from '../names.ts';
import { cookieHeader, type Examination, examine } from './examine.ts';
import { type Finding, printable, warning, well, wrong } from './finding.ts';

/** Checks the configuration of a site and its database or session store, and follows one login. */
export async function* examineSite(place: SitePlace, how: Examination): AsyncGenerator<Finding> {
  const { cookie } = how;
  try {
    const { title, logins, session } = await openSite({ ...place, checks: false });
    try {
      yield well(`${place.folder} is the folder of ${title}, and its configuration can be read.`);
      const isRejected = session !== undefined && (yield* examine(session, how));
      const isInTables = session === undefined || session.user.proof !== undefined;
      if (isInTables && session?.check === undefined) {
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
        yield* warnings(place);
      }
      yield* unreadableAccounts(logins, place.users);
      if (how.mails) yield await mailAddresses(logins, session?.user);
      if (!isInTables || cookie === undefined || isRejected) return;
      // Where the cookies come from is not known here.
      const named = session?.cookie.name ?? (isValueAlone(cookie) ? await missingCookie(logins) : undefined);
      const cookies = cookieHeader(cookie, named);
      const answer = await logins.identify({ cookies });
      if ('code' in answer)
        return yield wrong(
          `The chat rejects this login: ${answer.reason}.`,
          answer.hint ??
            'Log in to the site again, and copy the whole header Cookie: developer tools, Network, a page of the site, its request headers.',
        );
      const { id, name, roles = [], banned } = answer.user;
      const more = [...roles, ...(banned ? ['kept out of the chat'] : [])];
      const suffix = more.length === 0 ? '' : `, ${more.join(', ')}`;
      yield* loginOrigin(place, cookies, how);
      yield well(`The user ${printable(id)} is logged in, whom others see as ${printable(name)}${suffix}.`);
    } finally {
      logins.close();
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    yield wrong(error.message, 'Correct that in the site or in the settings: docs/sessions.md.');
  }
}

/** Whether it is known where the addresses of users are. @param paths in their sessions */
export async function mailAddresses(
  logins: Pick<Logins, 'mailOf'>,
  paths: Pick<UserPaths, 'mail'> | undefined,
): Promise<Finding> {
  if (logins.mailOf === undefined) {
    return paths?.mail === undefined
      ? wrong(
          'Nobody can be mailed: nothing says where the addresses of users are.',
          'Set CHAT_USER_MAIL to their path in the session, or leave CHAT_MAIL out.',
        )
      : well('The addresses for mails come from the sessions of users.');
  }
  try {
    await logins.mailOf('0');
    return well('The addresses for mails can be read in the database of the site.');
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return wrong(
      `The addresses for mails cannot be read: ${error.message}.`,
      `With CHAT_MAIL, ${grantsCommand()} prints the right for them, too.`,
    );
  }
}

/** The table of users, if it cannot be read: then nobody can open a direct room. */
export async function* unreadableAccounts(
  { accounts }: Pick<Logins, 'accounts'>,
  table: UserTable | undefined,
): AsyncGenerator<Finding> {
  try {
    // A search that finds no name still needs all of its columns.
    await accounts?.search('\u{10ffff}', 1);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    yield wrong(
      `The users of the site cannot be read: ${error.message}.`,
      table === undefined
        ? `${grantsCommand()} prints the right for them, too.`
        : 'Correct CHAT_USER_TABLE, or the database that CHAT_SITE_DATABASE names. Its user needs SELECT on the two columns.',
    );
  }
}

const leaveOut =
  'where that cannot be, CHAT_SITE_CHECKS=off leaves the comparison out. Be warned: a stolen session id then works from everywhere.';

/** Compares the row of a login with what the chat sees of visitors. @throws StoreError */
async function* loginOrigin(
  place: SitePlace,
  cookies: string,
  { isProxy }: Examination,
): AsyncGenerator<Finding> {
  if (isProxy === undefined) return;
  const found = await findSite(place);
  if (!('reader' in found)) return;
  const { application, reader } = found;
  try {
    if ('sessions' in application || application.loginOrigin === undefined) return;
    const open = await reader.open();
    const claim = application.claim(open.site, { cookies: new RequestCookies(cookies) });
    if ('reason' in claim) return;
    const table = application.logins(open.site, open.driver)[claim.table];
    const row = table && (await questions(table, open).find(claim.lookup))?.row;
    const noted = row && application.loginOrigin(open.site, claim, row);
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
  const reader = 'session' in found ? found.accounts?.reader : found.reader;
  return reader === undefined ? false : await reader.isReplica().finally(reader.close);
}

/** @throws StoreError */
async function* warnings(place: SitePlace): AsyncGenerator<Finding> {
  const found = await findSite(place);
  if (!('reader' in found)) return;
  const { application, reader } = found;
  try {
    const { site } = await reader.open();
    for (const { reason, hint } of application.warnings?.(site) ?? [])
      yield warning(`${application.title}: ${printable(reason, 400)}.`, hint);
  } finally {
    reader.close();
  }
}

/** Whether it has no name in it, as a value that is copied from the developer tools. */
const isValueAlone = (cookie: string) => !/^(cookie:\s*)?[^\s=;]+=/i.test(cookie.trim());

/** The name of the cookie that a visitor without cookies lacks. */
async function missingCookie(logins: Logins): Promise<string | undefined> {
  const answer = await logins.identify({});
  return 'cookie' in answer ? answer.cookie : undefined;
}

/** The name of the cookie by which a site knows its users; undefined if the site cannot be read. */
export async function siteCookie(place: SitePlace): Promise<string | undefined> {
  try {
    const { logins, session } = await openSite(place);
    try {
      if (session !== undefined) return session.cookie.name;
      return await missingCookie(logins);
    } finally {
      logins.close();
    }
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}
