/** The address of this script is the chat server's address, unless the page names another one. */
const home = import.meta.env.DEV ? location.origin : new URL(/* @vite-ignore */ '.', import.meta.url).href;

/** Returns the server's address with a trailing slash, so that relative addresses below it can be resolved. */
export function serverAddress(element: Element): string {
  const named = element.getAttribute('server');
  return `${new URL(named || home, document.baseURI).href.replace(/\/+$/, '')}/`;
}
