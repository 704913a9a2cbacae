import { randomBytes } from 'node:crypto';
import { RequestError } from '../wire/errors.ts';
import type { Answers, RequestPayload } from '../wire/events.ts';
import type { Chat } from './chat.ts';
import { requireRoom } from './directory.ts';
import { type Connection, userOf } from './model.ts';
import { askSite } from './site-accounts.ts';
import { summaryAfter } from './summary.ts';

export async function openDirect(
  chat: Chat,
  connection: Connection,
  { user: other }: RequestPayload<'direct:open'>,
): Promise<{ answer: Answers['direct:open']; repeated: boolean }> {
  const { history, directory } = chat;
  const { person } = connection;
  if (other === person.user.id)
    throw new RequestError('bad_request', 'users cannot open a direct room with themselves');
  // An open conversation stays readable after the site deleted the account, so the site is not asked.
  const isOpen = [...person.memberships.values()].some(({ room }) => room.record.pair?.includes(other));
  const { unknown, names } = await askSite(chat, isOpen ? [] : [other]);
  if (unknown.has(other)) throw new RequestError('unknown_user');
  const id = `d-${randomBytes(16).toString('base64url')}`;
  const otherName = names.get(other);
  const { room: record, repeated } = await history.write.openDirect(
    { id, by: userOf(connection), other, otherName, at: Date.now() },
    connection.id,
  );
  const room = requireRoom(directory.find(person, record.id));
  await chat.catchUp(
    history.read.partner({ user: person.user.id, other, room: record.id }),
    (partner) => {
      // The other user may have been erased during the read.
      if (room.record.pair !== undefined) room.partners.set(other, partner);
    },
    () => undefined,
  );
  return { answer: { room: summaryAfter(directory, room, connection) }, repeated };
}
