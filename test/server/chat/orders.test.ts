import { expect, onTestFinished, test } from 'vitest';
import { lookUp } from '../../../server/chat/site.ts';
import { Servers } from '../../../server/cluster/servers.ts';
import { RequestError } from '../../../server/errors.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';

test('a server that cannot tell the others closes, pushes and counts here, and says whether to try again', async () => {
  const ignore = () => {};
  const kicked: string[] = [];
  const pushed: unknown[] = [];
  let others: Servers | undefined;
  const { chat, close } = await openChatOver(
    (stored) => ({
      // As a database that can be read, but not be written.
      write: (op, input, asker) =>
        op === 'tell'
          ? Promise.reject(new RequestError('storage_unavailable'))
          : stored.write(op, input, asker),
    }),
    (history) => {
      others = new Servers({ history, onSilence: ignore, onSameName: ignore, onFailure: ignore });
      return {
        publisher: {
          toRoom: ignore,
          toConnections: (...what) => pushed.push(what),
          join: ignore,
          leave: ignore,
        },
        kick: (user) => kicked.push(user),
        others,
      };
    },
  );
  onTestFinished(async () => {
    await others?.close();
    await close();
  });
  others?.open(chat.here);
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
});
