import { expect, onTestFinished, test } from 'vitest';
import { methods } from '../../server/history/history.ts';
import { openChatOver } from '../helpers/chat-over-history.ts';

test('creates missing rooms of CHAT_ROOMS and does not change existing ones', async () => {
  const differing: object[] = [];
  const { chat, close } = await openChatOver(
    (stored) => ({
      write: methods(async (op, input, asker) => {
        if (op === 'publicRooms') {
          await stored.write.putRoom({ id: 'lobby', kind: 'public', name: 'lobby', at: 0 });
          await stored.write.putRoom({ id: 'den', kind: 'private', name: 'Den', at: 0 });
          await stored.write.putRoom({ id: 'hall', kind: 'public', name: 'Called so in the chat', at: 0 });
        }
        return stored.write[op](input, asker);
      }),
    }),
    () => ({
      rooms: [
        { id: 'lobby', name: 'Lobby' },
        { id: 'den', name: 'Den' },
        { name: 'hall' },
        { id: 'new', name: 'New' },
      ],
      onOtherRoom: (room) => differing.push(room),
    }),
  );
  onTestFinished(close);
  expect(chat.directory.publicRooms.byName.map(({ room }) => room.record.name)).toEqual([
    'Called so in the chat',
    'lobby',
    'New',
  ]);
  expect(differing).toEqual([
    { id: 'lobby', name: 'Lobby', is: 'called otherwise' },
    { id: 'den', name: 'Den', is: 'private' },
  ]);
});

test('applies changes that another server makes during the initial reads, without announcing them', async () => {
  const kicked: string[] = [];
  const unexpected = () => {
    throw new Error('no user is online');
  };
  const { chat, close } = await openChatOver(
    (stored) => ({
      read: methods(async (query, input) => {
        const answer = await stored.read[query](input);
        if (query === 'bans') {
          await stored.write.putRoom({ id: 'late', kind: 'public', name: 'Late', at: 0 });
          await stored.write.setBan({ user: '7', ban: {} });
        }
        return answer;
      }),
    }),
    () => ({
      publisher: { toRoom: unexpected, toConnections: unexpected, join: unexpected, leave: unexpected },
      rooms: [{ name: 'lobby' }],
      kick: async (user) => void kicked.push(user),
    }),
  );
  onTestFinished(close);
  expect(chat.directory.publicRooms.byName.map(({ room }) => room.record.id)).toEqual(['late', 'lobby']);
  expect(chat.directory.banOf('7')).toEqual({});
  expect(kicked).toEqual([]);
});
