export const guestId = /^g-[0-9a-f]{32}$/;
/** Whether the ID belongs to a guest, a visitor without a login. No user of the site has such an ID. */
export const isGuest = (id: string): boolean => guestId.test(id);

/**
 * How long a guest is remembered, in ms: the browser keeps the guest's secret from the last connection, memberships last
 * from their beginning, and an address that was not verified from the last message of the question.
 */
export const guestKeptMs = 30 * 24 * 60 * 60_000;
