import type { Entry } from '../store/entries.ts';
import type { Context } from './context.ts';
import { copy } from './copy.ts';
import type { MenuItem } from './menu.tsx';

/** What is done with a message in the composer. */
export interface Writing {
  reply(entry: Entry): void;
  edit(entry: Entry): void;
}

/** What can be done with a message; what one may not do is absent. */
export function messageItems(entry: Entry, context: Context, writing: Writing): MenuItem[] {
  const { chat, strings, touch, dialog } = context;
  const { message, text } = entry;
  if (message === undefined || message.deletedAt !== undefined) return [];
  const own = entry.user.id === chat.me?.id;
  const moderates = chat.rooms.get(message.room)?.summary.may.includes('moderate') === true;
  const items: (MenuItem | false)[] = [
    { picture: 'reply', label: strings.text('action.reply'), key: 'R', run: () => writing.reply(entry) },
    { picture: 'copy', label: strings.text('action.copy'), key: 'C', run: () => copy(text, context) },
    touch() && {
      picture: 'select',
      label: strings.text('action.select'),
      run: () => dialog({ kind: 'select', text }),
    },
    own && {
      picture: 'edit',
      label: strings.text('action.edit'),
      key: 'E',
      run: () => writing.edit(entry),
    },
    (own || moderates) && {
      picture: 'delete',
      label: strings.text('action.delete'),
      key: 'Del',
      apart: true,
      bad: true,
      run: () => dialog({ kind: 'delete', message }),
    },
  ];
  return items.filter((item) => item !== false);
}
