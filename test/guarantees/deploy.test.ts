import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../server/wire/events.ts';
import { closeChats, openChat } from '../client/open-chat.ts';
import { startHaproxy, startNginxBalancer } from '../helpers/balancer.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { type RunningChat, startChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { within } from '../helpers/hanging.ts';
import { postgresDatabase } from '../helpers/history-database.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type Postgres, startPostgres } from '../helpers/postgres.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { size } from './size.ts';

const count = size(3, 2);
const senders = size(10, 4);
/** Messages per sender and second. */
const rate = size(20, 5);
const drain = size('8s', '1s');

let memcached: Memcached;
let postgres: Postgres;
let redis: Redis;
let env: NodeJS.ProcessEnv;
let ports: number[];
let servers: RunningChat[];
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  [memcached, postgres, redis] = await Promise.all([startMemcached(), startPostgres(), startRedis()]);
  for (let user = 1; user <= 20; user++) {
    await memcached.set(`sessions/u${user}`, JSON.stringify({ user_id: user, firstname: `user ${user}` }));
  }
  const history = await postgresDatabase(postgres);
  closing.push(() => history.close());
  env = {
    CHAT_HISTORY: history.url,
    CHAT_CLUSTER: `redis://127.0.0.1:${redis.port}`,
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ROOMS: `lobby,${balancers.map(({ name }) => name).join(',')}`,
    CHAT_DRAIN: drain,
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
  };
  ports = await Promise.all(Array.from({ length: count }, ownPort));
  servers = await Promise.all(ports.map((port) => start(port)));
});
afterEach(closeChats);
afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await Promise.all(servers.map((server) => server.stop('SIGKILL')));
  await Promise.all([memcached.stop(), postgres.remove(), redis.remove()]);
});

/** Starts a server whose name contains its port. drain.test.ts tests in every run how a process ends after SIGTERM. */
const start = (port: number, more: NodeJS.ProcessEnv = {}) => {
  const settings = { ...env, CHAT_PORT: String(port), CHAT_NODE: `node-${port}`, ...more };
  return size(startChatServer, chatServerHere)(settings);
};

async function ready(server: { url: string }): Promise<void> {
  await expect.poll(async () => (await fetch(`${server.url}/readyz`)).status).toBe(200);
}

/** The path of Socket.IO behind the balancer. */
const path = '/chat/socket.io/';

/** The longest pause in ms after which the browser client connects again. */
const longestPauseMs = 2000;

/** Reads the room like a returning client with its earlier state, until `stop` is called. */
function reader(url: string, user: number, room: string, transport: 'websocket' | 'polling') {
  const revs: number[] = [];
  const messages: Message[] = [];
  let failures = 0;
  let mostFailures = 0;
  let client: ChatClient | undefined;
  let stopped = false;
  const take = (message: Message) => {
    revs.push(message.rev);
    messages.push(message);
  };
  const live = async () => {
    while (!stopped) {
      try {
        client = await connectChat(url, `PHPSESSID=u${user}`, { path, transports: [transport] });
        failures = 0;
        const early: Message[] = [];
        let joined = false;
        client.socket.on('message:new', (message) => (joined ? take(message) : early.push(message)));
        const since = revs.at(-1) ?? 0;
        const { messages: missed, complete } = await client.request('room:join', { room, since });
        for (const message of [...missed, ...early]) take(message);
        if (!complete) throw new Error('the response does not contain all missed messages');
        joined = true;
        await client.disconnected;
      } catch {
        // Its server is shutting down.
        client?.close();
        mostFailures = Math.max(mostFailures, ++failures);
        await pause(longestPauseMs);
      }
    }
  };
  const living = live();
  return {
    revs,
    messages,
    /** The largest number of connection attempts that failed in a row. */
    mostFailures: () => mostFailures,
    async stop() {
      stopped = true;
      client?.close();
      await living;
    },
  };
}

const balancers = [
  { name: 'nginx', balance: startNginxBalancer },
  { name: 'HAProxy', balance: startHaproxy },
];

