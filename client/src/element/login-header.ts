import { Tickets } from '../connection/tickets.ts';

/** One instance for each ticket URL. */
const tickets = new Map<string, Tickets>();

/**
 * Returns the header for a login by ticket, or for a guest.
 *
 * @param guest - the JSON that `GuestPass` stored in this browser. Importing `GuestPass` here would load the chat
 */
export async function loginHeader(
  ticketUrl: string | undefined,
  guest: string | undefined,
): Promise<HeadersInit> {
  const ticket = ticketUrl === undefined ? null : await ticketOf(ticketUrl);
  if (ticket !== null) return { Authorization: `Ticket ${ticket}` };
  try {
    const { secret, until } = JSON.parse(guest ?? '');
    return until > Date.now() ? { Authorization: `Guest ${secret}` } : {};
  } catch {
    return {};
  }
}

/**
 * Loads the chat after the login of a guest. It takes along what the guest asked, and forgets the guest.
 *
 * @param guest - as for `loginHeader`
 * @param user - for whom the server answered. The prefix stands for `isGuest`, because importing it would load the chat
 */
export function leaveGuest(guest: string | undefined, user: { id: string } | undefined): void {
  if (guest !== undefined && user?.id.startsWith('g-') === false)
    document.querySelector('php-chat-launcher')?.load();
}

function ticketOf(address: string): Promise<string | null> {
  const url = new URL(address, document.baseURI).href;
  const own = tickets.get(url) ?? new Tickets(url, { renew: async () => false, loggedOut() {} });
  tickets.set(url, own);
  return own.take();
}
