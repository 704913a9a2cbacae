import { addressIn, type PageAddress } from '../text/page-address.ts';

/** For the token of an invite link, while somebody who opened it logs in on another page of that chat server. */
const kept = (server: string) => `php-chat/join ${server}`;

/** Whether the page lets the chat have the part of its address behind `#`. */
const hasAddress = (host: Element): boolean => host.getAttribute('history') === 'hash';

/** The wish in the page's address, or of the link that was opened before a login. */
export function takeAsked(host: Element, server: string): PageAddress {
  if (!hasAddress(host)) return undefined;
  const asked = takeAddress(server);
  if (asked !== undefined && 'token' in asked) return asked;
  const token = keptToken(server);
  return token === undefined ? asked : { token };
}

/** A token is taken out of the page's address: nobody sees it in the bar, and it is in no history. */
export function takeAddress(server: string): PageAddress {
  const asked = addressIn(location.hash);
  if (asked !== undefined && 'token' in asked) {
    history.replaceState(history.state, '', location.pathname + location.search);
    keepToken(server, asked.token);
  }
  return asked;
}

function keepToken(server: string, token: string): void {
  try {
    sessionStorage.setItem(kept(server), token);
  } catch {
    // Without storage the link has to be opened again after a login.
  }
}

function keptToken(server: string): string | undefined {
  try {
    return sessionStorage.getItem(kept(server)) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The user is logged in, and has seen what the link leads to. */
export function forgetToken(server: string): void {
  try {
    sessionStorage.removeItem(kept(server));
  } catch {
    // There is none.
  }
}
