import { ConfigurationError } from '../configuration/configuration.ts';
import type { LoginSettings } from '../logins/applications.ts';
import { openSite } from '../logins/applications.ts';
import type { SitePlace } from '../logins/site.ts';
import { type Finding, printable, wrong } from './finding.ts';

/** Names of cookies that a finding lists. */
const maxNames = 10;

/**
 * Checks the name of the cookie, before its value is followed.
 * @param copied the cookie of a login: the whole header, NAME=VALUE, or the value alone
 * @returns null if browsers may send a cookie of the name that the chat reads
 */
export async function wrongCookieName(logins: LoginSettings, copied: string): Promise<Finding | null> {
  const header = copied.trim().replace(/^cookie:\s*/i, '');
  const names = namesIn(header);
  const { read, own } =
    'site' in logins ? await namesOfSite(logins.site) : { read: logins.session.cookie.name, own: undefined };
  if (read === undefined || names.includes(read)) return null;
  if (names.length > 0) {
    const shown = names.slice(0, maxNames).map((name) => printable(name, 60));
    return wrong(
      `The chat reads the cookie ${read}, and these have other names: ${shown.join(', ')}.`,
      own === undefined || own === read
        ? `If one of them is the session cookie of the site, name it in CHAT_SESSION_NAME. Otherwise log in, and copy the cookie ${read}.`
        : nameAdvice(own),
    );
  }
  if (own === undefined || own === read) return null;
  return wrong(
    `The chat reads the cookie ${read} of CHAT_SESSION_NAME, and the site calls it ${own}.`,
    nameAdvice(own),
  );
}

const nameAdvice = (own: string) =>
  `Leave CHAT_SESSION_NAME out: the folder of the site says ${own}. If browsers send another name, give the cookie with that: --cookie NAME=VALUE.`;

/** None in a value alone, which may end with the signs of base64. */
function namesIn(header: string): string[] {
  if (!/^[^\s=;]+=[^=]/.test(header)) return [];
  return header.split(';').flatMap((pair) => /^\s*([^\s=]+)=/.exec(pair)?.[1] ?? []);
}

/**
 * The names of the cookie of a site with PHP sessions: the one that the chat reads, and, if CHAT_SESSION_NAME overrides it,
 * the one by PHP's settings and the code of the site. Other logins may take cookies of several names.
 */
async function namesOfSite(place: SitePlace): Promise<{ read?: string; own?: string }> {
  const { sessions } = place;
  if (sessions === undefined) return {};
  let own: string | undefined;
  const { cookieName, ...given } = sessions.given;
  const settings: typeof sessions.settings = (found, appKeys) => {
    own = found.cookieName ?? undefined;
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
    return { read: session.cookie.name, ...(cookieName && own !== undefined && { own }) };
  } catch (error) {
    // The next findings say so.
    if (error instanceof ConfigurationError) return {};
    throw error;
  }
}
