import type { ComponentChildren } from 'preact';
import type { Chat } from '../../chat/chat.ts';
import { text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { ReadyCard } from './ready-card.tsx';

/** The card for the owner of a new chat, in place of an empty room. */
export function firstRun(context: Context): ComponentChildren {
  const { chat, changed } = context;
  if (!isNew(chat)) return undefined;
  const hide = () => chat.settings.set('ready', 'hidden');
  if (!isOwnPage(chat)) {
    // The site has the chat.
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

/** The page is that of the chat server, not one of the site. */
const isOwnPage = ({ server }: Chat) => location.origin + location.pathname === server;

/** No message of a person anywhere, and the one who looks has set it up. */
function isNew(chat: Chat): boolean {
  return (
    chat.roles.includes('admin') &&
    chat.settings.get('ready', text) === undefined &&
    [...chat.rooms.values()].every((room) => isUnused(room, chat))
  );
}

/** Where the reader is the only member of a private room, messages of others come from the site, such as its welcome. */
function isUnused({ summary: { kind, last, lastSeq, members } }: Room, { me }: Chat): boolean {
  return lastSeq === 0 || (kind === 'private' && members === 1 && last?.user.id !== me?.id);
}
