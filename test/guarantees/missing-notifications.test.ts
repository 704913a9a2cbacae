import { setTimeout as pause } from 'node:timers/promises';
import { type ExpectStatic, type TestContext, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../helpers/chat-server.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { startRedis } from '../helpers/redis.ts';
import { metrics } from '../helpers/server-figures.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';
import { size, within } from './size.ts';

type Context = Pick<TestContext, 'onTestFinished'> & { expect: ExpectStatic };

const sessions = 30;
const ids = Array.from({ length: sessions }, (_, n) => `session${n}`);
const loggedIn = 'user_id|i:7;firstname|s:3:"Ann";';
const loggedOut = 'language|s:2:"de";';
const prefix = 'PHPREDIS_SESSION:';
/** The session that is logged out. */
const one = ids[0] as string;
/** Sessions rest for 15 s while no notification is missing: this is far from it, on a busy machine too. */
const inTime = Math.min(within(2000), 8000);

const checksOf = async (chat: ChatServer) =>
  (await metrics(chat.url)).get('chat_session_checks_total') ?? Number.NaN;

/** Resolves when the sessions rest: none was checked for longer than the interval of the checks. */
async function resting(chat: ChatServer, expect: ExpectStatic): Promise<void> {
  let before = Number.NaN;
  const checksSince = async () => {
    const [last, now] = [before, await checksOf(chat)];
    before = now;
    return now - last;
  };
  await expect.poll(checksSince, { interval: 1300, timeout: 30_000 }).toBe(0);
}

async function expectInTime(client: ChatClient, expect: ExpectStatic, reason = 'logout'): Promise<void> {
  const since = performance.now();
  const ended = await client.ended;
  expect(ended.reason).toBe(reason);
  expect(ended.at - since).toBeLessThan(inTime);
}

/** A chat with a connection for each session. */
async function chatWith(
  store: string,
  { onTestFinished }: Context,
  set: (id: string) => Promise<unknown>,
): Promise<{ chat: ChatServer; clients: ChatClient[] }> {
  for (const id of ids) await set(id);
  const chat = await startChatServer({ CHAT_SESSION_STORE: store });
  onTestFinished(async () => void (await chat.stop()));
  await chat.until(/store notifications are active/);
  const clients = await Promise.all(ids.map((id) => connectChat(chat.url, `PHPSESSID=${id}`)));
  onTestFinished(() => {
    for (const client of clients) client.close();
  });
  return { chat, clients };
}

/** The sessions are in as many memcacheds as asked for, behind proxies; `swallow` loses what the last one notifies of. */
async function memcachedSite(context: Context, args: readonly string[] = [], count = 1) {
  const servers = await Promise.all(Array.from({ length: count }, () => startMemcached(undefined, args)));
  let swallowing = false;
  const proxies = await Promise.all(
    servers.map(({ port }, n) =>
      startTcpProxy(port, (piece, client) => {
        if (!swallowing || n < count - 1 || !piece.includes(' type=item_')) client.write(piece);
      }),
    ),
  );
  context.onTestFinished(async () => {
    for (const proxy of proxies) await proxy.close();
    for (const server of servers) await server.stop('SIGKILL');
  });
  /** On all of them, since only one of them is asked. */
  const set = (id: string, bytes: string) =>
    Promise.all(servers.map((server) => server.set(id, bytes, 1440)));
  const hosts = proxies.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const site = await chatWith(`memcached://${hosts}?prefix=&format=php&lifetime=3000s`, context, (id) =>
    set(id, loggedIn),
  );
  await resting(site.chat, context.expect);
  const swallow = () => {
    swallowing = true;
  };
  const [memcached] = servers as [(typeof servers)[number]];
  return { ...site, memcached, set, swallow };
}
type MemcachedSite = Awaited<ReturnType<typeof memcachedSite>>;

/** @param rights of the chat's user, if it has one of its own */
async function redisSite(context: Context, flags = 'Egx$', rights: readonly string[] = []) {
  const redis = await startRedis(['--notify-keyspace-events', flags]);
  context.onTestFinished(() => redis.remove());
  if (rights.length > 0) await redis.ask('ACL', 'SETUSER', 'chat', 'on', '>secret', '~*', ...rights);
  const user = rights.length > 0 ? 'chat:secret@' : '';
  const site = await chatWith(`redis://${user}127.0.0.1:${redis.port}`, context, (id) =>
    redis.ask('SET', prefix + id, loggedIn, 'EX', '1440'),
  );
  return { ...site, redis };
}
type RedisSite = Awaited<ReturnType<typeof redisSite>>;

test.concurrent(`${sessions} sessions in memcached are looked at once in 15 s, while one is renewed too, and one that is deleted without a word ends in time`, async (context) => {
  const { expect } = context;
  const { memcached, clients } = await memcachedSite(context);
  const looks = async () => Number(/STAT cmd_get (\d+)/.exec(await memcached.ask('stats\r\n'))?.[1]);
  let writers = 0;
  const looksIn16Seconds = async () => {
    const writer = clients[++writers] as ChatClient;
    await writer.request('room:join', { room: 'lobby' });
    await writer.request('message:send', { room: 'lobby', text: 'x', clientId: newClientId() });
    const before = await looks();
    await pause(16_000);
    return (await looks()) - before;
  };
  // Up to two looks at each, and the canary, which is looked at twice a second. If this machine holds it
  // up, there are more looks than need be, so that this may take another attempt.
  await expect.poll(looksIn16Seconds, { timeout: 40_000, interval: 0 }).toBeLessThan(2 * sessions + 16 * 2);
  await memcached.delete(one);
  await expectInTime(clients[0] as ChatClient, expect);
});

/** What makes notifications be missing, and ends the first session. */
interface Way<Site> {
  name: string;
  logout(site: Site): Promise<unknown>;
  reason?: string;
  /** What the store is started with. */
  args?: readonly string[];
}

const memcachedWays: Way<MemcachedSite>[] = [
  {
    name: 'what it notifies of is lost on the way',
    async logout({ set, swallow }) {
      swallow();
      await set(one, loggedOut);
    },
  },
];
const moreMemcachedWays: Way<MemcachedSite>[] = [
  { name: 'flush_all', logout: ({ memcached }) => memcached.ask('flush_all\r\n') },
  {
    name: 'flush_all, three seconds later',
    async logout({ memcached }) {
      await memcached.ask('flush_all 3\r\n');
      await pause(3000);
    },
  },
  {
    name: 'the TTL is shortened by touch',
    async logout({ memcached }) {
      await memcached.ask(`touch ${one} 8\r\n`, /TOUCHED\r\n$/);
      await pause(8000);
    },
    reason: 'expired',
  },
  {
    name: 'a deletion, and stats reset',
    logout: ({ memcached }) => memcached.ask(`delete ${one}\r\nstats reset\r\n`, /RESET\r\n$/),
  },
  { name: 'the process ends', logout: ({ memcached }) => restarted(memcached) },
  {
    name: 'a flood of which it does not log everything',
    async logout({ memcached, set }) {
      const line = (n: number) => `set o${n}.${'k'.repeat(200)} 0 30 1 noreply\r\nx\r\n`;
      const flood = Array.from({ length: 20_000 }, (_, n) => line(n)).join('');
      const floods = Array.from({ length: 8 }, () => memcached.ask(`${flood}mn\r\n`, /MN\r\n$/));
      await set(one, loggedOut);
      await Promise.all(floods);
    },
  },
  {
    name: 'an eviction',
    args: ['-m', '2'],
    async logout({ memcached }) {
      // More than it holds, in items of the size of the sessions.
      const line = (n: number) => `set evict${n} 0 0 32 noreply\r\n${'x'.repeat(32)}\r\n`;
      const items = Array.from({ length: 100_000 }, (_, n) => line(n)).join('');
      await memcached.ask(`${items}mn\r\n`, /MN\r\n$/);
    },
  },
];

/** An empty memcached in place of that one. */
async function restarted(memcached: MemcachedSite['memcached']): Promise<void> {
  await memcached.stop('SIGKILL');
  const again = await startMemcached(memcached.port);
  memcached.stop = (signal) => again.stop(signal);
}

test.concurrent.for([...memcachedWays, ...size(moreMemcachedWays, [])])(
  'memcached: a session ends in time: $name',
  async ({ logout, reason, args }, context) => {
    const site = await memcachedSite(context, args);
    await logout(site);
    await expectInTime(site.clients[0] as ChatClient, context.expect, reason);
  },
);

test.concurrent.for(size([2], []))(
  '%d memcached servers, one of which is not heard: all sessions end in time',
  async (count, context) => {
    const { clients, set, swallow } = await memcachedSite(context, [], count);
    swallow();
    await Promise.all(ids.map((id) => set(id, loggedOut)));
    await Promise.all(clients.map((client) => expectInTime(client, context.expect)));
  },
);

const logOut = ({ redis }: RedisSite) => redis.ask('DEL', prefix + one);
const redisWays: Way<RedisSite>[] = [
  {
    name: 'its notifications are switched off',
    async logout(site) {
      await site.redis.ask('CONFIG', 'SET', 'notify-keyspace-events', '');
      await logOut(site);
    },
  },
];
const moreRedisWays: Way<RedisSite>[] = [
  ...['g', 'x$', 'E$', 'Egx'].map((flags) => ({
    name: `its notifications are reduced to ${flags}`,
    async logout(site: RedisSite) {
      await site.redis.ask('CONFIG', 'SET', 'notify-keyspace-events', flags);
      if (flags === 'Egx') await site.redis.ask('SET', prefix + one, loggedOut, 'KEEPTTL');
      else await logOut(site);
    },
  })),
  { name: 'FLUSHDB', logout: ({ redis }) => redis.ask('FLUSHDB') },
  { name: 'FLUSHALL ASYNC', logout: ({ redis }) => redis.ask('FLUSHALL', 'ASYNC') },
  { name: 'SWAPDB', logout: ({ redis }) => redis.ask('SWAPDB', '0', '1') },
  { name: 'RENAME', logout: ({ redis }) => redis.ask('RENAME', prefix + one, 'other') },
  {
    name: 'the connection of the notifications is cut',
    async logout(site) {
      await site.redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await logOut(site);
    },
  },
  {
    name: 'the TTL is shortened',
    async logout({ redis }) {
      await redis.ask('PEXPIRE', prefix + one, '1000');
      await pause(1000);
    },
    reason: 'expired',
  },
  {
    name: 'an eviction of which it does not notify',
    async logout({ redis, chat }) {
      await redis.ask('EXPIRE', prefix + one, '100');
      const before = await checksOf(chat);
      // The session is looked at, and rests again.
      while ((await checksOf(chat)) < before + 3) await pause(100);
      await redis.ask('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl');
      await redis.ask('CONFIG', 'SET', 'maxmemory', '1');
    },
  },
];

test.concurrent.for([...redisWays, ...size(moreRedisWays, [])])(
  'Redis: a session ends in time: $name',
  async ({ logout, reason }, context) => {
    const site = await redisSite(context);
    await resting(site.chat, context.expect);
    await logout(site);
    await expectInTime(site.clients[0] as ChatClient, context.expect, reason);
  },
);

const unproven: { name: string; open(context: Context): Promise<RedisSite> }[] = [
  { name: 'Egx alone', open: (context) => redisSite(context, 'Egx') },
  {
    name: 'a user who may not write the canary',
    open: (context) => redisSite(context, 'EA', ['+mget', '+strlen', '+pttl', '+subscribe', '&__keyevent@*']),
  },
  {
    name: 'a replica, to which nobody can write',
    async open(context) {
      const site = await redisSite(context);
      await site.redis.ask('REPLICAOF', '127.0.0.1', '1');
      return site;
    },
  },
];

test.concurrent.for(size(unproven, []))(
  'Redis: where nothing is proven, the sessions are looked at once a second: $name',
  async ({ open }, context) => {
    const { chat } = await open(context);
    await pause(8000);
    const before = await checksOf(chat);
    await pause(5000);
    context.expect((await checksOf(chat)) - before).toBeGreaterThan(4 * sessions);
  },
);
