import { expect, onTestFinished, test } from 'vitest';
import type { Aside } from '../../../server/chat/asides.ts';
import { connectUser } from '../../../server/chat/connected-users.ts';
import { deleteMessage } from '../../../server/chat/messages/messages.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { nameOf, roomsOf } from '../../helpers/rooms-of.ts';

test('deletes a message even if the author cannot be notified', async () => {
  let isDone = false;
  const failed = Promise.withResolvers<Aside>();
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      current: () => (isDone ? Promise.reject(new Error('the disk is gone')) : stored.current()),
    }),
    () => ({ onAsideFailure: failed.resolve }),
  );
  onTestFinished(close);
  const { den, say } = roomsOf(history);
  const room = 'den';
  await den(room, ['owner', 'author']);
  const seq = await say(room, 'author', 'rude');
  const connection = await connectUser(chat, 'c1', { ...nameOf('owner'), roles: [], rooms: [] });
  const found = chat.directory.room(room);
  if (found === undefined) throw new Error('the room is not in memory');
  history.onChange((change) => {
    if (change.type === 'message' && change.is === 'changed') isDone = true;
  });
  const answer = await deleteMessage(chat, connection, found, { room, seq, reason: 'rude' });
  expect(answer.message.deletedBy).toBe('moderator');
  expect(await failed.promise).toBe('deletion_reason');
});
