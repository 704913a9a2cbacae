/** The page that the chat server itself shows. */
export const isOwnPage = (page: string, server: string) => new URL('.', page).href === server;

/** The page is not of a site that has the chat already: it is the chat's own, or one of this machine. */
export function isTrial(page: string, server: string): boolean {
  const { hostname } = new URL(page);
  return isOwnPage(page, server) || /^(localhost|127\.[\d.]+|\[::1\])$|\.localhost$/.test(hostname);
}
