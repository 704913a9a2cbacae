import { ConfigurationError } from '../configuration/configuration.ts';
import type { Logins } from '../login.ts';
import { type LoginSettings, openSite } from '../logins/applications.ts';
import type { SitePlace } from '../logins/site.ts';
import { option } from '../names.ts';
import { type Finding, printable, problem } from './finding.ts';

const maxListedNames = 10;

const trimHeader = (copied: string) => copied.trim().replace(/^cookie:\s*/i, '');

/** Returns a `Cookie` header for a copied header, for NAME=VALUE, or for the value of the cookie `name`. */
export function cookieHeader(copied: string, name?: string): string {
  const header = trimHeader(copied);
  return name === undefined || new RegExp(`(^|;\\s*)${name}=`).test(header) ? header : `${name}=${header}`;
}

/** Returns the names in a `Cookie` header. Empty for a value alone, which may end with the padding of base64. */
export function listCookieNames(copied: string): string[] {
  const header = trimHeader(copied);
  if (!/^[^\s=;]+=[^=]/.test(header)) return [];
  return header.split(';').flatMap((pair) => /^\s*([^\s=]+)=/.exec(pair)?.[1] ?? []);
}

/** Checks the name of the cookie. Returns null if the name is right or unknown. */
export async function checkCookieName(settings: LoginSettings, copied: string): Promise<Finding | null> {
  const { name, siteName } =
    'site' in settings
      ? await readCookieNames(settings.site)
      : { name: settings.session.cookie.name, siteName: undefined };
  const names = listCookieNames(copied);
  if (name === undefined || names.includes(name)) return null;
  const isOverridden = siteName !== undefined && siteName !== name;
  const advice = `Leave ${option('cookieName')} out, because the configuration of the site names the cookie ${siteName}. If browsers send another name, give the cookie as NAME=VALUE.`;
  if (names.length === 0) {
    if (!isOverridden) return null;
    return problem(`${option('cookieName')} is ${name}, but the site calls its cookie ${siteName}.`, advice);
  }
  const shownNames = names.slice(0, maxListedNames).map((each) => printable(each, 60));
  return problem(
    `There is no cookie ${name} among these: ${shownNames.join(', ')}.`,
    isOverridden
      ? advice
      : `If one of them is the session cookie of the site, set ${option('cookieName')} to its name. Otherwise log in, and copy the cookie ${name}.`,
  );
}

/**
 * Reads the names of the cookie of a site with PHP sessions. `name` is the name in use. If the option `cookieName` is
 * given, `siteName` is the name by the site's configuration. Empty for other logins, which may have several cookies.
 */
async function readCookieNames(place: SitePlace): Promise<{ name?: string; siteName?: string }> {
  const { sessions } = place;
  if (sessions === undefined) return {};
  let siteName: string | undefined;
  const { cookieName, ...given } = sessions.given;
  const settings: typeof sessions.settings = (found, appKeys) => {
    siteName = found.cookieName ?? undefined;
    return sessions.settings(found, appKeys);
  };
  try {
    const { logins, session } = await openSite({
      ...place,
      checks: false,
      sessions: { ...sessions, given, settings },
    });
    logins.close();
    if (session === undefined) return {};
    return {
      name: session.cookie.name,
      siteName: cookieName && siteName !== undefined ? siteName : undefined,
    };
  } catch (error) {
    // A later finding reports this error.
    if (error instanceof ConfigurationError) return {};
    throw error;
  }
}

/** Returns the name of the login's cookie. Undefined if the site cannot be read, or the name is not fixed. */
export async function findCookieName(settings: LoginSettings): Promise<string | undefined> {
  if ('session' in settings) return settings.session.cookie.name;
  try {
    const { logins, session } = await openSite(settings.site);
    try {
      return session?.cookie.name ?? (await findMissingCookie(logins));
    } finally {
      logins.close();
    }
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** Returns the name of the cookie that the logins miss in a request without cookies. */
export async function findMissingCookie(logins: Pick<Logins, 'identify'>): Promise<string | undefined> {
  const answer = await logins.identify({});
  return 'cookie' in answer ? answer.cookie : undefined;
}
