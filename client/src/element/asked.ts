import { addressIn, type PageAddress } from '../text/page-address.ts';

/** The storage key of an invite token, which is kept while the user logs in on another page. */
const kept = (server: string) => `php-chat/join ${server}`;

/** Whether the page lets the chat use the fragment of its address. */
const hasAddress = (host: Element): boolean => host.getAttribute('history') === 'hash';

/** Returns what the page's address requests, or the invite link that was opened before a login. */
export function takeAsked(host: Element, server: string): PageAddress {
  if (!hasAddress(host)) return undefined;
  const asked = takeAddress(server);
  if (asked !== undefined && 'token' in asked) return asked;
  const token = keptToken(server);
  return token === undefined ? asked : { token };
}

/**
 * Reads what the page's address requests. A token is removed from the address, so that it is neither visible nor in the
 * history.
 */
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
    // Without storage, the user must open the link again after a login.
  }
}

function keptToken(server: string): string | undefined {
  try {
    return sessionStorage.getItem(kept(server)) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Called when a logged-in user has seen the invite, or its view was closed. */
export function forgetToken(server: string): void {
  try {
    sessionStorage.removeItem(kept(server));
  } catch {
    // A browser without storage has kept no token.
  }
}
