import { afterAll, beforeAll, describe, type TestContext, test } from 'vitest';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { type ChatClient, connectChat, newClientId, refusalOf } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { inShort, request, say, upgrade } from '../../helpers/fuzz-exchange.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { metrics } from '../../helpers/server-figures.ts';

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 19; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

const withLimits = (env: NodeJS.ProcessEnv) => chatServerHere({ CHAT_SESSION_STORE: memcached.url, ...env });
/** Starts a server with these settings that stops with the test. */
async function start({ onTestFinished }: TestContext, env: NodeJS.ProcessEnv): Promise<RunningChat> {
  const server = await withLimits(env);
  onTestFinished(async () => void (await server.stop()));
  return server;
}

const connect = (server: RunningChat, user: number, options = {}): Promise<ChatClient> =>
  connectChat(server.url, `PHPSESSID=u${user}`, options);
async function joined(server: RunningChat, user: number, options = {}): Promise<ChatClient> {
  const client = await connect(server, user, options);
  await client.request('room:join', { room: 'lobby' });
  return client;
}
const message = (clientId = newClientId()) => ({ room: 'lobby', text: `text ${clientId}`, clientId });

// admission.unit.test.ts tests the rules, and bad-input.test.ts the response beyond the limit.
describe.concurrent('limits by address', () => {
  const handshake = async (
    { port }: RunningChat,
    headers = {},
    path = '/socket.io/?EIO=4&transport=polling',
  ) => inShort(await say(port, request(path, headers)));

  test('allow a new connection when an open one closes', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_CONNECTIONS_ADDRESS: '3' });
    const clients = [await connect(server, 1), await connect(server, 2), await connect(server, 3)];
    expect(await handshake(server)).toBe('429 rate_limited');
    clients[0]?.close();
    await expect.poll(() => handshake(server)).toBe('200');
  });

  test('count a connection once, without its polls, posts and upgrade', async (context) => {
    const env = { CHAT_LIMIT_CONNECT_ADDRESS: '1/1h', CHAT_LIMIT_CONNECTIONS_ADDRESS: '1' };
    const server = await start(context, env);
    const client = await connect(server, 1, { transports: ['polling', 'websocket'] });
    if (client.socket.io.engine.transport.name === 'polling')
      await new Promise((resolve) => client.socket.io.engine.once('upgrade', resolve));
    for (let n = 0; n < 5; n++) await client.request('room:list', {});
    context.expect(await handshake(server)).toBe('429 rate_limited');
    client.close();
  });

  test('do not count a failed handshake', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_CONNECTIONS_ADDRESS: '1' });
    expect(await handshake(server, {}, '/socket.io/?EIO=3&transport=polling')).toMatch(/^400/);
    const odd = { ...upgrade, 'Sec-WebSocket-Version': '99' };
    expect(await handshake(server, odd, '/socket.io/?EIO=4&transport=websocket')).toMatch(/^400/);
    (await connect(server, 1)).close();
  });
});

