import type { ConnectionState } from '../connection/connection-state.ts';

const said = new Set<string>();

/** Logs a hint for the developer of the page. In English, and each text once. */
function hint(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  console.warn(`php-chat: ${text}`);
}

/** Logs which setting may cause this state of the connection. */
export function hintAt(state: ConnectionState, server: string): void {
  const { hostname } = new URL(server);
  const cookie =
    hostname === location.hostname
      ? ''
      : ` The browser sends the session cookie of ${location.hostname} to ${hostname} only if PHP's session.cookie_domain covers both. Otherwise give the chat an address under ${location.hostname}.`;
  if (state.kind === 'refused' && state.cause === 'origin') {
    hint(
      `${server} does not accept this page. Add ${location.origin} to CHAT_ORIGINS in the settings of the chat server.${cookie}`,
    );
  } else if (state.kind === 'ended' && state.reason === 'unauthorized' && cookie !== '') {
    hint(`the chat server at ${hostname} does not see a login.${cookie}`);
  }
}

export function hintAtUnknownRoom(id: string, single: boolean): void {
  const instead = single ? 'No room is shown.' : 'Another room is shown if possible.';
  hint(`there is no room "${id}" that this user may read. ${instead}`);
}

/** Warns about scripts of different versions on one page. The script that runs first defines the elements. */
export async function hintAtScripts(): Promise<void> {
  const addresses = [...document.scripts].map(({ src }) => src.replace(/[?#].*/s, ''));
  const own = [...new Set(addresses)].filter((address) => address.endsWith('/php-chat.js'));
  if (own.length < 2) return;
  const loaded = await Promise.allSettled(own.map(async (address) => (await fetch(address)).text()));
  const texts = new Set(loaded.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  if (texts.size > 1)
    hint(`two scripts of different versions are on this page: ${own.join(' and ')}. Keep one.`);
}
