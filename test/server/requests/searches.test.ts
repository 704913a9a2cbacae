import { expect, onTestFinished, test, vi } from 'vitest';
import { shownAccounts } from '../../../server/app/logins.ts';
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
  const searches: [string, object][] = [
    ['user:find', { query: 'name' }],
    ['room:members', { room: 'lobby', query: 'name' }],
    ['message:search', { query: 'name' }],
  ];
  const all = (done: () => void) =>
    greedy.flatMap((one) => searches.map((search) => one.ask(...search).then(done)));
  await Promise.all(all(() => {}));
  for (const search of searches) {
    // Turns go by the time that the user's searches took, and a first search can take long on a busy machine.
    const rare = await connect(`rare-${search[0]}`);
    let served = 0;
    const others = all(() => served++);
    expect(await rare.ask(...search)).toMatchObject({ ok: true });
    // One was running, and another may have started.
    expect(served).toBeLessThan(4);
    await Promise.all(others);
  }
});

test('reads a page of history for a user who reads rarely before the queued pages of many users', async () => {
  const { chat, history, close } = await openChatOver(() => ({}), withLobby);
  onTestFinished(close);
  const sent = { room: 'lobby', user: { id: '1', name: 'Ann' }, sentAt: 1, asMember: false };
  for (let n = 0; n < 100; n++)
    await history.write.send({ ...sent, clientId: `c${n}`, text: 'x'.repeat(1000) });
  const connect = askedDirectly(chat);
  const rare = await connect('rare');
  const greedy = await Promise.all(Array.from({ length: 20 }, (_, n) => connect(`greedy-${n}`)));
  const page = ['message:history', { room: 'lobby', limit: 100 }] as const;
  const all = (done: () => void) =>
    greedy.flatMap((one) => Array.from({ length: 4 }, () => one.ask(...page).then(done)));
  await Promise.all(all(() => {}));
  let served = 0;
  const others = all(() => served++);
  expect(await rare.ask(...page)).toMatchObject({ ok: true });
  // Less than one page of each, although each asked for four before.
  expect(served).toBeLessThan(greedy.length);
  await Promise.all(others);
});

test.each([
  ['a refusal', 6000, 'rate_limited'],
  ['an answer of the time limit', 8000, 'storage_unavailable'],
])('starts no search whose client got %s after a long wait', async (_, waitMs, code) => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const started: string[] = [];
  const first = Promise.withResolvers<void>();
  const { chat, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      if (query !== 'search') return stored.read[query](input);
      if (started.push((input as { query: string }).query) === 1) await first.promise;
      return { messages: [] };
    }),
  }));
  onTestFinished(close);
  const ann = await askedDirectly(chat)('ann');
  const [slow, late] = ['slow', 'late'].map((query) => ann.ask('message:search', { query }));
  await vi.waitFor(() => expect(started).toEqual(['slow']));
  await vi.advanceTimersByTimeAsync(waitMs);
  first.resolve();
  await slow;
  expect(await late).toMatchObject({ ok: false, error: { code } });
  expect(await ann.ask('message:search', { query: 'last' })).toMatchObject({ ok: true });
  expect(started).toEqual(['slow', 'last']);
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

test('searches the accounts of the site for one user after the other', async () => {
  const searches: { text: string; end: () => void }[] = [];
  const search = (text: string) => new Promise<[]>((done) => searches.push({ text, end: () => done([]) }));
  const accounts = shownAccounts({ names: async () => new Map(), search }, undefined, {
    warn: (_, { reason }) => expect.unreachable(String(reason)),
  });
  const asked = ['greedy', 'greedy', 'greedy', 'rare'].map((user) => accounts.search(user, 9, user));
  for (let n = 0; n < asked.length; n++) {
    await expect.poll(() => searches.length).toBe(n + 1);
    searches[n]?.end();
  }
  await Promise.all(asked);
  expect(searches.map(({ text }) => text)).toEqual(['greedy', 'rare', 'greedy', 'greedy']);
});

test('reads for a user after at most four reads of each other user', async () => {
  const started: string[] = [];
  let end = () => {};
  const ended = new Promise<void>((done) => {
    end = done;
  });
  const { chat, close } = await openChatOver(
    (stored) => ({
      read: methods(async (query, input) => {
        if (query === 'pins') {
          started.push((input as { room: string }).room);
          await ended;
        }
        return stored.read[query](input);
      }),
    }),
    () => ({ rooms: ['lobby', 'garden'].map((id) => ({ id, name: id })) }),
  );
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const many = Array.from({ length: 40 }, () => ann.ask('room:pins', { room: 'lobby' }));
  const one = ben.ask('room:pins', { room: 'garden' });
  await expect.poll(() => started).toContain('garden');
  expect(started).toEqual([...Array(4).fill('lobby'), 'garden']);
  end();
  for (const answer of await Promise.all([...many, one])) expect(answer).toMatchObject({ ok: true });
});
