/** Where this script comes from is where the chat server is, unless the page names another. */
const home = import.meta.env.DEV ? location.origin : new URL(/* @vite-ignore */ '.', import.meta.url).href;

/** With a slash at the end, so that addresses below it can be resolved. */
export function serverAddress(element: Element): string {
  const named = element.getAttribute('server');
  return `${new URL(named || home, document.baseURI).href.replace(/\/+$/, '')}/`;
}
