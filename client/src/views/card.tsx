import type { ComponentChildren } from 'preact';
import type { Chat } from '../chat/chat.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { StringKey, Strings } from '../strings/strings.ts';
import { Icon, type IconName } from './controls/icon.tsx';

type ForCard = Pick<Chat, 'connection' | 'kept' | 'hasDrafts'>;
type EndedState = Extract<ConnectionState, { kind: 'ended' }>;

/** The card that replaces everything while there is nothing to show. */
export interface Card {
  /** Without it the card shows a spinner. */
  readonly picture?: IconName;
  readonly title: string;
  readonly text?: string;
  readonly action?: { readonly label: string; press(): void };
  readonly note?: string;
  /** Inputs before the action. */
  readonly form?: ComponentChildren;
}

/** A restarting server is often back within this time. */
const DOWN_MS = 2000;
/** Checking a session that was only renewed takes less than this time. */
const CHECKING_MS = 300;

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

/** @param loginUrl - from the element's `login-url` attribute */
export function cardOf(chat: ForCard, strings: Strings, loginUrl: string | null): Card | undefined {
  const { state } = chat.connection;
  const now = performance.now();
  switch (state.kind) {
    case 'checking':
      return now - state.since < CHECKING_MS ? undefined : { title: strings.text('ended.checking') };
    case 'refused':
      return {
        picture: 'alert',
        title: strings.text(refusals[state.cause].title),
        text: strings.text(refusals[state.cause].text),
      };
    case 'lost': {
      // The banner reports all other causes.
      if (state.cause !== 'network' || !navigator.onLine) return undefined;
      if (!state.first || now - state.since < DOWN_MS) return undefined;
      const seconds = Math.ceil((state.retryAt - now) / 1000);
      return {
        picture: 'server',
        title: strings.text('down.title'),
        text: strings.text('down.text'),
        action: { label: strings.text('common.again'), press: () => chat.connection.tryNow() },
        note: seconds > 0 ? strings.text('down.again', { s: seconds }) : strings.text('conn.connecting'),
      };
    }
    case 'ended':
      return ended(state, chat, strings, loginUrl || state.loginUrl);
    default:
      return undefined;
  }
}

export function CardView({ picture, title, text, action, note, form }: Card) {
  return (
    <section class="main">
      <div class="empty">
        <slot name="logo" />
        {picture === undefined ? <div class="spin" aria-hidden="true" /> : <Icon name={picture} />}
        <h2 tabIndex={-1}>{title}</h2>
        {text !== undefined && <p>{text}</p>}
        {form}
        {action !== undefined && (
          <button type="button" class="btn primary" onClick={action.press}>
            {action.label}
          </button>
        )}
        {note !== undefined && <small>{note}</small>}
      </div>
    </section>
  );
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
