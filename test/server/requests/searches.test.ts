import { expect, onTestFinished, test } from 'vitest';
import { methods } from '../../../server/history/history.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';

const withLobby = () => ({ rooms: [{ id: 'lobby', name: 'Lobby' }] });

test('runs searches of one user one after another, without delaying other requests', async () => {
  const started: string[] = [];
  const waiting: (() => void)[] = [];
  const { chat, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      if (query === 'search') {
        started.push(JSON.stringify(input).includes('mine') ? 'ann' : 'ben');
        await new Promise<void>((go) => waiting.push(go));
      }
      return stored.read[query](input);
    }),
  }));
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const mine = Array.from({ length: 4 }, () => ann.ask('message:search', { query: 'mine' }));
  await expect.poll(() => started).toEqual(['ann']);
  const other = ben.ask('message:search', { query: 'other' });
  await expect.poll(() => started).toEqual(['ann', 'ben']);
  expect(await ann.ask('room:list', {})).toMatchObject({ ok: true });
  expect(started).toEqual(['ann', 'ben']);
  waiting.pop()?.();
  expect(await other).toMatchObject({ ok: true });
  for (const search of mine) {
    await expect.poll(() => waiting.length).toBe(1);
    waiting.pop()?.();
    expect(await search).toMatchObject({ ok: true });
  }
});

test('serves a user who searches rarely before users who search all the time', async () => {
  const { chat, close } = await openChatOver(() => ({}), withLobby);
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const greedy = await Promise.all(Array.from({ length: 8 }, (_, n) => connect(`greedy-${n}`)));
  const rare = await connect('rare');
  const searches: [string, object][] = [
    ['user:find', { query: 'name' }],
    ['room:members', { room: 'lobby', query: 'name' }],
    ['message:search', { query: 'name' }],
  ];
  const all = (done: () => void) =>
    greedy.flatMap((one) => searches.map((search) => one.ask(...search).then(done)));
  await Promise.all(all(() => {}));
  for (const search of searches) {
    let served = 0;
    const others = all(() => served++);
    expect(await rare.ask(...search)).toMatchObject({ ok: true });
    // One was running, and another may have started.
    expect(served).toBeLessThan(4);
    await Promise.all(others);
  }
});

test('ends a search in a very large room after a bounded number of reads, and names where to continue', async () => {
  let reads = 0;
  const { chat, close } = await openChatOver(
    (stored) => ({
      read: methods(async (query, input) => {
        if (query !== 'findMembers') return stored.read[query](input);
        return { members: [], next: { sort: `name ${++reads}`, id: '1' } };
      }),
    }),
    withLobby,
  );
  onTestFinished(close);
  const ann = await askedDirectly(chat)('ann');
  const search = { room: 'lobby', query: 'name' };
  const first = await ann.ask('room:members', search);
  expect(first).toMatchObject({ ok: true, data: { members: [], next: expect.any(String) } });
  expect(reads).toBe(10);
  const { next } = first.data as { next: string };
  expect(await ann.ask('room:members', { ...search, cursor: next })).toMatchObject({ ok: true });
  expect(reads).toBe(20);
});
