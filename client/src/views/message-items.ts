import type { Entry } from '../store/entries.ts';
import type { Context } from './context.ts';
import type { MenuItem } from './menu.tsx';
import type { MessageActions } from './message.tsx';

/** What can be done with a message. Editing and deleting are to stand here too. */
export function messageItems(
  entry: Entry,
  context: Context,
  actions: Pick<MessageActions, 'reply'>,
): MenuItem[] {
  const { strings, toast } = context;
  const { message, text } = entry;
  if (message === undefined || message.deletedAt !== undefined) return [];
  return [
    { picture: 'reply', label: strings.text('action.reply'), key: 'R', run: () => actions.reply(entry) },
    {
      picture: 'copy',
      label: strings.text('action.copy'),
      key: 'C',
      run: () => {
        // Pages without TLS have no clipboard.
        const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard'));
        copied.then(
          () => toast(strings.text('common.copied'), 'good'),
          () => toast(strings.text('error.other'), 'bad'),
        );
      },
    },
  ];
}
