import type { ConnectionState } from '../connection-state.ts';
import type { Strings } from '../strings.ts';
import { empty } from './empty.ts';
import { button, h } from './h.ts';
import type { IconName } from './icon.ts';

type EndedState = Extract<ConnectionState, { kind: 'ended' }>;

const pictures: Record<EndedState['reason'], IconName> = {
  unauthorized: 'exit',
  logout: 'exit',
  expired: 'clock',
  invalid: 'alert',
  user_changed: 'people',
  kicked: 'alert',
};

/** The card that replaces everything when the session is over, with the way to the login. */
export function endedCard(
  state: EndedState,
  kept: number,
  loginUrl: string | null,
  strings: Strings,
): HTMLElement {
  const { reason, user } = state;
  const name = user?.name ?? '';
  // A session that cannot be read is one to log in to again, for all the user can do about it.
  const key = reason === 'invalid' ? 'expired' : reason;
  const waiting = reason === 'expired' && kept > 0 && user !== undefined;
  const text = waiting
    ? strings.count('ended.kept', kept, { name })
    : strings.text(`ended.${key}.text`, { name });
  const label = strings.text(reason === 'user_changed' ? 'ended.continue' : 'ended.login');
  const login = button(
    { class: 'btn primary' },
    () => leave(reason === 'user_changed' ? null : loginUrl),
    label,
  );
  const card = empty(pictures[reason], strings.text(`ended.${key}.title`), text, login);
  return h('section', { class: 'main' }, card);
}

/** Only a page: a `login-url` of `javascript:` would be a way around the site's script policy. */
function leave(loginUrl: string | null): void {
  const url = loginUrl === null || loginUrl === '' ? undefined : new URL(loginUrl, document.baseURI);
  if (url !== undefined && /^https?:$/.test(url.protocol)) location.assign(url);
  else location.reload();
}
