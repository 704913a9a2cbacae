import { connect as tcpConnect } from 'node:net';
import { afterAll, beforeAll, describe, type TestContext, test } from 'vitest';
import type { RequestFailure } from '../../../server/wire/events.ts';
import { size, soak } from '../../guarantees/size.ts';
import { type ChatClient, connectChat, newClientId, refusalOf } from '../../helpers/chat-client.ts';
import { type ChatServer, nextChatServer } from '../../helpers/chat-server.ts';
import { fastClock } from '../../helpers/fake-clock.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { metrics } from '../../helpers/server-figures.ts';

interface Emitter {
  emit(...args: unknown[]): void;
}

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 19; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

/** Starts a server with these settings, which ends with the test. */
async function start({ onTestFinished }: TestContext, env: NodeJS.ProcessEnv): Promise<ChatServer> {
  const server = await nextChatServer({ CHAT_SESSION_STORE: memcached.url, ...env });
  onTestFinished(async () => void (await server.stop()));
  return server;
}

const connect = (server: ChatServer, user: number, options = {}): Promise<ChatClient> =>
  connectChat(server.url, `PHPSESSID=u${user}`, options);

/** The status line, headers and body of a handshake from an address of this machine. */
function handshake(
  server: ChatServer,
  options: { from?: string; headers?: string; upgrade?: boolean; path?: string } = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = tcpConnect({
      port: server.port,
      host: '127.0.0.1',
      localAddress: options.from ?? '127.0.0.1',
    });
    const transport = options.upgrade ? 'websocket' : 'polling';
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    socket.write(
      `GET ${options.path ?? `/socket.io/?EIO=4&transport=${transport}`} HTTP/1.1\r\nHost: chat.example\r\n` +
        `${options.headers ?? ''}${options.upgrade ? upgrade : ''}\r\n`,
    );
    let text = '';
    const done = () => {
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text });
    };
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (/\r\n\r\n[\s\S]*\}/.test(text)) done();
    });
    socket.on('end', done);
    socket.on('error', reject);
  });
}

