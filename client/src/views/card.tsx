import type { Chat } from '../chat/chat.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { StringKey, Strings } from '../strings/strings.ts';
import { Icon, type IconName } from './controls/icon.tsx';

type ForCard = Pick<Chat, 'connection' | 'kept' | 'hasDrafts'>;
type EndedState = Extract<ConnectionState, { kind: 'ended' }>;

/** The card that replaces everything while there is nothing to show. */
export interface Card {
  /** Absent: something is under way. */
  readonly picture?: IconName;
  readonly title: string;
  readonly text?: string;
  readonly action?: { readonly label: string; press(): void };
  readonly note?: string;
}

/** A server that is down may be back by then. */
const DOWN_MS = 2000;
/** A session that has only been renewed is known to be so by then. */
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
  // Only the site's owner can mend it, too.
  invalid: { title: 'ended.unreadable.title', text: 'ended.origin.text' },
  banned: { title: 'ended.banned.title', text: 'ended.banned.text' },
} as const;

/** @param loginUrl where the page says that one logs in */
export function cardOf(chat: ForCard, strings: Strings, loginUrl: string | null): Card | undefined {
  const { state } = chat.connection;
  const now = Date.now();
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
      // For all else the banner has words of its own.
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

export function CardView({ picture, title, text, action, note }: Card) {
  return (
    <section class="main">
      <div class="empty">
        {picture === undefined ? <div class="spin" aria-hidden="true" /> : <Icon name={picture} />}
        <h2 tabIndex={-1}>{title}</h2>
        {text !== undefined && <p>{text}</p>}
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
  // The user can do nothing about an unreadable session but log in again.
  const words = reason === 'invalid' ? 'expired' : reason;
  const card = {
    picture: pictures[reason],
    title: strings.text(`ended.${words}.title`, { name }),
    text: waiting(state, chat, strings) ?? strings.text(`ended.${words}.text`, { name }),
  };
  // Without an address to log in at, a first-time visitor has nowhere to be sent.
  if (user === undefined && loginUrl === undefined) return card;
  const label: StringKey =
    reason === 'user_changed' ? 'ended.continue' : user === undefined ? 'ended.first' : 'ended.login';
  const press = () => leave(reason === 'user_changed' ? undefined : loginUrl);
  return { ...card, action: { label: strings.text(label), press } };
}

/** Unsent messages that are kept for the user; after a logout, there are none. */
function waiting({ reason, user }: EndedState, chat: ForCard, strings: Strings): string | undefined {
  if (user === undefined || reason === 'logout' || reason === 'user_changed') return undefined;
  const { name } = user;
  const unsent = chat.kept(user);
  if (unsent === 0) return chat.hasDrafts(user) ? strings.text('ended.drafts', { name }) : undefined;
  return strings.count(chat.hasDrafts(user) ? 'ended.keptDrafts' : 'ended.kept', unsent, { name });
}

/**
 * Fills in the page to return to. It is always this page, so nobody can choose another one by a link. A path may begin with
 * two slashes, which would name another host.
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

/** Only a page: a `login-url` of `javascript:` would be a way around the site's script policy. */
function leave(loginUrl: string | undefined): void {
  const url = loginUrl === undefined ? null : URL.parse(withReturn(loginUrl), document.baseURI);
  if (url !== null && /^https?:$/.test(url.protocol)) location.assign(url);
  else location.reload();
}
