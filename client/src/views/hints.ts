import type { ConnectionState } from '../connection/connection-state.ts';

const said = new Set<string>();

/** For whoever builds the page: in English, once each. */
function hint(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  console.warn(`php-chat: ${text}`);
}

/** The hint that a state of the connection gives about the settings. */
export function hintAt(state: ConnectionState, server: string): void {
  const { hostname } = new URL(server);
  const cookie =
    hostname === location.hostname
      ? ''
      : ` The browser sends the session cookie of ${location.hostname} to ${hostname} only where PHP's session.cookie_domain names both. Otherwise give the chat an address under ${location.hostname}.`;
  if (state.kind === 'refused' && state.cause === 'origin') {
    hint(
      `${server} does not accept this page. Add ${location.origin} to CHAT_ORIGINS in the settings of the chat server.${cookie}`,
    );
  } else if (state.kind === 'ended' && state.reason === 'unauthorized' && cookie !== '') {
    hint(`nobody is logged in for ${hostname}.${cookie}`);
  }
}

export function hintAtUnknownRoom(id: string, single: boolean): void {
  const instead = single ? 'None' : 'The first one';
  hint(`there is no room "${id}" that this user may read. ${instead} is shown.`);
}

/** Two scripts of this kind on one page may be of different versions: the elements are those of the one that ran first. */
export async function hintAtScripts(): Promise<void> {
  const addresses = [...document.scripts].map(({ src }) => src.replace(/[?#].*/s, ''));
  const own = [...new Set(addresses)].filter((address) => address.endsWith('/php-chat.js'));
  if (own.length < 2) return;
  const loaded = await Promise.allSettled(own.map(async (address) => (await fetch(address)).text()));
  const texts = new Set(loaded.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  if (texts.size > 1)
    hint(`two scripts of different versions are on this page: ${own.join(' and ')}. Keep one.`);
}
