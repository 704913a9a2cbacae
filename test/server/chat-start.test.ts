import { expect, onTestFinished, test } from 'vitest';
import { openChatOver } from '../helpers/chat-over-history.ts';

test('what another server writes while the chat reads at its start is neither missed nor told to anybody', async () => {
  const kicked: string[] = [];
  const unexpected = () => {
    throw new Error('nobody is here');
  };
  const { chat, close } = await openChatOver(
    (stored) => ({
      async read(query, input) {
        const answer = await stored.read(query, input);
        if (query === 'bans') {
          await stored.write('putRoom', { id: 'late', kind: 'public', name: 'Late', at: 0 });
          await stored.write('setBan', { user: '7', ban: {} });
        }
        return answer;
      },
    }),
    () => ({
      publisher: { toRoom: unexpected, toConnections: unexpected, join: unexpected, leave: unexpected },
      rooms: [{ name: 'lobby' }],
      kick: (user) => kicked.push(user),
    }),
  );
  onTestFinished(close);
  expect(chat.directory.publicRooms.byName.map(({ room }) => room.record.id)).toEqual(['late', 'lobby']);
  expect(chat.directory.banOf('7')).toEqual({});
  expect(kicked).toEqual([]);
});
