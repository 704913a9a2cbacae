import type { ComponentChildren } from 'preact';
import { text } from '../../chat/form.ts';
import { askLater, mayAsk, notificationState, turnOn } from '../../chat/notifications.ts';
import type { Strings } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import { Avatar } from '../people/avatar.tsx';

/** The card above the rooms that asks to turn on browser notifications, or to be shown to others on the same page. */
export function AskCard({ context }: { context: Context }) {
  const { chat, strings, changed } = context;
  const { me, can } = chat;
  if (me === undefined || chat.connection.state.kind !== 'ready') return null;
  // If the site notifies offline users, `Offering` makes its offer under a sent message instead.
  if (!can.mail && !can.push && mayAsk(chat)) {
    const later = () => {
      askLater(chat);
      changed();
    };
    return card(strings, 'notify.title', <Icon name="bell" />, later, [
      `${strings.text('notify.ask')} `,
      <TurnOn context={context} key="on" />,
    ]);
  }
  const page = samePage(context);
  if (page === undefined || page.on !== undefined) return null;
  return card(strings, 'prefs.samePage', <Avatar user={me} />, () => page.turn(false), [
    <button type="button" class="link" key="on" onClick={() => page.turn(true)}>
      {strings.text('prefs.samePage.show')}
    </button>,
    <div key="hint">{strings.text('prefs.samePage.hint')}</div>,
  ]);
}

function card(
  strings: Strings,
  title: 'notify.title' | 'prefs.samePage',
  picture: ComponentChildren,
  later: () => void,
  content: ComponentChildren,
) {
  return (
    <fieldset class="ask-card" aria-label={strings.text(title)}>
      {picture}
      <div>{content}</div>
      <IconButton name="close" label={strings.text('notify.later')} press={later} />
    </fieldset>
  );
}

/**
 * Whether others on the same page see this user, with the function that changes it. `on` is undefined until the user
 * was asked. Undefined unless the site's launcher shows them.
 */
export function samePage({ chat, attribute, changed }: Context) {
  const { settings, can, isGuest } = chat;
  const me = chat.me?.id;
  if (attribute('here') === null || me === undefined || isGuest || !can.direct || !can.findPeople)
    return undefined;
  // The ID of the user who agreed, for element/here.ts. Kept after a logout, because it is a choice.
  const on = settings.get('here', text) === me;
  return {
    on: on || (settings.get('hereAsked', text) === me ? false : undefined),
    turn: (wanted: boolean) => {
      settings.set('hereAsked', me);
      if (wanted) settings.set('here', me);
      else settings.delete('here');
      changed();
    },
  };
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