test.each(balancers.slice(0, size(2, 1)))(
  `loses no message while ${count} servers behind $name are restarted one after the other at ${senders * rate} messages a second`,
  async ({ name: room, balance }) => {
    const balancer = await balance(ports);
    closing.push(() => balancer.stop());
    const { origin } = new URL(balancer.url);
    const readers = [reader(origin, 19, room, 'websocket'), reader(origin, 20, room, 'polling')];
    // The browser client, as sites get it.
    const chats = Array.from({ length: senders }, (_, n) =>
      openChat(balancer.url, `PHPSESSID=u${n + 1}`, room),
    );
    const away = chats.map(() => ({ longest: 0, times: 0, since: Number.NaN }));
    for (const { chat } of chats) await expect.poll(() => chat.current?.joined).toBe(true);
    let sent = 0;
    let refused = 0;
    const timers = chats.map(({ chat }) =>
      setInterval(() => {
        if (chat.current && chat.send({ room: chat.current }, { text: `text ${sent}` })) sent++;
        else refused++;
      }, 1000 / rate),
    );
    const watch = setInterval(() => {
      for (const [n, { chat }] of chats.entries()) {
        const one = away[n] as (typeof away)[number];
        const now = performance.now();
        if (chat.connection.state.kind === 'ready') one.since = Number.NaN;
        else if (Number.isNaN(one.since)) [one.since, one.times] = [now, one.times + 1];
        else one.longest = Math.max(one.longest, now - one.since);
      }
    }, 20);

    for (const [n, port] of ports.entries()) {
      expect(await (servers[n] as RunningChat).stop('SIGTERM')).toBe(0);
      const again = await start(port);
      servers[n] = again;
      await ready(again);
    }
    for (const timer of timers) clearInterval(timer);
    expect(refused).toBe(0);
    for (const { chat } of chats) await expect.poll(() => chat.outbox?.list()).toEqual([]);
    clearInterval(watch);

    const expected = Array.from({ length: sent }, (_, n) => `text ${n}`).sort();
    for (const { revs, messages } of readers) {
      await expect.poll(() => messages.length).toBe(sent);
      expect(messages.map(({ text }) => text).sort()).toEqual(expected);
      expect(revs).toEqual(revs.map((_, index) => index + 1));
    }
    const longest = Math.max(...away.map((one) => one.longest));
    console.log(
      `deploy: ${sent} messages, disconnected ${away.map(({ times }) => times).join(' ')} times, at most ${Math.round(longest)} ms`,
    );
    for (const { times } of away) expect(times).toBeGreaterThan(0);
    for (const { mostFailures } of readers) expect(mostFailures()).toBeLessThanOrEqual(1);
    expect(longest / 1000).toBeLessThan(within(3));
    await Promise.all(readers.map((one) => one.stop()));
  },
);

test.each(balancers.slice(0, size(2, 1)))(
  'connects a polling client through $name to another server while its own drains',
  async ({ balance }) => {
    const pair = await Promise.all(
      [await ownPort(), await ownPort()].map((port) => start(port, { CHAT_DRAIN: '1h' })),
    );
    const balancer = await balance(pair.map(({ port }) => port));
    closing.push(() => balancer.stop());
    const { origin } = new URL(balancer.url);
    const connect = (user: number) =>
      connectChat(origin, `PHPSESSID=u${user}`, { path, transports: ['polling'] });
    // The balancer sends all clients of this address to one server.
    const clients = await Promise.all([11, 12].map(connect));
    const { node } = (clients[0] as ChatClient).ready;
    const [draining, other] = pair.sort(({ port }) => (node === `node-${port}` ? -1 : 1));
    const drained = draining?.stop();
    await Promise.race(clients.map(({ disconnected }) => disconnected));
    const back = await connect(13);
    expect(back.ready.node).toBe(`node-${other?.port}`);
    await back.request('room:join', { room: 'lobby' });
    for (const client of [...clients, back]) client.close();
    expect(await drained).toBe(0);
    await other?.stop();
  },
);

test.each(balancers.slice(0, size(2, 1)))(
  '$name as in docs/operate/several-servers.md keeps a polling client on one server, and uses all servers',
  async ({ balance }) => {
    const balancer = await balance(ports);
    closing.push(() => balancer.stop());
    const { origin } = new URL(balancer.url);
    const others = await Promise.all(
      [1, 2, 3, 4].map((user) => connectChat(origin, `PHPSESSID=u${user}`, { path })),
    );
    const polling = await Promise.all(
      [7, 8].map((user) => connectChat(origin, `PHPSESSID=u${user}`, { path, transports: ['polling'] })),
    );
    const upgraded = await connectChat(origin, 'PHPSESSID=u10', {
      path,
      transports: ['polling', 'websocket'],
    });
    await expect.poll(() => upgraded.socket.io.engine.transport.name).toBe('websocket');
    const all = [...others, ...polling, upgraded];
    for (const client of all) await client.request('room:join', { room: 'lobby' });
    for (const client of all) {
      await client.request('message:send', { room: 'lobby', text: 'hello', clientId: newClientId() });
    }
    for (const client of all) await expect.poll(() => client.messages()).toHaveLength(all.length);
    expect(new Set(all.map(({ ready: { node } }) => node))).toEqual(
      new Set(ports.map((port) => `node-${port}`)),
    );
    for (const server of servers) expect(server.output()).toContain(`"node":"node-${server.port}"`);
    for (const client of all) client.close();
  },
);
