import { expect, onTestFinished, test } from 'vitest';
import type { Aside } from '../../../server/chat/asides.ts';
import { deleteMessage } from '../../../server/chat/messages/messages.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';

test('a deletion that is done is not refused because the author cannot be notified', async () => {
  let isDone = false;
  const failed = Promise.withResolvers<Aside>();
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      current: () => (isDone ? Promise.reject(new Error('the disk is gone')) : stored.current()),
    }),
    () => ({ onAsideFailure: failed.resolve }),
  );
  onTestFinished(close);
  const at = 1_700_000_000_000;
  const owner = { id: 'owner', name: 'Owner' };
  const author = { id: 'author', name: 'Author' };
  const room = 'den';
  const create = { id: room, kind: 'private', name: 'Den', by: owner, clientId: 'c', most: 0, at } as const;
  await history.write.createRoom(create);
  await history.write.addMembers({ room, users: [author], source: 'people', mayReturn: true, at });
  const said = { room, clientId: 'm', user: author, text: 'rude', sentAt: at, asMember: true };
  const { message } = await history.write.send(said);
  const connection = await chat.directory.connect('c1', { ...owner, roles: [], rooms: [] });
  const found = chat.directory.room(room);
  if (found === undefined) throw new Error('the room is not in memory');
  history.onChange((change) => {
    if (change.type === 'message' && change.is === 'changed') isDone = true;
  });
  const answer = await deleteMessage(chat, connection, found, { room, seq: message.seq, reason: 'rude' });
  expect(answer.message.deletedBy).toBe('moderator');
  expect(await failed.promise).toBe('deletion_reason');
});