describe.concurrent('limits by user', () => {
  /** Has several low limits. Each test uses its own users. */
  let strict: RunningChat;
  /** Has a low limit of requests. Each test uses its own users. */
  let flooded: RunningChat;
  beforeAll(async () => {
    strict = await withLimits({
      CHAT_LIMIT_CONNECTIONS_USER: '2',
      CHAT_LIMIT_SEND: '3/1h',
      CHAT_LIMIT_INVITE: '5/1h',
      CHAT_LIMIT_CREATE: '3/1h',
      CHAT_LIMIT_SEARCH: '2/1h',
    });
    flooded = await withLimits({ CHAT_LIMIT_REQUESTS: '20/1h' });
  });
  afterAll(() => Promise.all([strict.stop(), flooded.stop()]));

  test('reject the newest connection and keep the others', async ({ expect }) => {
    const [first, second] = [await connect(strict, 1), await connect(strict, 1)];
    const refusal = await refusalOf(connect(strict, 1));
    expect(refusal.data).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: 5000 });
    (await connect(strict, 2)).close();
    for (const client of [first, second]) expect(client.socket.connected).toBe(true);
    first.close();
    const again = () =>
      connect(strict, 1).then(
        () => 'in',
        () => 'out',
      );
    await expect.poll(again).toBe('in');
  });

  test('apply to connections that open at the same moment', async ({ expect }) => {
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => connect(strict, 10)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  });

  test('count sends over all connections and reconnects of the user', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_SEND: '5/1h' });
    const [tab, other, ben] = [await joined(server, 1), await joined(server, 1), await joined(server, 2)];
    for (let n = 0; n < 5; n++) await (n % 2 ? tab : other).request('message:send', message());
    await expect(tab.request('message:send', message())).rejects.toThrow('rate_limited');
    await ben.request('message:send', message());
    tab.close();
    const again = await joined(server, 1);
    await expect(again.request('message:send', message())).rejects.toThrow('rate_limited');
  });

  test('allow the next send after the time that a refusal names', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_SEND: '5/3s' });
    const client = await joined(server, 1);
    const sends = Array.from({ length: 6 }, () => client.raw('message:send', message()));
    const refused = (await Promise.all(sends)).find(({ ok }) => !ok);
    expect(refused).toMatchObject({ error: { code: 'rate_limited' } });
    const { retryAfterMs } = (refused as { error: { retryAfterMs: number } }).error;
    expect(retryAfterMs).toBeLessThanOrEqual(3000);
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs + 20));
    await client.request('message:send', message());
  });

  test('do not count repeats, which are answered even beyond the limit', async ({ expect }) => {
    const client = await joined(strict, 11);
    const first = message();
    const stored = await client.request('message:send', first);
    for (let n = 0; n < 3; n++) expect(await client.request('message:send', first)).toEqual(stored);
    for (let n = 0; n < 2; n++) await client.request('message:send', message());
    await expect(client.request('message:send', message())).rejects.toThrow('rate_limited');
    expect(await client.request('message:send', first)).toEqual(stored);
    await expect(client.request('message:send', { ...first, text: 'other' })).rejects.toThrow('conflict');
  });

  test('count the initial members of a new room as invited', async ({ expect }) => {
    const client = await connect(strict, 12);
    const create = (...members: string[]) =>
      client.request('room:create', { name: 'Den', kind: 'private', members, clientId: newClientId() });
    const { room } = await create('2', '3', '4');
    expect(room.members).toBe(4);
    await client.request('room:invite', { room: room.id, users: ['5', '6'] });
    await expect(create('7')).rejects.toThrow('rate_limited');
    // Rejected requests did not create a room, and did not count.
    await create();
    await create();
    await expect(create()).rejects.toThrow('rate_limited');
  });

  test('count finding a member as a search, but not listing members', async ({ expect }) => {
    const client = await connect(strict, 13);
    const members = (over: object) => client.request('room:members', { room: 'lobby', ...over });
    await members({ query: 'a' });
    await client.request('user:find', { query: 'a' });
    await expect(members({ query: 'a' })).rejects.toThrow('rate_limited');
    await members({});
    await members({ present: true });
  });

  test('answer other users before the sender of a flood', async ({ expect }) => {
    const [flooder, ben] = [await connect(flooded, 14), await connect(flooded, 15)];
    const events = ['room:list', 'room:explode', 'message:send'];
    const flood = Array.from({ length: 200 }, (_, n) => flooder.raw(events[n % 3] as string, {}));
    await flood[30];
    // More than a hundred requests of the flooder are queued by now.
    const next = [flooder, ben].map(async (client) => {
      await client.request('room:explode' as 'room:list', {}).catch(() => null);
      return client;
    });
    expect(await Promise.race(next)).toBe(ben);
    const answers = await Promise.all(flood);
    expect(new Set(answers.map((answer) => (answer.ok ? 'ok' : answer.error.code)))).toEqual(
      new Set(['ok', 'rate_limited', 'unknown_event', 'bad_request']),
    );
  });

  test('delay all connections of the sender of a flood, including new ones', async ({ expect }) => {
    const polling = { transports: ['polling'] };
    const [flooder, other] = [await connect(flooded, 18, polling), await connect(flooded, 18)];
    const began = performance.now();
    const flood = Array.from({ length: 200 }, () => flooder.raw('room:list', {}));
    // With polling, all requests arrive at once.
    expect(await flood[199]).toMatchObject({ error: { code: 'rate_limited' } });
    const newest = await connect(flooded, 18);
    await Promise.all([other.raw('room:list', {}), newest.raw('room:list', {})]);
    expect(performance.now() - began).toBeGreaterThan(1000);
  });

  againInSoak(
    'disconnect all connections of a user whose penalties last longer than 10 s',
    async (context) => {
      const { expect } = context;
      const server = await start(context, { CHAT_LIMIT_REQUESTS: '20/1h' });
      const [quiet, others] = [await connect(server, 1), await connect(server, 2)];
      const polling = Array.from({ length: 3 }, () => connect(server, 1, { transports: ['polling'] }));
      const flooders = await Promise.all(polling);
      for (const { socket } of flooders) {
        const emit = socket.emit.bind(socket) as (...args: unknown[]) => void;
        // The first flooder exceeds the limit by 480 requests, the second by 500.
        for (let n = 0; n < 500; n++) emit('a', {}, () => {});
      }
      await Promise.all([quiet, ...flooders].map(({ disconnected }) => disconnected));
      const figures = await metrics(server.url);
      expect(figures.get('chat_closed_total{reason="flood"}')).toBe(4);
      // The server stops reading the requests of the third.
      expect(figures.get('chat_requests_total{event="unknown",code="unknown_event"}')).toBeLessThan(1050);
      await others.request('room:list', {});
      others.close();
    },
  );

  test('apply to all requests, except those rejected for another reason', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_REQUESTS: '4/1h' });
    const client = await joined(server, 1);
    const first = message();
    const stored = await client.request('message:send', first);
    await client.request('room:list', {});
    await client.request('message:history', { room: 'lobby' });
    const code = async (event: string, payload: unknown) => {
      const answer = await client.raw(event, payload);
      return answer.ok ? 'ok' : answer.error.code;
    };
    expect(await code('room:list', {})).toBe('rate_limited');
    expect(await code('room:sync', { room: 'lobby', since: 0 })).toBe('rate_limited');
    expect(await code('message:send', message())).toBe('rate_limited');
    expect(await code('room:join', { room: 'cellar' })).toBe('unknown_room');
    expect(await code('room:join', {})).toBe('bad_request');
    expect(await code('room:explode', {})).toBe('unknown_event');
    expect(await client.request('message:send', first)).toEqual(stored);
  });

  describe('for large responses', () => {
    const all = { room: 'lobby', since: 0 };
    /** Starts a server whose lobby contains 60 messages of 4 KB, as many as these users may send. */
    async function filled(context: TestContext, limit: string): Promise<RunningChat> {
      const server = await start(context, { CHAT_LIMIT_REQUESTS: limit });
      const writers = await Promise.all([2, 3, 4, 5, 6].map((user) => joined(server, user)));
      const send = (client: ChatClient) =>
        client.request('message:send', { ...message(), text: 'x'.repeat(4000) });
      await Promise.all(writers.flatMap((client) => Array.from({ length: 12 }, () => send(client))));
      for (const client of writers) client.close();
      return server;
    }

    test('count a response of 246 KB as 16 requests', async (context) => {
      const { expect } = context;
      const server = await filled(context, '100/1h');
      const [patient, hasty] = [await connect(server, 1), await connect(server, 7)];
      for (let n = 0; n < 7; n++) expect((await patient.request('room:sync', all)).messages).toHaveLength(60);
      for (const [event, payload] of [
        ['room:sync', all],
        ['room:list', {}],
      ] as const)
        expect(await patient.raw(event, payload)).toMatchObject({ error: { code: 'rate_limited' } });
      const answers = await Promise.all(Array.from({ length: 30 }, () => hasty.raw('room:sync', all)));
      const answered = answers.filter(({ ok }) => ok).length;
      expect(answered).toBeGreaterThanOrEqual(7);
      // Requests that start before the first response cost little.
      expect(answered).toBeLessThanOrEqual(20);
    });
  });

  test('count a request of 64 KB as 16 requests', async (context) => {
    const server = await start(context, { CHAT_LIMIT_REQUESTS: '40/1h' });
    const client = await connect(server, 1);
    const pad = 'x'.repeat(65_000);
    const answers = [];
    for (let n = 0; n < 4; n++) answers.push((await client.raw('room:list', { pad })).ok);
    context.expect(answers).toEqual([true, true, true, false]);
  });
});
