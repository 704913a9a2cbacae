import type { ComponentChildren } from 'preact';
import type { Chat } from '../chat.ts';
import type { Context } from './context.ts';

type Card = typeof import('./ready-card.tsx').ReadyCard;

let card: Card | undefined;

/** What the owner sees who has just set the chat up, in place of an empty room; its code is loaded for him alone. */
export function firstRun(context: Context): ComponentChildren {
  const { chat, strings, changed } = context;
  if (!isNew(chat)) return undefined;
  if (card === undefined || !strings.whole) {
    void Promise.all([import('./ready-card.tsx'), strings.complete()]).then(
      ([{ ReadyCard }]) => {
        card = ReadyCard;
        changed();
      },
      // The room is as good without it.
      () => {},
    );
    return undefined;
  }
  const Shown: Card = card;
  const hide = () => {
    chat.settings.set('ready', 'hidden');
    changed();
  };
  return <Shown context={context} hide={hide} />;
}

/** No message anywhere, and the one who looks has set it up. */
function isNew(chat: Chat): boolean {
  return (
    chat.roles.includes('admin') &&
    chat.settings.get<string>('ready') === undefined &&
    [...chat.rooms.values()].every(({ summary }) => summary.lastSeq === 0)
  );
}
