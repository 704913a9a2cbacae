import { enterAsGuest } from '../chat/guests.ts';
import type { Card } from './card.tsx';
import type { Context } from './context.ts';
import { leave } from './ended-cards.tsx';
import { askingOf } from './questions/asking.tsx';

/**
 * Returns the card for a visitor who may enter as a guest, or on a page for questions may ask one. Undefined for all
 * others.
 *
 * @param loginUrl - from the element's `login-url` attribute
 */
export function guestCard(context: Context, loginUrl: string | null): Card | undefined {
  const { chat, strings } = context;
  const { state } = chat.connection;
  if (state.kind !== 'ended' || state.reason !== 'unauthorized' || state.guests === undefined)
    return undefined;
  const url = loginUrl || state.loginUrl;
  const login =
    url === undefined ? undefined : { label: strings.text('ended.first'), open: () => leave(url) };
  const question = chat.asks && state.guests === 'write' ? askingOf(context) : undefined;
  question?.settle();
  if (question?.isOff === false)
    return { picture: 'question', title: strings.text('launcher.ask'), form: question.form(login ?? 'none') };
  return {
    picture: 'bubble',
    title: strings.text('guest.title'),
    form: (
      <GuestForm
        name={state.guests === 'write' ? strings.text('guest.name') : undefined}
        label={strings.text('guest.enter')}
        enter={(name) => enterAsGuest(chat, name)}
        login={login}
      />
    ),
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
