import { addressIn, type PageAddress } from '../text/page-address.ts';

/** The token of an invite link, while somebody who opened it logs in on another page. */
const KEPT = 'php-chat/join';

/** Whether the page lets the chat have the part of its address behind `#`. */
export const hasAddress = (host: Element): boolean => host.getAttribute('history') === 'hash';

/** The wish in the page's address, or of the link that was opened before a login. */
export function takeAsked(host: Element): PageAddress {
  if (!hasAddress(host)) return undefined;
  const asked = takeAddress();
  if (asked !== undefined && 'token' in asked) return asked;
  const token = keptToken();
  return token === undefined ? asked : { token };
}

/** A token is taken out of the page's address: nobody sees it in the bar, and it is in no history. */
export function takeAddress(): PageAddress {
  const asked = addressIn(location.hash);
  if (asked !== undefined && 'token' in asked) {
    history.replaceState(history.state, '', location.pathname + location.search);
    keepToken(asked.token);
  }
  return asked;
}

function keepToken(token: string): void {
  try {
    sessionStorage.setItem(KEPT, token);
  } catch {
    // Without storage the link has to be opened again after a login.
  }
}

function keptToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEPT) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The user is logged in, and has seen what the link leads to. */
export function forgetToken(): void {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // There is none.
  }
}
