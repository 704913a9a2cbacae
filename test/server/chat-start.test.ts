import { expect, test } from 'vitest';
import { openChat } from '../../server/chat/chat.ts';
import type { History } from '../../server/history/history.ts';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import { historyFolder } from '../helpers/chat-server.ts';

test('what another server writes while the chat reads at its start is neither missed nor told to anybody', async () => {
  const folder = historyFolder();
  const stored = await openSqliteHistory({
    path: folder.path,
    onFailure: (error) => {
      throw error;
    },
  });
  const history: History = {
    ...stored,
    async read(query, input) {
      const answer = await stored.read(query, input);
      if (query === 'bans') {
        await stored.write('putRoom', { id: 'late', kind: 'public', name: 'Late', at: 0 });
        await stored.write('setBan', { user: '7', ban: {} });
      }
      return answer;
    },
  };
  const kicked: string[] = [];
  const unexpected = () => {
    throw new Error('nobody is here');
  };
  const chat = await openChat({
    history,
    publisher: {
      toRoom: unexpected,
      toConnections: unexpected,
      join: unexpected,
      leave: unexpected,
    } as never,
    settings: { createRooms: 'all', direct: true, findPeople: 'all' } as never,
    limits: { text: 4000, members: 0, roomsOfUser: 0 },
    rooms: [{ name: 'lobby' }],
    kick: (user) => kicked.push(user),
    onSweepFailure: unexpected,
  });
  expect(chat.directory.publicByName().map(({ room }) => room.record.id)).toEqual(['late', 'lobby']);
  expect(chat.directory.banOf('7')).toEqual({});
  expect(kicked).toEqual([]);
  chat.close();
  await history.close();
  folder.remove();
});
