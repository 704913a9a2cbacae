import { askLater, mayAsk, notificationState, turnOn } from '../../chat/notifications.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';

/** The card above the rooms that asks to turn on browser notifications. */
export function AskCard({ context }: { context: Context }) {
  const { chat, strings, changed } = context;
  // If the site notifies offline users, `Offering` makes its offer under a sent message instead.
  if (chat.can.mail || chat.can.push || chat.connection.state.kind !== 'ready' || !mayAsk(chat)) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset looks different.
    <div class="ask-card" role="group" aria-label={strings.text('notify.title')}>
      <Icon name="bell" />
      <div>
        {`${strings.text('notify.ask')} `}
        <TurnOn context={context} />
      </div>
      <button
        type="button"
        class="icon"
        aria-label={strings.text('notify.later')}
        onClick={() => {
          askLater(chat);
          changed();
        }}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

/** The same question in settings, or a note that the browser blocks notifications. */
export function NotifyLine({ context }: { context: Context }) {
  const { chat, strings } = context;
  const state = notificationState(chat);
  if (state === 'blocked') return <p class="hint">{strings.text('notify.blocked')}</p>;
  if (state !== 'off') return null;
  return (
    <p class="hint">
      {`${strings.text('notify.ask')} `}
      <TurnOn context={context} />
    </p>
  );
}

function TurnOn({ context: { chat, strings, toast, changed } }: { context: Context }) {
  const press = async () => {
    await turnOn(chat);
    if (notificationState(chat) === 'blocked') toast(strings.text('notify.blocked'), 'bad');
    changed();
  };
  return (
    <button type="button" class="link" onClick={() => void press()}>
      {strings.text('notify.on')}
    </button>
  );
}
