import type { ConnectionState } from './connection-state.ts';

const said = new Set<string>();

/** For whoever builds the page: in English, once each. */
function hint(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  console.warn(`php-chat: ${text}`);
}

/** What a state of the connection says about the settings. */
export function hintAt(state: ConnectionState, server: string): void {
  const { hostname } = new URL(server);
  if (state.kind === 'refused' && state.cause === 'origin') {
    hint(
      `${server} does not accept this page. Add it to the settings of the chat server: CHAT_ORIGINS=${location.origin}`,
    );
  } else if (state.kind === 'ended' && state.reason === 'unauthorized' && hostname !== location.hostname) {
    hint(
      `nobody is logged in for ${hostname}. The browser sends it the session cookie of ${location.hostname} only where PHP's session.cookie_domain names both.`,
    );
  }
}

export function hintAtUnknownRoom(id: string, single: boolean): void {
  const instead = single ? 'None' : 'The first one';
  hint(`there is no room "${id}" that this user may read. ${instead} is shown.`);
}
