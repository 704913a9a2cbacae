import type { CookieScope } from 'php-sessions/doctor';
import { loopback } from '../outgoing/addresses.ts';
import { CommandProblem, exit } from '../program/problem.ts';

/** The addresses of the site and of the chat in browsers. */
export interface ChatAddresses {
  site: URL;
  /** The path ends with a slash. */
  chat: URL;
  /** Whether the chat is under a path of the site, under a separate host, or reached without a web server. */
  way: 'path' | 'host' | 'direct';
  /** Whether the user named a path of the site's host for the chat. */
  isGivenPath: boolean;
}

/** Parses an address. @throws CommandProblem */
export function parseAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:\/\/[^/]/i.test(text)) {
    throw new CommandProblem(
      exit.usage,
      `${JSON.stringify(text.slice(0, 200))} is not an address: give it as browsers show it, such as https://www.example.org`,
    );
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new CommandProblem(
      exit.usage,
      'the address has a login, a ? or a # in it: give only the part before, such as https://www.example.org/blog/',
    );
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  requirePlain(url);
  return url;
}

/** Rejects special characters, because the address appears in commands and in the configuration of web servers. */
function requirePlain(url: URL): void {
  if (/^https?:\/\/[A-Za-z0-9._~%@+,=:/[\]-]*$/.test(url.href)) return;
  throw new CommandProblem(
    exit.usage,
    `the address ${JSON.stringify(url.href.slice(0, 200))} contains characters that are special for a shell or a web server: give an address without them`,
  );
}

/**
 * Finds an address for the chat to which browsers send the cookie of the site.
 * @param given the address of the site or of the chat
 * @param known the address of the site from its own configuration
 * @param port of the chat server
 * @throws CommandProblem if the cookie does not reach the address
 */
export function addressesFor(
  given: URL | null,
  known: URL | null,
  cookie: CookieScope,
  port: number,
): ChatAddresses {
  const site = withRealScheme(known ?? guessSite(given as URL), given, cookie);
  const isInDomain = domainTest(cookie, site);
  const proposed = proposeChat(site, cookie, port);
  requirePlain(proposed);
  const chat = given === null || given.href === site.href || isRootOf(given, site) ? proposed : given;
  if (chat.protocol !== site.protocol) {
    throw new CommandProblem(
      exit.configuration,
      `the site is at ${site.href}, but this address begins with ${chat.protocol}//: browsers send the cookie only if both have the same scheme. Use ${proposed.href}, or correct the address in the site`,
    );
  }
  if (!isInDomain(chat.hostname)) {
    const scope =
      cookie.domain === ''
        ? `stays on ${site.hostname}`
        : `goes only to ${cookie.domain.replace(/^\./, '')} and below`;
    const ways = [
      `Use ${proposed.href}`,
      ...(canShareCookie(site.hostname, chat.hostname)
        ? ['set the domain of the cookie in the site first (docs/operate/subdomain.md)']
        : []),
      ...(known === null ? [] : [`if the site is not at ${site.href}, correct the address in the site`]),
    ];
    throw new CommandProblem(
      exit.configuration,
      `the cookie of the site ${scope}, so a chat at ${chat.host} could not recognise users. ${ways.join(', or ')}`,
    );
  }
  if (!isWithin(chat.pathname, cookie.path)) {
    throw new CommandProblem(
      exit.configuration,
      `the cookie of the site goes only to paths within ${cookie.path}, so a chat at ${chat.pathname} could not recognise users. Use ${proposed.href}`,
    );
  }
  const way =
    chat === proposed && chat.port === String(port) ? 'direct' : chat.host === site.host ? 'path' : 'host';
  return { site, chat, way, isGivenPath: way === 'path' && chat !== proposed };
}

/** Returns the address of the site. @param given this address or the chat's, such as `https://www.example.org/chat/` */
const guessSite = (given: URL): URL => new URL(/\/chat\/$/i.test(given.pathname) ? '..' : '.', given);

/**
 * Returns the address of the site with https if its cookie goes only over https, or if the user gave an https address
 * of its host. The scheme in the site's configuration may be wrong, because applications such as phpBB work without it.
 * @throws CommandProblem if the port of https is unknown, or the user gave an address with http
 */
function withRealScheme(site: URL, given: URL | null, cookie: CookieScope): URL {
  const isGivenSecure = given?.protocol === 'https:' && given.hostname === site.hostname;
  if (!(cookie.secure || isGivenSecure) || loopback.test((given ?? site).hostname)) return site;
  const secure = new URL(site);
  secure.protocol = 'https:';
  if (site.protocol === 'http:') secure.port = given?.hostname === site.hostname ? given.port : '';
  const isUnknown =
    given === null ? site.protocol === 'http:' && site.port !== '' : given.protocol === 'http:';
  if (!isUnknown) return secure;
  secure.port = '';
  throw new CommandProblem(
    exit.configuration,
    `the cookie of the site goes only over https (Secure), and ${(given ?? site).href} is http: run this again with the address that browsers show, such as --url ${secure.href}`,
  );
}

/** Whether an address is the host of the site, without its path. */
const isRootOf = (given: URL, site: URL) => given.origin === site.origin && given.pathname === '/';

function proposeChat(site: URL, cookie: CookieScope, port: number): URL {
  const base = isWithin(site.pathname, cookie.path) ? site.pathname : `${cookie.path}/`.replace(/\/+$/, '/');
  // Cookies ignore the port, so this machine needs no web server.
  if (site.protocol === 'http:' && loopback.test(site.hostname) && isWithin('/', cookie.path)) {
    const direct = new URL('/', site);
    direct.port = String(port);
    return direct;
  }
  return new URL(`${base}chat/`, site);
}

/** Whether a cookie path matches a path, by RFC 6265, 5.1.4. */
const isWithin = (path: string, cookiePath: string) =>
  path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);

/** Whether a cookie can reach both hosts. Browsers reject an IP address, `localhost` or `org` as its domain. */
function canShareCookie(host: string, otherHost: string): boolean {
  const domainOf = (name: string) => /[^.]+\.[a-z][^.]*$/.exec(name)?.[0];
  return domainOf(host) !== undefined && domainOf(host) === domainOf(otherHost);
}

/** Returns a function that tells whether a host gets the cookie, by RFC 6265, 5.1.3. */
function domainTest({ domain }: CookieScope, site: URL): (host: string) => boolean {
  if (domain === '') return (host) => host === site.hostname;
  const domainHost = domain === '.' ? site.hostname : domain.replace(/^\./, '').toLowerCase();
  const isInDomain = (host: string) => host === domainHost || host.endsWith(`.${domainHost}`);
  if (!isInDomain(site.hostname)) {
    const advice = loopback.test(site.hostname)
      ? 'set no domain for the cookie in the site while you try the chat on this machine'
      : 'is that the address of the site?';
    throw new CommandProblem(
      exit.configuration,
      `the cookie of the site is for ${domainHost}, and ${site.hostname} is not within it: ${advice}`,
    );
  }
  return isInDomain;
}
