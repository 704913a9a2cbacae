export const guestId = /^g-[0-9a-f]{32}$/;
/** Whether the ID belongs to a guest, a visitor without a login. No user of the site has such an ID. */
export const isGuest = (id: string): boolean => guestId.test(id);
