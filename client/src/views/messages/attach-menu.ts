import { siteName } from '../cards/site.ts';
import type { Context, MenuRequest } from '../context.ts';
import { type MenuItem, openMenu } from '../controls/menu.tsx';
import { apply } from './format-bar.tsx';

/** Opens the menu of what can be added to a message. If it would have one item, runs that. */
export function openAttachMenu(
  { place, picked }: Extract<MenuRequest, { kind: 'attach' }>,
  context: Context,
  opener: HTMLElement,
): void {
  const { chat, strings, dialog, pickFiles } = context;
  const { room, thread } = place;
  const asks = thread === undefined && room.summary.member && room.summary.may.includes('send');
  const poll = (picture: 'poll' | 'calendar', key: 'poll.new' | 'poll.newEvent', event: boolean) =>
    asks && { picture, label: strings.text(key), run: () => dialog({ kind: 'poll', room, event }) };
  const items: (MenuItem | false)[] = [
    chat.can.files && {
      picture: 'file',
      label: strings.text('file.attach'),
      run: () => pickFiles(place, picked),
    },
    poll('poll', 'poll.new', false),
    poll('calendar', 'poll.newEvent', true),
    chat.can.cards === true && {
      picture: 'card',
      label: strings.text('card.from', { name: siteName(context) }),
      run: () => suggestCards(opener),
    },
  ];
  const offered = items.filter((item) => item !== false);
  if (offered.length === 1) return offered[0]?.run();
  openMenu(context, opener, { label: strings.text('composer.attach'), items: offered, atStart: true });
}

/** Types the sign that opens the suggestions of the site. */
function suggestCards(opener: HTMLElement): void {
  const field = opener.closest('.row')?.querySelector('textarea');
  if (!field || field.readOnly) return;
  const { selectionStart: from, selectionEnd: to, value } = field;
  const text = /\S$/.test(value.slice(0, from)) ? ' /' : '/';
  const end = from + text.length;
  field.focus();
  apply({ from, to, text, start: end, end }, field);
}