// In turn, so that one process serves for all of them.
describe('by address', () => {
  test('new connections in time: 429 with Retry-After on both transports, other addresses unharmed', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_CONNECT_ADDRESS: '5/10s' });
    for (let n = 0; n < 5; n++) expect((await handshake(server)).status).toBe(200);
    for (const upgrade of [false, true]) {
      const refused = await handshake(server, { upgrade });
      expect(refused.status).toBe(429);
      expect(refused.text).toMatch(/^Retry-After: ([1-9]|10)\r$/m);
      expect(refused.text).toContain('{"error":{"code":"rate_limited"');
    }
    expect((await handshake(server, { from: '127.0.0.2' })).status).toBe(200);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('chat_refusals_total{code="rate_limited"} 2');
  });

  test('refused requests count separately: they use up nothing of the accepted ones', async (context) => {
    const { expect } = context;
    const server = await start(context, {
      CHAT_LIMIT_CONNECT_ADDRESS: '5/1h',
      CHAT_LIMIT_CONNECTIONS_ADDRESS: '5',
    });
    const image = { headers: 'Sec-Fetch-Site: cross-site\r\n' };
    for (let n = 0; n < 5; n++) expect((await handshake(server, image)).status).toBe(403);
    // Their number is limited as well.
    const refused = await handshake(server, image);
    expect(refused.status).toBe(429);
    expect(refused.text).toMatch(/^Retry-After: 3600\r$/m);
    for (let n = 0; n < 5; n++) expect((await handshake(server)).status).toBe(200);
    expect((await handshake(server)).status).toBe(429);
  });

  test('a connection refused because too many are open does not count as a new one', async (context) => {
    const { expect } = context;
    const server = await start(context, {
      CHAT_LIMIT_CONNECT_ADDRESS: '2/1h',
      CHAT_LIMIT_CONNECTIONS_ADDRESS: '1',
    });
    const client = await connect(server, 1);
    for (let n = 0; n < 5; n++) expect((await handshake(server)).status).toBe(429);
    client.close();
    await expect.poll(async () => (await handshake(server)).status).toBe(200);
  });

  test('open at once: a place is free again when a connection closes', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_CONNECTIONS_ADDRESS: '3' });
    const clients = [await connect(server, 1), await connect(server, 2), await connect(server, 3)];
    expect((await handshake(server)).status).toBe(429);
    clients[0]?.close();
    await expect.poll(async () => (await handshake(server)).status).toBe(200);
  });

  test('a connection counts once: its polls, posts and its upgrade do not', async (context) => {
    const { expect } = context;
    const server = await start(context, {
      CHAT_LIMIT_CONNECT_ADDRESS: '1/1h',
      CHAT_LIMIT_CONNECTIONS_ADDRESS: '1',
    });
    const client = await connect(server, 1, { transports: ['polling', 'websocket'] });
    if (client.socket.io.engine.transport.name === 'polling') {
      await new Promise((resolve) => client.socket.io.engine.once('upgrade', resolve));
    }
    for (let n = 0; n < 5; n++) await client.request('room:list', {});
    expect((await handshake(server)).status).toBe(429);
  });

  test('a handshake that comes to nothing keeps no place', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_CONNECTIONS_ADDRESS: '1' });
    for (let n = 0; n < 5; n++) {
      expect((await handshake(server, { path: '/socket.io/?EIO=3&transport=polling' })).status).toBe(400);
      expect(
        (await handshake(server, { upgrade: true, headers: 'Sec-WebSocket-Version: 99\r\n' })).status,
      ).toBe(400);
    }
    await connect(server, 1);
  });

  test('a forwarded address counts from a trusted proxy only, and only what that one has written', async (context) => {
    const { expect } = context;
    const env = { CHAT_LIMIT_CONNECT_ADDRESS: '1/1h' };
    const forged = (address: string) => ({ headers: `X-Forwarded-For: ${address}\r\n` });
    const direct = await start(context, env);
    expect((await handshake(direct, forged('203.0.113.1'))).status).toBe(200);
    expect((await handshake(direct, forged('203.0.113.2'))).status).toBe(429);

    const proxied = await start(context, { ...env, CHAT_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8' });
    expect((await handshake(proxied, forged('203.0.113.1'))).status).toBe(200);
    expect((await handshake(proxied, forged('203.0.113.2'))).status).toBe(200);
    expect((await handshake(proxied, forged('203.0.113.2'))).status).toBe(429);
    // Anything before it was written by the client itself; a proxy of ours in between is skipped.
    expect((await handshake(proxied, forged('198.51.100.7, 203.0.113.2'))).status).toBe(429);
    expect((await handshake(proxied, forged('203.0.113.2, 10.1.2.3'))).status).toBe(429);
    expect((await handshake(proxied, forged('::ffff:203.0.113.2'))).status).toBe(429);
    expect((await handshake(proxied, forged('203.0.113.2:4711'))).status).toBe(429);
    // IPv6 by /64.
    expect((await handshake(proxied, forged('2001:db8:1:2::1'))).status).toBe(200);
    expect((await handshake(proxied, forged('[2001:db8:1:2:ffff::9]:4711'))).status).toBe(429);
    expect((await handshake(proxied, forged('2001:db8:1:3::1'))).status).toBe(200);
    // From other addresses the header is ignored.
    expect((await handshake(proxied, { from: '127.0.0.9', ...forged('203.0.113.77') })).status).toBe(200);
    expect((await handshake(proxied, { from: '127.0.0.9', ...forged('203.0.113.78') })).status).toBe(429);
  });
});

