import type { Entry } from '../../store/entries.ts';
import type { Context, Writing } from '../context.ts';
import { copy } from '../copy.ts';
import { editedAt } from '../message.tsx';
import { type MenuItem, openMenu } from './menu.tsx';

/** What can be done with a message; what one may not do is absent. */
function messageItems(entry: Entry, context: Context, writing: Writing): MenuItem[] {
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

/** @param key - does at once what that key of the menu does */
export function openMessageMenu(
  entry: Entry,
  writing: Writing,
  key: string | undefined,
  context: Context,
  opener: HTMLElement,
): void {
  const { chat, strings, touch } = context;
  const items = messageItems(entry, context, writing);
  if (key !== undefined) return items.find((item) => item.key?.toLowerCase() === key)?.run();
  if (items.length === 0) return;
  const who = entry.user.id === chat.me?.id ? strings.text('msg.you') : entry.user.name;
  const edited = entry.message?.editedAt;
  const about = (
    <div class="about" role="presentation">
      <span>{entry.text}</span>
      <bdi>{who}</bdi>, {strings.time(entry.sentAt)}
      {edited !== undefined && ` · ${editedAt(edited, strings)}`}
    </div>
  );
  openMenu(context, opener, {
    label: strings.text('msg.actions'),
    items,
    about: touch() && about,
    beside: opener.querySelector('.bubble'),
  });
}
