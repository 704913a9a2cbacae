import type { ComponentChildren } from 'preact';
import type { Chat } from '../../chat/chat.ts';
import { text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { ReadyCard } from './ready-card.tsx';

/** The card for the owner of a new chat, shown instead of an empty room. */
export function firstRun(context: Context): ComponentChildren {
  const { chat, changed } = context;
  if (!isNew(chat)) return undefined;
  const hide = () => chat.settings.set('ready', 'hidden');
  if (!isOwnPage(chat)) {
    // The site already includes the chat.
    hide();
    return undefined;
  }
  return (
    <ReadyCard
      context={context}
      hide={() => {
        hide();
        changed();
      }}
    />
  );
}

/** Whether the page belongs to the chat server and not to the site. */
const isOwnPage = ({ server }: Chat) => location.origin + location.pathname === server;

/** Whether no user has written a message yet, and this user can set up the chat. */
function isNew(chat: Chat): boolean {
  return (
    chat.roles.includes('admin') &&
    chat.settings.get('ready', text) === undefined &&
    [...chat.rooms.values()].every((room) => isUnused(room, chat))
  );
}

/** In a private room whose only member is the reader, messages by others come from the site, such as a welcome. */
function isUnused({ summary: { kind, last, lastSeq, members } }: Room, { me }: Chat): boolean {
  return lastSeq === 0 || (kind === 'private' && members === 1 && last?.user.id !== me?.id);
}
