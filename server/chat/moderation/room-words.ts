import { mayHaveLink } from '../../text/like-link.ts';
import { RequestError } from '../../wire/errors.ts';
import type { RoomKind } from '../../wire/events.ts';
import { moderatesSite } from '../access.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';

/**
 * Checks the name and the topic of a room, which cannot be pending approval. Users who are not members may read them.
 * @param room its ID, if it already exists
 * @throws RequestError `forbidden` if only a site moderator may set this name or topic
 */
export async function checkRoomWords(
  { hold, history }: Chat,
  { identity, person }: Connection,
  { kind, room = '' }: { kind: RoomKind; room?: string },
  ...words: readonly (string | undefined)[]
): Promise<void> {
  const said = words.filter((one) => one !== undefined).join('\n');
  if (hold === undefined || said === '' || moderatesSite(identity)) return;
  const { mode } = hold;
  if (hold.hasWord(said))
    throw new RequestError('forbidden', 'the name or topic contains a word from CHAT_HOLD_WORDS');
  if (mode === 'links' && mayHaveLink(said))
    throw new RequestError('forbidden', 'names and topics must not contain links (CHAT_HOLD=links)');
  if (kind !== 'public') return;
  const user = person.user.id;
  const isNew = mode === 'first' && !(await history.read.hasWritten({ user, room }));
  if (mode === 'all' || isNew)
    throw new RequestError(
      'forbidden',
      `only site moderators can name public rooms (CHAT_HOLD=${mode}): ask one of them`,
    );
}
