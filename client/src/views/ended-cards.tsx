import type { SiteBan } from '../../../server/wire/events.ts';
import type { Chat } from '../chat/chat.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { StringKey, Strings } from '../strings/strings.ts';
import type { Card } from './card.tsx';
import type { IconName } from './controls/icon.tsx';
import { banWords } from './moderation/restriction-words.ts';

type ForCard = Pick<Chat, 'connection' | 'kept' | 'hasDrafts'>;
type EndedState = Extract<ConnectionState, { kind: 'ended' }>;

const pictures: Record<EndedState['reason'], IconName> = {
  unauthorized: 'enter',
  logout: 'exit',
  expired: 'clock',
  invalid: 'alert',
  user_changed: 'people',
  kicked: 'alert',
};

const refusals = {
  origin: { title: 'ended.origin.title', text: 'ended.origin.text' },
  // As with `origin`, only the site owner can fix this.
  invalid: { title: 'ended.unreadable.title', text: 'ended.origin.text' },
  banned: { title: 'ended.banned.title', text: 'ended.banned.text' },
} as const;

/**
 * Returns the card after the end of a session, or for a connection that the server rejected.
 *
 * @param loginUrl - from the element's `login-url` attribute
 */
export function endedCard(chat: ForCard, strings: Strings, loginUrl: string | null): Card | undefined {
  const { state } = chat.connection;
  if ('ban' in state && state.ban !== undefined) return banned(state.ban, strings);
  if (state.kind === 'refused') {
    const { title, text } = refusals[state.cause];
    return { picture: 'alert', title: strings.text(title), text: strings.text(text) };
  }
  return state.kind === 'ended' ? ended(state, chat, strings, loginUrl || state.loginUrl) : undefined;
}

/** The card of a banned user has no button, because the user cannot connect earlier. */
function banned({ until, reason }: SiteBan, strings: Strings): Card {
  const words = banWords(undefined, { until, text: reason }, strings);
  return {
    picture: 'ban',
    title: strings.text('ended.banned.title'),
    text: `${words.end} ${words.reason}`.trim(),
  };
}

function ended(state: EndedState, chat: ForCard, strings: Strings, loginUrl: string | undefined): Card {
  const { reason, user } = state;
  const name = user?.name ?? '';
  // An unreadable session is shown as expired, because the user can only log in again.
  const words = reason === 'invalid' ? 'expired' : reason;
  const card = {
    picture: pictures[reason],
    title: strings.text(`ended.${words}.title`, { name }),
    text: waiting(state, chat, strings) ?? strings.text(`ended.${words}.text`, { name }),
  };
  // A first-time visitor can log in only if there is a login URL.
  if (user === undefined && loginUrl === undefined) return card;
  const label: StringKey =
    reason === 'user_changed' ? 'ended.continue' : user === undefined ? 'ended.first' : 'ended.login';
  const press = () => leave(reason === 'user_changed' ? undefined : loginUrl);
  return { ...card, action: { label: strings.text(label), press } };
}

/** Returns the text about unsent messages and drafts that are stored for the user. A logout deletes them. */
function waiting({ reason, user }: EndedState, chat: ForCard, strings: Strings): string | undefined {
  if (user === undefined || reason === 'logout' || reason === 'user_changed') return undefined;
  const { name } = user;
  const unsent = chat.kept(user);
  if (unsent === 0) return chat.hasDrafts(user) ? strings.text('ended.drafts', { name }) : undefined;
  return strings.count(chat.hasDrafts(user) ? 'ended.keptDrafts' : 'ended.kept', unsent, { name });
}

/**
 * Fills in the return address, which is always the current page. A link cannot choose a different page. Leading slashes
 * are collapsed, because a path such as `//example.com` names another host.
 */
function withReturn(loginUrl: string): string {
  const { href, pathname, search, hash } = location;
  const values: Record<string, string> = {
    return: href,
    return_path: pathname.replace(/^\/+/, '/') + search + hash,
    return_base64: btoa(href),
  };
  return loginUrl.replace(/\{(return\w*)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
}

/** Only HTTP URLs are allowed. A `login-url` of `javascript:` would bypass the site's script policy. */
export function leave(loginUrl: string | undefined): void {
  const url = loginUrl === undefined ? null : URL.parse(withReturn(loginUrl), document.baseURI);
  if (url !== null && /^https?:$/.test(url.protocol)) location.assign(url);
  else location.reload();
}
