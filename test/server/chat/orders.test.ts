import { expect, test } from 'vitest';
import { openChat } from '../../../server/chat/chat.ts';
import { lookUp } from '../../../server/chat/site.ts';
import { Servers } from '../../../server/cluster/servers.ts';
import { RequestError } from '../../../server/errors.ts';
import type { History } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { historyFolder } from '../../helpers/chat-server.ts';

test('a server that cannot tell the others closes, pushes and counts here, and says whether to try again', async () => {
  const folder = historyFolder();
  const fail = (error: Error) => {
    throw error;
  };
  const stored = await openSqliteHistory({ path: folder.path, onFailure: fail });
  // As a database that can be read, but not be written.
  const history: History = {
    ...stored,
    write: (op, input, asker) =>
      op === 'tell'
        ? Promise.reject(new RequestError('storage_unavailable'))
        : stored.write(op, input, asker),
  };
  const ignore = () => {};
  const kicked: string[] = [];
  const pushed: unknown[] = [];
  const others = new Servers({ history, onSilence: ignore, onSameName: ignore });
  const chat = await openChat({
    history,
    publisher: {
      toRoom: ignore,
      toConnections: (...what) => pushed.push(what),
      join: ignore,
      leave: ignore,
    },
    settings: { createRooms: 'all', direct: true, findPeople: 'rooms' },
    limits: { text: 4000, members: 0, roomsOfUser: 0 },
    rooms: [],
    kick: (user) => kicked.push(user),
    others,
    onSweepFailure: fail,
  });
  others.open(chat.here);
  await chat.directory.connect('c1', { id: '7', name: 'Ann', roles: [], rooms: [] });
  pushed.length = 0;

  expect(await lookUp(chat, '7')).toMatchObject({ connections: 1 });
  const order = { is: 'push', name: 'order', data: 4711 } as const;
  expect(await chat.everywhere('7', order)).toBe(1);
  expect(pushed).toEqual([[['c1'], 'push', { name: 'order', data: 4711 }]]);
  // Nobody has got it: the site may push it again.
  await expect(chat.everywhere('8', order)).rejects.toMatchObject({ code: 'storage_unavailable' });
  await expect(chat.everywhere('7', { is: 'kick' })).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(kicked).toEqual(['7']);
  expect([...(chat.directory.person('7')?.connections ?? [])].map((one) => one.kicked)).toEqual([true]);

  chat.close();
  await others.close();
  await history.close();
  folder.remove();
});
