import { tabValues } from '../chat/page-storage.ts';
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
  const token = tabValues.get(kept(server));
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
    tabValues.set(kept(server), asked.token);
  }
  return asked;
}

/** Called when a logged-in user has seen the invite, or its view was closed. */
export function forgetToken(server: string): void {
  tabValues.delete(kept(server));
}
