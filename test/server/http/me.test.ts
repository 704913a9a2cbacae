import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { totalsOfUser } from '../../../server/chat/summary.ts';
import { methods } from '../../../server/history/history.ts';
import { ConcurrencyLimit } from '../../../server/limits/by-key.ts';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite(
    { CHAT_ORIGINS: 'https://www.example.org', CHAT_LIMIT_ME: '40/10s' },
    chatServerHere,
  );
});
afterAll(() => site.close());

const sameOrigin = { 'sec-fetch-site': 'same-origin' };
const me = async (headers: Record<string, string>) => {
  const answer = await fetch(`${site.chat.url}/me`, { headers });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as object };
};

test('returns the user and the unread counts without making the user present', async () => {
  const cookie = await site.session(1, 'Ann');
  expect((await me({ cookie, ...sameOrigin })).body).toEqual({
    user: { id: '1', name: 'Ann' },
    unread: 0,
    mentions: 0,
  });
  const ann = await connectChat(site.chat.url, cookie);
  const { room } = await ann.request('room:create', {
    name: 'Den',
    kind: 'private',
    clientId: newClientId(),
    members: ['2'],
  });
  await ann.request('room:join', { room: room.id });
  await ann.request('message:send', { room: room.id, text: 'x', clientId: newClientId() });
  const ben = await site.session(2, 'Ben');
  expect((await me({ cookie: ben, ...sameOrigin })).body).toMatchObject({ user: { id: '2' }, unread: 1 });
  const { members } = await ann.request('room:members', { room: room.id, present: true });
  expect(members.map(({ user }) => user.id)).toEqual(['1']);
  ann.close();
});

test('excludes a direct room with a blocked user from the unread counts', async () => {
  const [ann, ben] = await Promise.all(
    [site.session(1, 'Ann'), site.session(2, 'Ben')].map(async (session) => {
      const cookie = await session;
      return { cookie, ...(await connectChat(site.chat.url, cookie)) };
    }),
  );
  if (ann === undefined || ben === undefined) throw new Error('a client is missing');
  const unread = async () => {
    const { body } = await me({ cookie: ben.cookie, ...sameOrigin });
    const again = await connectChat(site.chat.url, ben.cookie);
    again.close();
    const listed = again.ready.rooms.find(({ id }) => id === room.id);
    return [(body as { unread: number }).unread, again.ready.totals.unread, listed?.unread];
  };
  const { room } = await ann.request('direct:open', { user: '2' });
  await ann.request('room:join', { room: room.id });
  const [{ unread: before }] = [(await me({ cookie: ben.cookie, ...sameOrigin })).body as { unread: number }];
  await ann.request('message:send', { room: room.id, text: 'x', clientId: newClientId() });
  expect(await unread()).toEqual([before + 1, before + 1, 1]);
  await ben.request('user:block', { user: '1', blocked: true });
  expect(await unread()).toEqual([before, before, 0]);
  await ben.request('user:block', { user: '1', blocked: false });
  expect(await unread()).toEqual([before + 1, before + 1, 1]);
  ann.close();
  ben.close();
});

test('runs at most four reads of an offline user at once', async () => {
  let [running, most] = [0, 0];
  const { chat, history, close } = await openChatOver(({ read }) => ({
    read: methods(async (query, input) => {
      if (query !== 'user') return read[query](input);
      most = Math.max(most, ++running);
      return read[query](input).finally(() => running--);
    }),
  }));
  onTestFinished(close);
  const reads = new ConcurrencyLimit(4);
  const eve = { id: 'eve', name: 'Eve', roles: [], rooms: [] };
  const responses = Array.from({ length: 30 }, () => totalsOfUser(history, chat.directory, reads, eve));
  expect(await Promise.all(responses)).toEqual(Array(30).fill({ unread: 0, mentions: 0 }));
  expect(most).toBe(4);
});

test('returns an empty object without a logged-in user', async () => {
  for (const cookie of ['', 'PHPSESSID=unknown', await site.rawSession('{"cart":[]}')]) {
    const answer = await me({ cookie, ...sameOrigin });
    expect([answer.status, answer.body]).toEqual([200, {}]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  }
});

test('lets only an allowed origin read the response', async () => {
  const cookie = await site.session(1);
  const allowed = await me({ cookie, origin: 'https://www.example.org' });
  expect(allowed.status).toBe(200);
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://www.example.org');
  expect(allowed.headers.get('access-control-allow-credentials')).toBe('true');
  const refused: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    {},
    { 'sec-fetch-site': 'cross-site' },
    { ...sameOrigin, 'sec-fetch-dest': 'image' },
  ];
  for (const headers of refused) {
    expect(await me({ cookie, ...headers })).toMatchObject({
      status: 403,
      body: { error: { code: 'origin_not_allowed' } },
    });
  }
});

test('answers 503 while the session store is down, also for files', async () => {
  const cookie = await site.session(1);
  await site.memcached.stop();
  expect(await me({ cookie, ...sameOrigin })).toMatchObject({
    status: 503,
    body: { error: { code: 'session_store_unavailable' } },
  });
  const origin = 'https://www.example.org';
  for (const [address, more] of [
    [`/files/${'a'.repeat(32)}/x`, {}],
    ['/files?room=lobby&name=x', { method: 'POST', body: 'x' }],
  ] as const) {
    const answer = await fetch(`${site.chat.url}${address}`, { ...more, headers: { cookie, origin } });
    expect([answer.status, await answer.json()]).toMatchObject([
      503,
      { error: { code: 'session_store_unavailable' } },
    ]);
  }
});

test('answers 429 with Retry-After above the limit of an address', async () => {
  let answer = await me(sameOrigin);
  for (let n = 0; n < 50 && answer.status === 200; n++) answer = await me(sameOrigin);
  expect(answer).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
});