describe.concurrent('by user', () => {
  /** With tests of several limits, each by users of its own. */
  let strict: ChatServer;
  /** With tests of floods, each by users of its own. */
  let flooded: ChatServer;
  beforeAll(async () => {
    strict = await nextChatServer({
      CHAT_SESSION_STORE: memcached.url,
      CHAT_LIMIT_CONNECTIONS_USER: '2',
      CHAT_LIMIT_SEND: '3/1h',
      CHAT_LIMIT_INVITE: '5/1h',
      CHAT_LIMIT_CREATE: '3/1h',
      CHAT_LIMIT_SEARCH: '2/1h',
    });
    flooded = await nextChatServer({ CHAT_SESSION_STORE: memcached.url, CHAT_LIMIT_REQUESTS: '20/1h' });
  });
  afterAll(() => Promise.all([strict.stop(), flooded.stop()]));

  test('connections: the newest is refused, the old ones stay', async (context) => {
    const { expect } = context;
    const server = strict;
    const [first, second] = [await connect(server, 1), await connect(server, 1)];
    const refusal = await refusalOf(connectChat(server.url, 'PHPSESSID=u1'));
    expect(refusal.data).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: 5000 });
    await connect(server, 2);
    for (const client of [first, second]) expect(client.socket.connected).toBe(true);
    first.close();
    await expect
      .poll(() =>
        connect(server, 1).then(
          () => 'in',
          () => 'out',
        ),
      )
      .toBe('in');
  });

  test('connections opened at the same moment: not one too many', async (context) => {
    const { expect } = context;
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => connect(strict, 10)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  });

  const message = (clientId = newClientId()) => ({ room: 'lobby', text: `text ${clientId}`, clientId });

  test('sends: rate_limited with the time to wait, over all connections and reconnects; others go on', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_SEND: '5/20s' });
    const [tab, other, ben] = [await connect(server, 1), await connect(server, 1), await connect(server, 2)];
    for (const client of [tab, other, ben]) await client.request('room:join', { room: 'lobby' });
    for (let n = 0; n < 5; n++) await (n % 2 ? tab : other).request('message:send', message());
    const refused = await tab.raw('message:send', message());
    const toldAt = performance.now();
    expect(refused).toMatchObject({ ok: false, error: { code: 'rate_limited' } });
    const retryAfterMs = (refused as { error: { retryAfterMs: number } }).error.retryAfterMs;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(20_000);
    await ben.request('message:send', message());
    tab.close();
    const again = await connect(server, 1);
    await again.request('room:join', { room: 'lobby' });
    await expect(again.request('message:send', message())).rejects.toThrow('rate_limited');
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs - (performance.now() - toldAt) + 20));
    await again.request('message:send', message());
  });

  test('a repeat is answered even to who is limited, and does not count', async (context) => {
    const { expect } = context;
    const client = await connect(strict, 11);
    await client.request('room:join', { room: 'lobby' });
    const first = message();
    const stored = await client.request('message:send', first);
    for (let n = 0; n < 10; n++) expect(await client.request('message:send', first)).toEqual(stored);
    for (let n = 0; n < 2; n++) await client.request('message:send', message());
    await expect(client.request('message:send', message())).rejects.toThrow('rate_limited');
    expect(await client.request('message:send', first)).toEqual(stored);
    await expect(client.request('message:send', { ...first, text: 'other' })).rejects.toThrow('conflict');
  });

  test('people with whom a room is created count as invited', async (context) => {
    const { expect } = context;
    const client = await connect(strict, 12);
    const create = (...members: string[]) =>
      client.request('room:create', { name: 'Den', kind: 'private', members, clientId: newClientId() });
    const { room } = await create('2', '3', '4');
    expect(room.members).toBe(4);
    await client.request('room:invite', { room: room.id, users: ['5', '6'] });
    await expect(create('7')).rejects.toThrow('rate_limited');
    // Refused requests created no room, and did not count.
    await create();
    await create();
    await expect(create()).rejects.toThrow('rate_limited');
  });

  test('to look somebody up among members counts as a search, to list them does not', async (context) => {
    const { expect } = context;
    const client = await connect(strict, 13);
    const members = (over: object) => client.request('room:members', { room: 'lobby', ...over });
    await members({ query: 'a' });
    await client.request('user:find', { query: 'a' });
    await expect(members({ query: 'a' })).rejects.toThrow('rate_limited');
    await members({});
    await members({ present: true });
  });

  test('a flood beyond the limit is answered, and others before its sender', async (context) => {
    const { expect } = context;
    const [flooder, ben] = [await connect(flooded, 14), await connect(flooded, 15)];
    const events = ['room:list', 'room:explode', 'message:send'];
    const flood = Array.from({ length: 500 }, (_, n) => flooder.raw(events[n % 3] as string, {}));
    await flood[30];
    // Hundreds of requests of the flooder wait by now.
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

  test.for(size([['polling'], ['websocket']], [['websocket']]))(
    '100 messages at once over %s, as after a break: 20 are said, the others told when to try again, the next request is answered',
    async ([transport], context) => {
      const { expect } = context;
      const server = await start(context, { CHAT_LIMIT_SEND: '', CHAT_LIMIT_REQUESTS: '' });
      const client = await connect(server, 1, { transports: [transport as string] });
      await client.request('room:join', { room: 'lobby' });
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => client.raw('message:send', message())),
      );
      const refused = answers.flatMap((answer) => (answer.ok ? [] : [answer.error]));
      expect(refused).toHaveLength(80);
      for (const { code, retryAfterMs } of refused) {
        expect(code).toBe('rate_limited');
        expect(retryAfterMs).toBeGreaterThan(0);
        expect(retryAfterMs).toBeLessThanOrEqual(10_000);
      }
      await client.request('room:list', {});
      expect(client.socket.connected).toBe(true);
    },
  );

  test.for(size([['polling'], ['websocket']], [['websocket']]))(
    'a flood over %s makes its sender wait 10 ms for each request beyond the limit',
    async ([transport], context) => {
      const { expect } = context;
      const user = transport === 'polling' ? 16 : 17;
      const flooder = await connect(flooded, user, { transports: [transport as string] });
      const began = performance.now();
      await Promise.all(Array.from({ length: 100 }, () => flooder.raw('room:list', {})));
      await flooder.raw('room:list', {});
      expect(performance.now() - began).toBeGreaterThan(750);
    },
  );

  test('the sender of a flood waits on his other connections too, those he opens meanwhile included', async (context) => {
    const { expect } = context;
    const [flooder, other] = [
      await connect(flooded, 18, { transports: ['polling'] }),
      await connect(flooded, 18),
    ];
    const began = performance.now();
    const flood = Array.from({ length: 200 }, () => flooder.raw('room:list', {}));
    // With polling, all of them arrive at once.
    expect(await flood[199]).toMatchObject({ error: { code: 'rate_limited' } });
    const newest = await connect(flooded, 18);
    await Promise.all([other.raw('room:list', {}), newest.raw('room:list', {})]);
    expect(performance.now() - began).toBeGreaterThan(1000);
  });

  test('a user who stays beyond the limit for 10 s is disconnected, on all connections', async (context) => {
    const { expect } = context;
    // By the server's clock, which is five times as fast.
    const server = await start(context, { ...fastClock(5), CHAT_LIMIT_REQUESTS: '20/1h' });
    const [quiet, others] = [await connect(server, 1), await connect(server, 2)];
    const polling = Array.from({ length: 3 }, () => connect(server, 1, { transports: ['polling'] }));
    const flooders = await Promise.all(polling);
    for (const client of flooders) {
      // 480 of the first one are beyond the limit, and 500 of the second.
      for (let n = 0; n < 500; n++) (client.socket as unknown as Emitter).emit('a', {}, () => {});
    }
    await Promise.all([quiet, ...flooders].map(({ disconnected }) => disconnected));
    const figures = await metrics(server.url);
    expect(figures.get('chat_closed_total{reason="flood"}')).toBe(4);
    // The rest of the third is not even read.
    expect(figures.get('chat_requests_total{event="unknown",code="unknown_event"}')).toBeLessThan(1050);
    await others.request('room:list', {});
  });

  test('requests of all kinds; what would be refused anyway says why', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_REQUESTS: '4/1h' });
    const client = await connect(server, 1);
    await client.request('room:join', { room: 'lobby' });
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

  /** 60 messages of 4 KB, as many as users may send within the limit. */
  async function fill(server: ChatServer): Promise<void> {
    for (const user of [2, 3, 4, 5, 6]) {
      const client = await connect(server, user);
      await client.request('room:join', { room: 'lobby' });
      for (let n = 0; n < 12; n++) {
        await client.request('message:send', { ...message(), text: 'x'.repeat(4000) });
      }
    }
  }
  const all = { room: 'lobby', since: 0 };

  test('an answer of 246 KB counts as 16 requests: of 100, 7 such are answered, 7 to 20 of those asked for at once', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_REQUESTS: '100/1h' });
    await fill(server);
    const [patient, hasty] = [await connect(server, 1), await connect(server, 7)];
    for (let n = 0; n < 7; n++) expect((await patient.request('room:sync', all)).messages).toHaveLength(60);
    for (const event of ['room:sync', 'room:list']) {
      expect(await patient.raw(event, event === 'room:sync' ? all : {})).toMatchObject({
        ok: false,
        error: { code: 'rate_limited', retryAfterMs: expect.any(Number) },
      });
    }
    const answers = await Promise.all(Array.from({ length: 50 }, () => hasty.raw('room:sync', all)));
    const answered = answers.filter(({ ok }) => ok).length;
    expect(answered).toBeGreaterThanOrEqual(7);
    // Requests that start before the first answer is there count little yet.
    expect(answered).toBeLessThanOrEqual(20);
  });

  test('a user who has asked for too much is served again after retryAfterMs', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_REQUESTS: '30/2s' });
    await fill(server);
    const client = await connect(server, 1);
    let refused: RequestFailure | undefined;
    while (refused === undefined) {
      const answer = await client.raw('room:sync', all);
      if (!answer.ok) refused = answer.error;
    }
    expect(refused).toMatchObject({ code: 'rate_limited' });
    await new Promise((resolve) => setTimeout(resolve, refused.retryAfterMs));
    await client.request('room:sync', all);
  });

  test('a request of 64 KB counts as 16', async (context) => {
    const { expect } = context;
    const server = await start(context, { CHAT_LIMIT_REQUESTS: '40/1h' });
    const client = await connect(server, 1);
    const pad = 'x'.repeat(65_000);
    const answers = [];
    for (let n = 0; n < 4; n++) answers.push((await client.raw('room:list', { pad })).ok);
    expect(answers).toEqual([true, true, true, false]);
  });

  if (soak) {
    test('forty pages of history, one after the other, are within the default', async (context) => {
      const { expect } = context;
      const server = await start(context, { CHAT_LIMIT_REQUESTS: '' });
      const client = await connect(server, 1);
      await client.request('room:join', { room: 'lobby' });
      for (let n = 0; n < 60; n++) {
        await client.request('message:send', {
          ...message(),
          text: 'What people write to each other. '.repeat(8),
        });
      }
      for (let n = 0; n < 40; n++) {
        expect((await client.request('message:history', { room: 'lobby' })).messages).toHaveLength(50);
      }
    });
  }
});
