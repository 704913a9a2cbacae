import type { ComponentChildren } from 'preact';
import type { Chat } from '../chat/chat.ts';
import type { Strings } from '../strings/strings.ts';
import { Icon, type IconName } from './controls/icon.tsx';

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

/** Returns the card while the session is checked, or the server cannot be reached. See also ended-cards.tsx. */
export function cardOf(chat: Pick<Chat, 'connection'>, strings: Strings): Card | undefined {
  const { state } = chat.connection;
  const now = performance.now();
  switch (state.kind) {
    case 'checking':
      return now - state.since < CHECKING_MS ? undefined : { title: strings.text('ended.checking') };
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
