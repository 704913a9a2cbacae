import type { CookieScope } from 'php-sessions/doctor';
import { CommandProblem, exit } from '../command/problem.ts';
import { loopback } from '../outgoing/addresses.ts';

/** Where the pages of the site are, and where browsers reach the chat. */
export interface ChatAddresses {
  site: URL;
  /** Its path ends with a slash. */
  chat: URL;
  /** The chat under a path of the site, under a host of its own, or without a web server before it. */
  way: 'path' | 'host' | 'direct';
}

/** @throws CommandProblem that says what an address is */
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
  refuseOdd(url);
  return url;
}

/** The address goes into commands and into the configuration of web servers, and the site may say it itself. */
function refuseOdd(url: URL): void {
  if (/^https?:\/\/[A-Za-z0-9._~%@+,=:/[\]-]*$/.test(url.href)) return;
  throw new CommandProblem(
    exit.usage,
    `the address ${JSON.stringify(url.href.slice(0, 200))} has characters in it that have a meaning for a shell or a web server: give one without them`,
  );
}

/**
 * Finds an address for the chat to which browsers send the cookie of the site.
 * @param given the address of the site, or that of the chat
 * @param known the address of the site, if the site itself says it
 * @param port of the chat server
 * @throws CommandProblem that says why the cookie does not reach that address
 */
export function addressesFor(
  given: URL | null,
  known: URL | null,
  cookie: CookieScope,
  port: number,
): ChatAddresses {
  const site = known ?? siteOf(given as URL);
  const fits = domainOf(cookie, site);
  const proposed = proposal(site, cookie, port);
  refuseOdd(proposed);
  const chat = given === null || given.href === site.href || isRoot(given, site) ? proposed : given;
  if (chat.protocol !== site.protocol) {
    throw new CommandProblem(
      exit.configuration,
      `the site is at ${site.href} and this address begins with ${chat.protocol}//: browsers send the cookie only where both begin alike. Give ${proposed.href}, or correct the address in the site`,
    );
  }
  if (!fits(chat.hostname)) {
    const reach =
      cookie.domain === ''
        ? `stays on ${site.hostname}`
        : `goes only to ${cookie.domain.replace(/^\./, '')} and below`;
    const otherwise = haveCommonDomain(site.hostname, chat.hostname)
      ? ', or set the domain of the cookie in the site first (docs/install.md, "A subdomain")'
      : '';
    throw new CommandProblem(
      exit.configuration,
      `the cookie of the site ${reach}, so a chat at ${chat.host} would know nobody. Take ${proposed.href}${otherwise}`,
    );
  }
  if (!isWithin(chat.pathname, cookie.path)) {
    throw new CommandProblem(
      exit.configuration,
      `the cookie of the site goes only to paths within ${cookie.path}, so a chat at ${chat.pathname} would know nobody. Take ${proposed.href}`,
    );
  }
  if (cookie.secure && chat.protocol === 'http:' && !loopback.test(chat.hostname)) {
    throw new CommandProblem(
      exit.configuration,
      `the cookie of the site goes only over https (Secure), and ${chat.href} is http: give the address with https`,
    );
  }
  const way =
    chat === proposed && chat.port === String(port) ? 'direct' : chat.host === site.host ? 'path' : 'host';
  return { site, chat, way };
}

/** The site of an address that may be that of the chat: `https://www.example.org/blog/chat/`. */
const siteOf = (given: URL): URL => new URL(/\/chat\/$/i.test(given.pathname) ? '..' : '.', given);

/** The site itself, named without its folder. */
const isRoot = (given: URL, site: URL) => given.origin === site.origin && given.pathname === '/';

function proposal(site: URL, cookie: CookieScope, port: number): URL {
  const base = isWithin(site.pathname, cookie.path) ? site.pathname : `${cookie.path}/`.replace(/\/+$/, '/');
  // On one's own machine no web server is needed: cookies ignore the port.
  if (site.protocol === 'http:' && loopback.test(site.hostname) && isWithin('/', cookie.path)) {
    const direct = new URL('/', site);
    direct.port = String(port);
    return direct;
  }
  return new URL(`${base}chat/`, site);
}

/** RFC 6265, 5.1.4. */
const isWithin = (path: string, cookiePath: string) =>
  path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);

/** Whether a cookie can reach both hosts: no browser takes one for an address, for localhost, or for all of `org`. */
function haveCommonDomain(one: string, other: string): boolean {
  const domainOf = (host: string) => /[^.]+\.[a-z][^.]*$/.exec(host)?.[0];
  return domainOf(one) !== undefined && domainOf(one) === domainOf(other);
}

/** RFC 6265, 5.1.3: the hosts that get the cookie. */
function domainOf({ domain }: CookieScope, site: URL): (host: string) => boolean {
  if (domain === '') return (host) => host === site.hostname;
  const bare = domain === '.' ? site.hostname : domain.replace(/^\./, '').toLowerCase();
  const fits = (host: string) => host === bare || host.endsWith(`.${bare}`);
  if (!fits(site.hostname)) {
    const advice = loopback.test(site.hostname)
      ? 'set no domain for the cookie in the site while you try the chat on this machine'
      : 'is that the address of the site?';
    throw new CommandProblem(
      exit.configuration,
      `the cookie of the site is for ${bare}, and ${site.hostname} is not within it: ${advice}`,
    );
  }
  return fits;
}
