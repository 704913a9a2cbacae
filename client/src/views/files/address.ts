import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';

/** Returns the URL of a file. The server authorises every request for it. */
export const addressOf = ({ server }: Pick<Chat, 'server'>, { id, name }: Pick<MessageFile, 'id' | 'name'>) =>
  `${server}files/${id}/${encodeURIComponent(name)}`;
