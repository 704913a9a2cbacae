import type { Chat } from '../chat/chat.ts';
import type { Strings } from '../strings/strings.ts';
import { type Card, leave } from './card.tsx';
import { banWords } from './moderation/restriction-words.ts';

/**
 * Returns the card for a visitor who may enter as a guest. Undefined for all others.
 *
 * @param loginUrl - from the element's `login-url` attribute
 */
export function guestCard(
  chat: Pick<Chat, 'connection' | 'enterAsGuest'>,
  strings: Strings,
  loginUrl: string | null,
): Card | undefined {
  const { state } = chat.connection;
  if (state.kind !== 'ended' || state.reason !== 'unauthorized' || state.guests === undefined)
    return undefined;
  const url = loginUrl || state.loginUrl;
  return {
    picture: 'bubble',
    title: strings.text('guest.title'),
    form: (
      <GuestForm
        name={state.guests === 'write' ? strings.text('guest.name') : undefined}
        label={strings.text('guest.enter')}
        enter={(name) => chat.enterAsGuest(name)}
        login={url === undefined ? undefined : { label: strings.text('ended.first'), open: () => leave(url) }}
      />
    ),
  };
}

/** Returns the card for a user who is banned from the site. Without a button, because the user cannot connect earlier. */
export function bannedCard(
  { connection: { state } }: Pick<Chat, 'connection'>,
  strings: Strings,
): Card | undefined {
  if (!('ban' in state) || state.ban === undefined) return undefined;
  const { until, reason } = state.ban;
  const words = banWords(undefined, { until, text: reason }, strings);
  return {
    picture: 'ban',
    title: strings.text('ended.banned.title'),
    text: `${words.end} ${words.reason}`.trim(),
  };
}

interface Props {
  /** The label of the field for the name. Undefined if guests need no name. */
  readonly name: string | undefined;
  readonly label: string;
  enter(name: string): void;
  readonly login: { readonly label: string; open(): void } | undefined;
}

function GuestForm({ name, label, enter, login }: Props) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const typed = String(new FormData(event.currentTarget as HTMLFormElement).get('name') ?? '').trim();
    if (typed !== '' || name === undefined) enter(typed);
  };
  return (
    <form style={{ display: 'grid', gap: '8px', marginBlock: '12px 8px' }} onSubmit={submit}>
      {name !== undefined && (
        <input
          class="input"
          name="name"
          required
          maxLength={40}
          autocomplete="nickname"
          placeholder={name}
          aria-label={name}
        />
      )}
      <button type="submit" class="btn primary">
        {label}
      </button>
      {login !== undefined && (
        <button type="button" class="btn" onClick={login.open}>
          {login.label}
        </button>
      )}
    </form>
  );
}
