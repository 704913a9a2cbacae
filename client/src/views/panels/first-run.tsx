import type { ComponentChildren } from 'preact';
import type { Chat } from '../../chat/chat.ts';
import type { Context } from '../context.ts';
import { ReadyCard } from './ready-card.tsx';

/** What the owner sees who has just set the chat up, in place of an empty room. */
export function firstRun(context: Context): ComponentChildren {
  const { chat, changed } = context;
  if (!isNew(chat)) return undefined;
  const hide = () => {
    chat.settings.set('ready', 'hidden');
    changed();
  };
  return <ReadyCard context={context} hide={hide} />;
}

/** No message anywhere, and the one who looks has set it up. */
function isNew(chat: Chat): boolean {
  return (
    chat.roles.includes('admin') &&
    chat.settings.get<string>('ready') === undefined &&
    [...chat.rooms.values()].every(({ summary }) => summary.lastSeq === 0)
  );
}
