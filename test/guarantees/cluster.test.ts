import { createHmac, randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Message, MessageFile, ServerToClient } from '../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, nextChatServer, startChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { codeIgniterSite } from '../helpers/code-igniter.ts';
import { fakeClock } from '../helpers/fake-clock.ts';
import { download, origin, upload } from '../helpers/files.ts';
import { hanging, within } from '../helpers/hanging.ts';
import { type HistoryDatabase, mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { type Mariadb, startMariadb } from '../helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type Postgres, startPostgres } from '../helpers/postgres.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { Tab } from '../helpers/tab.ts';
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts';
import { size, soak } from './size.ts';

const rooms = ['lobby', 'kitchen', 'garden'];
const senders = 9;
const each = size(500, 10);
const kills = size(10, 1);
/** The shortest time for which a server stands still, in seconds. */
const standing = size(40, 16);
const forwards = size(10, 4);
const key = 'a-key-of-the-php-application';

let memcached: Memcached;
let postgres: Postgres;
let mariadb: Mariadb | undefined;
let redis: Redis;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  [memcached, postgres, redis] = await Promise.all([startMemcached(), startPostgres(), startRedis()]);
  for (let user = 1; user <= 20; user++) {
    await memcached.set(`sessions/u${user}`, JSON.stringify({ user_id: user, firstname: `user ${user}` }));
  }
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await Promise.all([memcached.stop(), postgres.remove(), mariadb?.remove(), redis.remove()]);
});

async function startNode(
  history: HistoryDatabase,
  bus: string,
  port = 0,
  start = startChatServer,
  settings: NodeJS.ProcessEnv = {},
): Promise<ChatServer> {
  const server = await start({
    CHAT_PORT: String(port),
    CHAT_HISTORY: history.url,
    CHAT_CLUSTER: bus,
    CHAT_DRAIN: '0s',
    CHAT_ROOMS: rooms.join(','),
    CHAT_SESSION_STORE: memcached.url,
    CHAT_HOLD_WORDS: 'pallets',
    CHAT_API_KEY: key,
    ...settings,
  });
  closing.push(() => server.stop());
  return server;
}

const startNodes = (
  history: HistoryDatabase,
  bus: string,
  start = startChatServer,
  settings: NodeJS.ProcessEnv = {},
) => Promise.all([startNode(history, bus, 0, start, settings), startNode(history, bus, 0, start, settings)]);

async function newHistory(kind: 'postgres' | 'mysql'): Promise<HistoryDatabase> {
  const made = async () => {
    if (kind === 'postgres') return postgresDatabase(postgres);
    // Only the whole run has tests with it.
    mariadb ??= await startMariadb();
    return mariadbDatabase(mariadb);
  };
  const history = await made();
  closing.push(() => history.close());
  return history;
}

/** The Redis behind a proxy that can be cut, and slowed after it is restored. */
async function cuttable(): Promise<{
  url: string;
  cut(): Promise<void>;
  mend(late?: number): Promise<void>;
}> {
  const port = await ownPort();
  const open = (late = 0) =>
    startTcpProxy(
      redis.port,
      (piece, client) => setTimeout(() => client.write(piece), late),
      () => {},
      port,
    );
  let proxy: TcpProxy | undefined = await open();
  const cut = async () => {
    await proxy?.close();
    proxy = undefined;
  };
  closing.push(cut);
  return {
    url: `redis://127.0.0.1:${port}`,
    cut,
    async mend(late) {
      await cut();
      proxy = await open(late);
    },
  };
}

async function connect(server: { url: string }, user: number): Promise<ChatClient> {
  const client = await connectChat(server.url, `PHPSESSID=u${user}`);
  closing.push(() => client.close());
  return client;
}

/** Restarts PostgreSQL like after a crash, so that everybody loses their connections. */
async function crashDatabase(): Promise<void> {
  const [one] = await postgres.query(
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'`,
  );
  process.kill(Number(one?.pid), 'SIGKILL');
}

/** A user who moves from server to server and repeats each message until it is acknowledged. */
async function roam(user: number, servers: readonly { url: string }[], acknowledged: Map<string, Message>) {
  const room = rooms[user % rooms.length] as string;
  let client: ChatClient | undefined;
  for (let n = 0; n < each; n++) {
    const clientId = `s${user}-${n}`;
    while (!acknowledged.has(clientId)) {
      try {
        if (client === undefined) {
          const { url } = servers[randomInt(servers.length)] as { url: string };
          // A server that is killed before session:ready refuses nothing.
          const late = pause(3000, undefined, { ref: false }).then(() =>
            Promise.reject(new Error('no answer')),
          );
          client = await Promise.race([connectChat(url, `PHPSESSID=u${user}`), late]);
          const joining = client.socket.timeout(3000).emitWithAck('room:join', { room });
          if (!(await joining).ok) throw new Error('the room could not be joined');
        }
        const answer = await client.socket
          .timeout(3000)
          .emitWithAck('message:send', { room, text: `text ${clientId}`, clientId });
        if (!answer.ok) throw new Error(answer.error.code);
        acknowledged.set(clientId, answer.data.message);
      } catch {
        // That server was killed, so the same message goes to another one.
        client?.close();
        client = undefined;
        await pause(20);
      }
    }
    if (randomInt(10) > 0) continue;
    client?.close();
    client = undefined;
  }
  client?.close();
}

/** Users open and close tabs at random, on any server. Each tab must show the truth a while later. */
async function comeAndGo(servers: readonly { url: string }[]): Promise<void> {
  const tabs = new Map<string, Tab | 'busy'>();
  const changes: Promise<void>[] = [];
  const members = new Set<string>(['u19', 'u20']);
  const toggle = async (user: string, nth: number) => {
    const now = tabs.get(`${user} ${nth}`);
    if (now === 'busy') return;
    tabs.set(`${user} ${nth}`, 'busy');
    members.add(user);
    const { url } = servers[randomInt(servers.length)] as { url: string };
    if (now === undefined) tabs.set(`${user} ${nth}`, await Tab.open(url, `PHPSESSID=${user}`, 'lobby'));
    else {
      now.client.close();
      tabs.delete(`${user} ${nth}`);
    }
  };
  for (let ends = performance.now() + size(30_000, 200); performance.now() < ends; await pause(10)) {
    changes.push(toggle(`u${1 + randomInt(18)}`, randomInt(3)));
  }
  await Promise.all(changes);
  const open = [...tabs].flatMap(([name, tab]) =>
    tab instanceof Tab ? [{ user: name.split(' ')[0], tab }] : [],
  );
  // The two readers have the lobby open too.
  const truth = [...new Set([...open.map(({ user }) => user?.slice(1)), '19', '20'])].sort().join();
  const shown = () =>
    open.map(({ tab }) =>
      tab.count === tab.present.size ? [...tab.present].sort().join() : 'another count',
    );
  await expect.poll(shown, { timeout: within(1500), interval: 20 }).toEqual(open.map(() => truth));
  for (const { tab } of open) tab.client.close();
}

/** Typing on one server is shown on the others, and the PHP application reaches everybody by any server. */
async function reachesAll(
  servers: readonly { url: string }[],
  { typing }: { typing: boolean },
): Promise<void> {
  const [one, two, three] = servers as [{ url: string }, { url: string }, { url: string }];
  const [ann, bob] = [await connect(one, 1), await connect(two, 2)];
  for (const client of [ann, bob]) await client.request('room:join', { room: 'lobby' });
  const told = () => bob.events.filter(({ name }) => name === 'typing:changed').map(({ payload }) => payload);
  const types = async () => {
    for (const now of [false, true]) await ann.request('typing:set', { room: 'lobby', typing: now });
    return told().length > 0;
  };
  // A bus that was cut may not be there again yet: it alone carries this, and what it loses does not come later.
  if (typing) await expect.poll(types).toBe(true);
  else await types();
  const { message } = await ann.request('message:send', {
    room: 'lobby',
    text: 'hello',
    clientId: newClientId(),
  });
  await eventOf(bob, 'message:new', 3000).toEqual(message);
  const user = { id: '1', name: 'user 1' };
  const changes = [true, false].map((typing) => ({ room: 'lobby', user, typing }));
  await expect.poll(() => told().slice(-2)).toEqual(typing ? changes : []);

  const carols = () => Promise.all([one, two, three, three].map((server) => connect(server, 3)));
  // On a busy machine a server may answer too late to be counted.
  const busy = { timeout: within(2000) };
  const open = await carols();
  await expect.poll(() => api(one, 'GET', '/api/users/3'), busy).toMatchObject({ connections: 4 });
  const order = { name: 'order', data: { number: 4711 } };
  await expect.poll(() => api(one, 'POST', '/api/users/3/push', order), busy).toEqual({ delivered: 4 });
  for (const carol of open) await eventOf(carol, 'push').toEqual(order);
  for (const carol of open) carol.close();
  const closed = async (method: string, path: string) => {
    const clients = await carols();
    const answer = await api(two, method, path, {});
    for (const client of clients) expect((await client.ended).reason).toBe('kicked');
    await api(two, 'DELETE', '/api/users/3/ban');
    return answer;
  };
  await expect.poll(() => closed('DELETE', '/api/users/3/connections'), busy).toEqual({ closed: 4 });
  await expect.poll(() => closed('PUT', '/api/users/3/ban'), busy).toEqual({ closed: 4 });
}

async function api(server: { url: string }, method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return answer.json();
}

type Mentioned = Parameters<ServerToClient['mention']>[0];

const eventOf = (client: ChatClient, name: string, limit = 1500) =>
  expect.poll(() => client.events.find((event) => event.name === name)?.payload, {
    timeout: within(limit),
    interval: 25,
  });

const lastOf = (client: ChatClient, name: string) =>
  expect.poll(() => client.events.findLast((event) => event.name === name)?.payload, {
    timeout: within(1500),
    interval: 25,
  });

/** Repeats every hint, some of them late, and so in another order. */
async function disturb(): Promise<void> {
  const client = createClient({ url: `redis://127.0.0.1:${redis.port}` });
  client.on('error', () => {});
  await client.connect();
  const other = await client.duplicate().connect();
  closing.push(() => {
    client.destroy();
    other.destroy();
  });
  const said: string[] = [];
  let before = '';
  await client.pSubscribe('php-session-chat:*', (text, channel) => {
    // Its own texts come back.
    const echo = said.indexOf(text);
    if (echo !== -1) return void said.splice(echo, 1);
    for (const again of [text, before]) {
      if (again === '') continue;
      setTimeout(() => {
        said.push(again);
        other.publish(channel, again).catch(() => {});
      }, randomInt(40));
    }
    before = text;
  });
}

const busFaults = 'the bus cut, slowed and disturbed';
const databaseFaults = 'the database restarted';
const surroundings = [
  { name: 'PostgreSQL and Redis', kind: 'postgres', bus: 'redis', faults: `${busFaults}, ${databaseFaults}` },
  { name: 'MariaDB alone', kind: 'mysql', bus: 'mysql', faults: 'nothing else' },
  { name: 'PostgreSQL alone', kind: 'postgres', bus: 'postgres', faults: databaseFaults },
  { name: 'MariaDB and Redis', kind: 'mysql', bus: 'redis', faults: busFaults },
] as const;

// That two servers on MariaDB alone lose nothing, faults.test.ts shows in each run.
describe.each(surroundings.slice(0, size(4, 1)))('three servers on $name', ({ kind, bus, faults }) => {
  test(`${senders} senders × ${each} messages who move, ${kills} kills, ${faults}: lost 0, doubled 0, one order; then all agree on who is there`, async () => {
    const history = await newHistory(kind);
    const line = bus === 'redis' ? await cuttable() : undefined;
    const setting = line?.url ?? bus;
    const fixed = await startNodes(history, setting, nextChatServer);
    // With a port of its own, and so with one name: it replaces itself when it restarts.
    let killed = await startNode(history, setting, await ownPort(), nextChatServer);
    if (bus === 'redis') await disturb();
    const servers = [...fixed, killed];
    const readers = await Promise.all(
      fixed.map(async (server, n) => {
        const reader = await connect(server, 19 + n);
        for (const room of rooms) await reader.request('room:join', { room });
        return reader;
      }),
    );

    const acknowledged = new Map<string, Message>();
    const total = senders * each;
    const sending = Promise.all(
      Array.from({ length: senders }, (_, n) => roam(n + 1, servers, acknowledged)),
    );
    for (let kill = 1; kill <= kills; kill++) {
      const moment = Math.floor((total / (kills + 1)) * (kill - 0.5 + randomInt(1000) / 1000));
      await expect.poll(() => acknowledged.size, { interval: 5 }).toBeGreaterThan(moment);
      await [line?.mend, line?.cut, () => line?.mend(2000), line?.cut][kill % 4]?.();
      if (kind === 'postgres' && kill % 3 === 1) await crashDatabase();
      await killed.stop('SIGKILL');
      // A server does not start while its database does.
      if (kind === 'postgres')
        await expect.poll(() => postgres.query('SELECT 1').catch(() => [])).not.toEqual([]);
      killed = await startNode(history, setting, killed.port, nextChatServer);
    }
    await sending;

    for (const reader of readers) {
      await expect.poll(() => reader.messages().length, { interval: 10 }).toBe(total);
      for (const room of rooms) {
        const revs = reader.messages().flatMap((message) => (message.room === room ? [message.rev] : []));
        expect(revs).toEqual(revs.map((_, n) => n + 1));
      }
      const ids = reader.messages().map(({ clientId }) => clientId);
      expect(ids.sort()).toEqual([...acknowledged.keys()].sort());
      for (const message of reader.messages()) expect(acknowledged.get(message.clientId)).toEqual(message);
    }

    await line?.mend();
    const now = [...fixed, killed];
    const ready = () => Promise.all(now.map(async ({ url }) => (await fetch(`${url}/readyz`)).status));
    await expect.poll(ready).toEqual([200, 200, 200]);
    await comeAndGo(now);
    await reachesAll(now, { typing: bus !== 'mysql' });
  });
});

describe('two servers', () => {
  const states = ['down, which is told', 'up'] as const;
  test.each(states.slice(0, size(2, 1)))(
    'rooms, members, roles, names, marks, logouts, pushes, kicks, bans and deletions of one are seen on the other within seconds, the bus %s',
    async (state) => {
      const history = await newHistory('postgres');
      const line = await cuttable();
      const [one, two] = await startNodes(history, line.url, nextChatServer);
      const [ann, bob, bobHere] = [await connect(one, 1), await connect(two, 2), await connect(one, 2)];
      const ready = async () => (await fetch(`${one.url}/readyz`)).status;
      await expect.poll(ready).toBe(200);
      const cutAt = performance.now();
      // It also counts as down when a machine has stood still for 2 s during a ping.
      const said = one.output().length;
      if (state !== 'up') {
        await line.cut();
        for (const node of [one, two]) await node.until(/the bus is down: degraded/);
      }
      const made = await ann.request('room:create', {
        name: 'Both',
        kind: 'private',
        members: ['2'],
        clientId: newClientId(),
      });
      const room = made.room.id;
      await eventOf(bob, 'room:added').toMatchObject({ id: room, name: 'Both', role: 'member' });
      await bob.request('room:join', { room });

      await ann.request('room:join', { room });
      const { message } = await ann.request('message:send', { room, text: 'hello', clientId: newClientId() });
      await eventOf(bob, 'message:new').toEqual(message);
      await ann.request('room:update', { room, name: 'Renamed' });
      await eventOf(bob, 'room:activity').toMatchObject({ room, name: 'Renamed' });
      await ann.request('room:role', { room, user: '2', role: 'moderator' });
      await eventOf(bob, 'room:changed').toMatchObject({ id: room, role: 'moderator' });
      await bobHere.request('read:mark', { room, seq: message.seq });
      await eventOf(bob, 'read:changed').toEqual({ room, user: '2', seq: message.seq });
      await ann.request('message:delete', { room, seq: message.seq });
      await eventOf(bob, 'message:changed').toMatchObject({
        seq: message.seq,
        text: '',
        deletedBy: 'author',
      });

      await memcached.set('sessions/u21', JSON.stringify({ user_id: 21, firstname: 'user 21' }));
      const leaving = await Promise.all([one, two].map((server) => connect(server, 21)));
      await memcached.delete('sessions/u21');
      const loggedOutAt = performance.now();
      for (const client of leaving) expect((await client.ended).reason).toBe('logout');
      expect(performance.now() - loggedOutAt).toBeLessThan(within(2000));

      const spam = await bob.request('message:send', { room, text: 'spam', clientId: newClientId() });
      await ann.request('message:delete', { room, seq: spam.message.seq, reason: 'spam' });
      const data = { room, seq: spam.message.seq, reason: 'spam' };
      await eventOf(bob, 'push').toEqual({ name: 'deleted', data });

      const watcher = await Tab.open(one.url, 'PHPSESSID=u1', 'lobby');
      closing.push(() => watcher.client.close());
      const cy = await connect(two, 3);
      await cy.request('room:join', { room: 'lobby' });
      // Over the bus 0.35 s, without it a second more.
      const seen = () => watcher.present.has('3');
      await expect.poll(seen, { timeout: within(2000), interval: 25 }).toBe(true);
      const user = { id: '3', name: 'user 3' };
      const { members } = await ann.request('room:members', {
        room: 'lobby',
        present: true,
        query: 'user 3',
      });
      expect(members).toEqual([{ user, role: 'member', present: true }]);
      const direct = await ann.request('direct:open', { user: '3' });
      expect(direct.room).toMatchObject({ with: user, present: true });
      const order = { name: 'order', data: { number: 4711 } };
      await api(one, 'POST', '/api/users/3/push', order);
      await eventOf(cy, 'push').toEqual(order);
      await api(one, 'DELETE', '/api/users/3/connections');
      expect((await cy.ended).reason).toBe('kicked');
      await expect.poll(seen, { timeout: within(2500), interval: 25 }).toBe(false);

      await ann.request('room:mute', { room, user: '2', seconds: 600 });
      await lastOf(bob, 'room:changed').toMatchObject({ id: room, mutedForMs: expect.any(Number) });
      await expect(bob.request('message:send', { room, text: 'x', clientId: newClientId() })).rejects.toThrow(
        'muted',
      );
      await ann.request('room:ban', { room, user: '2', seconds: 600 });
      await lastOf(bob, 'room:removed').toMatchObject({ room, readable: false, reason: 'banned' });
      await expect(bob.request('room:join', { room })).rejects.toThrow('unknown_room');
      await ann.request('room:ban', { room, user: '2', seconds: 0 });
      await lastOf(bob, 'room:added').toMatchObject({ id: room, mutedForMs: expect.any(Number) });
      await bob.request('room:join', { room });
      await ann.request('room:remove', { room, user: '2' });
      await ann.request('message:send', { room, text: 'he is gone', clientId: newClientId() });
      await lastOf(bob, 'room:removed').toMatchObject({ room, reason: 'removed' });
      expect(bob.messages()).toHaveLength(2);
      await expect(bob.request('room:sync', { room, since: 0 })).rejects.toThrow('unknown_room');

      const lobby = await bob.request('room:join', { room: 'lobby' });
      const ban = await fetch(`${one.url}/api/users/2/ban`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: '{}',
      });
      expect(ban.status).toBe(200);
      expect((await bob.ended).reason).toBe('kicked');
      await expect(connect(two, 2)).rejects.toThrow('forbidden');
      expect(lobby.room.member).toBe(true);

      if (state === 'up') return;
      await expect.poll(ready).toBe(503);
      expect(performance.now() - cutAt).toBeGreaterThan(5000);
      expect(await (await fetch(`${one.url}/readyz`)).json()).toMatchObject({ missing: ['bus'] });
      expect(
        one
          .output()
          .slice(said)
          .match(/the bus is down/g),
      ).toHaveLength(1);
      await line.mend();
      await expect.poll(ready).toBe(200);
    },
  );

  test(`the users of a server that was killed, or stands still for ${standing} s, leave presence within 20 s; it says nothing of before when it goes on`, async () => {
    const history = await newHistory('postgres');
    const bus = `redis://127.0.0.1:${redis.port}`;
    const [one, two] = await startNodes(history, bus, nextChatServer);
    const three = await startNode(history, bus, 0, nextChatServer);
    const watcher = await Tab.open(one.url, 'PHPSESSID=u1', 'lobby');
    const ann = watcher.client;
    closing.push(() => ann.close());
    const bob = await connect(two, 2);
    // The user is connected to the other server too.
    for (const server of [one, two]) await (await connect(server, 3)).request('room:join', { room: 'lobby' });
    const dan = await connect(two, 4);
    const eve = await connect(three, 5);
    const fay = await connect(two, 6);
    for (const client of [bob, dan, eve, fay]) await client.request('room:join', { room: 'lobby' });
    const shown = () => [...watcher.present].sort().join();
    await expect.poll(shown, { timeout: within(1500), interval: 25 }).toBe('1,2,3,4,5,6');
    const { room } = await ann.request('room:create', {
      name: 'Both',
      kind: 'private',
      members: ['2'],
      clientId: newClientId(),
    });
    await eventOf(bob, 'room:added').toMatchObject({ id: room.id });
    for (const client of [ann, bob]) await client.request('room:join', { room: room.id });

    two.signal('SIGSTOP');
    await three.stop('SIGKILL');
    const stoppedAt = performance.now();
    await ann.request('typing:set', { room: 'lobby', typing: true });
    await ann.request('room:remove', { room: room.id, user: '2' });
    await ann.request('message:send', { room: room.id, text: 'he is gone', clientId: newClientId() });
    expect(await api(one, 'DELETE', '/api/users/4/connections')).toEqual({ closed: 0 });
    await expect.poll(shown, { interval: 50 }).toBe('1,3');
    console.log(`gone after ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s`);
    expect(watcher.count).toBe(2);
    await pause(Math.max(0, standing * 1000 - (performance.now() - stoppedAt)));

    two.process.kill('SIGCONT');
    expect((await dan.ended).reason).toBe('kicked');
    await eventOf(bob, 'room:removed', 3000).toMatchObject({ room: room.id, reason: 'removed' });
    await expect.poll(shown, { timeout: within(3000), interval: 50 }).toBe('1,2,3,6');
    const { message } = await ann.request('message:send', {
      room: 'lobby',
      text: 'now',
      clientId: newClientId(),
    });
    await expect.poll(() => bob.messages()).toEqual([message]);
    expect(fay.events.map(({ name }) => name)).not.toContain('typing:changed');
  });

  test('who is being erased goes from both, also when the one that carries it out is killed', async () => {
    const history = await newHistory('postgres');
    const [one, two] = await startNodes(history, 'postgres', nextChatServer);
    const [ann, annThere, bob] = [await connect(one, 1), await connect(two, 1), await connect(two, 2)];
    await ann.request('room:join', { room: 'lobby' });
    await Promise.all(
      Array.from({ length: 1000 }, () =>
        ann.request('message:send', { room: 'lobby', text: 'of ann', clientId: newClientId() }),
      ),
    );
    await bob.request('room:join', { room: 'lobby' });
    await bob.request('user:block', { user: '1', blocked: true });
    const headers = { authorization: `Bearer ${key}` };
    await fetch(`${one.url}/api/users/1/push`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ name: 'order', data: 'secret order' }),
    });
    expect(await history.holding('secret order')).toEqual(['chat_changes']);
    const { room: den } = await bob.request('room:create', {
      name: 'den',
      kind: 'private',
      members: ['1'],
      clientId: newClientId(),
    });
    await bob.request('room:mute', { room: den.id, user: '1', reason: 'secret reason' });
    const holding = ['chat_audit', 'chat_changes', 'chat_members'];
    await expect.poll(() => history.holding('secret reason')).toEqual(holding);
    const url = `${one.url}/api/users/1?messages=delete`;
    expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(202);
    const left = async (what: string) =>
      Number((await history.query(`SELECT count(*) AS n FROM ${what}`))[0]?.n);
    await expect.poll(() => left(`chat_messages WHERE user_id = '0'`), { interval: 5 }).toBeGreaterThan(0);
    const killed = one.stop('SIGKILL');
    expect(await left(`chat_messages WHERE user_id = '1'`)).toBeGreaterThan(0);
    await killed;
    await eventOf(annThere, 'session:ended').toEqual({ reason: 'kicked' });
    await eventOf(bob, 'blocked:changed').toEqual({ user: '1', blocked: false });
    await expect.poll(() => left('chat_erasures')).toBe(0);
    expect(await left(`chat_messages WHERE user_id = '1'`)).toBe(0);
    await eventOf(bob, 'room:reset').toEqual({ room: 'lobby' });
    expect(bob.events.filter(({ name }) => name === 'room:reset')).toHaveLength(1);
    const { messages, room } = await bob.request('room:join', { room: 'lobby' });
    expect(messages.filter(({ text, user }) => text !== '' || user.id !== '0')).toEqual([]);
    expect(room).toMatchObject({ members: 1, head: 1001 });
    expect(await history.holding('user 1')).toEqual([]);
    expect(await history.holding('secret order')).toEqual([]);
    expect(await history.holding('secret reason')).toEqual([]);
  });

  test('each act of moderation is listed exactly once, though one server after the other is killed', async () => {
    const history = await newHistory('postgres');
    const headers = { authorization: `Bearer ${key}` };
    const call = (server: { url: string }, method: string, path: string, body?: object) =>
      fetch(server.url + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const acknowledged: string[] = [];
    /** Deletes rooms by both servers, the first of which is killed meanwhile. */
    async function deleting(
      rooms: readonly string[],
      servers: readonly [ChatServer, ChatServer],
    ): Promise<void> {
      const [doomed, other] = servers;
      const left = rooms.values();
      const before = acknowledged.length;
      const workers = [doomed, other, doomed, other].map(async (server) => {
        for (const room of left) {
          const answer = await call(server, 'DELETE', `/api/rooms/${room}`).catch(() => null);
          if (answer?.status === 200) acknowledged.push(room);
          if (acknowledged.length > before + rooms.length / 4) await doomed.stop('SIGKILL');
        }
      });
      await Promise.all(workers);
    }
    const [one, two] = await startNodes(history, 'postgres', nextChatServer);
    const rooms = Array.from({ length: size(48, 24) }, (_, n) => `den-${n}`);
    const made = rooms.map((name) => call(one, 'PUT', `/api/rooms/${name}`, { name, kind: 'private' }));
    for (const { status } of await Promise.all(made)) expect(status).toBe(201);
    let last = two;
    await deleting(rooms.slice(0, 24), [one, two]);
    if (soak) {
      last = await startNode(history, 'postgres', 0, nextChatServer);
      await deleting(rooms.slice(24), [two, last]);
    }
    expect(acknowledged.length).toBeGreaterThan(rooms.length / 4);
    const listed = async () => {
      const found: string[] = [];
      for (let next: string | undefined = ''; next !== undefined; ) {
        const answer = await call(last, 'GET', `/api/audit?cursor=${next}`);
        const page = (await answer.json()) as { acts: { kind: string; room: string }[]; next?: string };
        found.push(...page.acts.map(({ kind, room }) => `${kind} ${room}`));
        next = page.next;
      }
      return found;
    };
    const missing = async () => {
      const found = await listed();
      return acknowledged.filter((room) => !found.includes(`room_deleted ${room}`));
    };
    await expect.poll(missing, { timeout: within(10_000) }).toEqual([]);
    const found = await listed();
    expect(found).toHaveLength(new Set(found).size);
  });

  // Somebody who is kicked may connect again at once, so this race protects nobody.
  if (soak) {
    test('a kick reaches who is still being let in by another server', async () => {
      const history = await newHistory('postgres');
      const bus = `redis://127.0.0.1:${redis.port}`;
      const held: (() => void)[] = [];
      let holding = false;
      let onAsked = () => {};
      const database = await startTcpProxy(
        postgres.port,
        (piece, client) => {
          if (holding) held.push(() => client.write(piece));
          else client.write(piece);
        },
        (piece) => piece.includes('chat_users') && onAsked(),
      );
      closing.push(() => database.close());
      const url = history.url.replace(String(postgres.port), String(database.port));
      const [one, two] = [
        await startNode(history, bus, 0, nextChatServer),
        await startNode({ ...history, url }, bus, 0, nextChatServer),
      ];
      // So that it has a connection to the database for its queries.
      await connect(two, 9);
      const asked = new Promise<void>((resolve) => {
        onAsked = resolve;
      });
      holding = true;
      const connecting = connect(two, 8);
      await asked;
      await api(one, 'DELETE', '/api/users/8/connections');
      holding = false;
      for (const release of held) release();
      expect((await (await connecting).ended).reason).toBe('kicked');
    });
  }

  test('a change that the other server has not heard of makes nobody act on what was', async () => {
    const history = await newHistory('postgres');
    const line = await cuttable();
    const [one, two] = await startNodes(history, line.url, nextChatServer);
    const [ann, bob] = [await connect(one, 1), await connect(two, 2)];
    const { room } = await ann.request('room:create', {
      name: 'Both',
      kind: 'private',
      members: ['2', '3'],
      clientId: newClientId(),
    });
    await ann.request('room:role', { room: room.id, user: '2', role: 'moderator' });
    await eventOf(bob, 'room:changed').toMatchObject({ role: 'moderator' });
    for (const client of [ann, bob]) await client.request('room:join', { room: room.id });
    const sent = { room: room.id, text: 'hello', clientId: newClientId() };
    const { seq, rev } = (await ann.request('message:send', sent)).message;
    await eventOf(bob, 'message:new').toMatchObject({ seq });
    // Moderators are notified of a report on the other server, when it is new and when it is closed.
    await bob.request('message:report', { room: room.id, seq, reason: 'other' });
    await lastOf(ann, 'report:changed').toMatchObject({ report: { room: room.id }, open: 1 });
    await bob.request('message:pin', { room: room.id, seq });
    await lastOf(ann, 'pin:changed').toMatchObject({
      seq,
      pin: { text: 'hello', by: { id: '2' } },
      count: 1,
    });
    const [report] = (await bob.request('report:list', {})).reports;
    await bob.request('report:close', { id: report?.id ?? '', done: 'nothing' });
    await lastOf(ann, 'report:changed').toMatchObject({ report: { id: report?.id }, open: 0 });
    // So are they of a message that waits; two who approve it at the same time publish it once.
    const carol = await connect(two, 3);
    await carol.request('room:join', { room: room.id });
    const waits = { room: room.id, text: 'cheap pallets', clientId: newClientId() };
    const answer = await carol.raw('message:send', waits);
    const { id } = (answer as { data: { held: { id: string } } }).data.held;
    await lastOf(ann, 'held:changed').toMatchObject({ is: 'held', held: { id, text: waits.text } });
    const approved = await Promise.all([ann, bob].map((client) => client.raw('held:approve', { id })));
    expect(approved.filter(({ ok }) => ok)).toHaveLength(1);
    await eventOf(carol, 'message:new').toMatchObject({ id, seq: seq + 1, clientId: waits.clientId });
    await lastOf(carol, 'held:changed').toMatchObject({ id, is: 'approved' });
    expect(await carol.request('message:send', waits)).toMatchObject({ message: { id, seq: seq + 1 } });
    await line.cut();
    for (const node of [one, two]) await node.until(/the bus is down: degraded/);
    await ann.request('room:role', { room: room.id, user: '2', role: 'member' });
    await expect(bob.request('room:remove', { room: room.id, user: '3' })).rejects.toThrow('forbidden');
    // A change that is read from the database contains the current message.
    await ann.request('message:react', { room: room.id, seq, emoji: '👍', on: true });
    await eventOf(bob, 'message:changed').toMatchObject({
      rev: rev + 2,
      reactions: [{ emoji: '👍', count: 1, users: ['1'] }],
    });
  });

  describe('without their bus', () => {
    let one: ChatServer;
    let two: ChatServer;
    let kept: typeof closing;
    beforeAll(async () => {
      const history = await newHistory('postgres');
      const line = await cuttable();
      [one, two] = await startNodes(history, line.url, nextChatServer);
      await line.cut();
      for (const node of [one, two]) await node.until(/the bus is down: degraded/);
      // These tests use rooms of their own, so the servers stay for all of them.
      kept = closing.splice(0);
    });
    afterAll(async () => {
      for (const close of kept.reverse()) await close();
    });

    test('a user who was removed reads nothing of what was written after it from a server that has not heard of it', async () => {
      const [ann, bob, carol] = [await connect(one, 1), await connect(two, 2), await connect(one, 3)];
      // Each in a room of its own: what the server reads for the one, it knows for the next.
      const reads = [
        ['message:search', () => ({ query: 'secret' })],
        ['message:search', (room: string) => ({ query: 'secret', room })],
        ['message:history', (room: string) => ({ room })],
        ['message:history', (room: string) => ({ room, after: 0 })],
        ['room:sync', (room: string) => ({ room, since: 0 })],
        ['room:join', (room: string) => ({ room })],
        ['room:pins', (room: string) => ({ room })],
        ['room:files', (room: string) => ({ room, what: 'links' })],
        ['report:list', () => ({})],
      ] as const;
      for (const [event, payload] of reads) {
        const { room } = await ann.request('room:create', {
          name: 'All three',
          kind: 'private',
          members: ['2', '3'],
          clientId: newClientId(),
        });
        await ann.request('room:role', { room: room.id, user: '2', role: 'moderator' });
        await ann.request('room:join', { room: room.id });
        const write = async (text: string) =>
          (await ann.request('message:send', { room: room.id, text, clientId: newClientId() })).message;
        const { seq } = await write('hello');
        await bob.request('room:join', { room: room.id });
        await ann.request('message:pin', { room: room.id, seq });
        await ann.request('room:remove', { room: room.id, user: '2' });
        await ann.request('message:edit', { room: room.id, seq, text: 'a secret' });
        await write('another secret: www.example.org');
        await carol.request('message:report', { room: room.id, seq, reason: 'other' });
        const answer = await bob.raw(event, payload(room.id));
        expect([event, JSON.stringify(answer)]).toEqual([event, expect.not.stringContaining('secret')]);
      }
    });

    test('a user who was removed gets no event with what was written after it, however late a server hears of all that', async () => {
      const [ann, bob] = [await connect(one, 1), await connect(two, 2)];
      // More than once, because the other server polls each second.
      for (let nth = 0; nth < 3; nth++) {
        const { room } = await ann.request('room:create', {
          name: 'Both',
          kind: 'private',
          members: ['2'],
          clientId: newClientId(),
        });
        const { id } = room;
        for (const client of [ann, bob]) await client.request('room:join', { room: id });
        const sent = { room: id, text: 'hello', clientId: newClientId() };
        const { seq } = (await ann.request('message:send', sent)).message;
        await ann.request('message:pin', { room: id, seq });
        await ann.request('room:remove', { room: id, user: '2' });
        await ann.request('message:edit', { room: id, seq, text: 'a secret' });
        await lastOf(bob, 'room:removed').toMatchObject({ room: id });
        expect(JSON.stringify(bob.events)).not.toContain('secret');
      }
    });

    test('a room that is made again under the id of a deleted one says nothing to those who were in that one, however late a server hears of all that', async () => {
      const [ann, bob] = [await connect(one, 1), await connect(two, 2)];
      // More than once, because the other server polls each second.
      for (let nth = 0; nth < 3; nth++) {
        const id = `den-${nth}`;
        const made = { name: 'Den', kind: 'private' };
        await api(one, 'PUT', `/api/rooms/${id}`, made);
        await api(one, 'PATCH', `/api/rooms/${id}/members`, { add: ['1', '2'] });
        await lastOf(bob, 'room:added').toMatchObject({ id });
        for (const client of [ann, bob]) await client.request('room:join', { room: id });
        const write = async (text: string) => {
          const message = { user: { id: '1', name: 'user 1' }, text, clientId: newClientId() };
          await api(one, 'POST', `/api/rooms/${id}/messages`, message);
        };
        await write('hello');
        await api(one, 'DELETE', `/api/rooms/${id}`);
        await api(one, 'PUT', `/api/rooms/${id}`, made);
        await write('a secret');
        await lastOf(bob, 'room:removed').toMatchObject({ room: id, reason: 'deleted' });
        expect(JSON.stringify(bob.events)).not.toContain('secret');
      }
    });

    test('nobody comes into a room that is made again under the id of a deleted one by a right in that one, however late a server hears of all that', async () => {
      const bob = await connect(two, 2);
      // More than once, because the other server polls each second.
      for (let nth = 0; nth < 3; nth++) {
        const id = `class-${nth}`;
        const make = async (members: string[]) => {
          await api(one, 'PUT', `/api/rooms/${id}`, { name: 'Class', kind: 'private' });
          await api(one, 'PATCH', `/api/rooms/${id}/members`, { add: members });
        };
        await make(['1', '2']);
        await lastOf(bob, 'room:added').toMatchObject({ id });
        await bob.request('room:join', { room: id });
        await api(one, 'DELETE', `/api/rooms/${id}`);
        await make(['1', '3']);
        const invited = bob.request('room:invite', { room: id, users: ['2'] });
        await expect(invited).rejects.toThrow('unknown_room');
      }
    });

    test('a client that comes from a server whose changes the other one has not got continues where it was: no room is unknown, none restarts', async () => {
      const [ann, bob] = [await connect(one, 1), await connect(two, 2)];
      for (const client of [ann, bob]) await client.request('room:join', { room: 'lobby' });
      const sent = async () => {
        const text = { room: 'lobby', text: 'hello', clientId: newClientId() };
        return (await ann.request('message:send', text)).message;
      };
      // More than once, because the other server polls each second.
      for (let nth = 0; nth < 3; nth++) {
        const marked = await sent();
        const { room } = await bob.request('read:mark', { room: 'lobby', seq: marked.seq });
        expect(room).toMatchObject({ lastSeq: marked.seq, unread: 0 });
        const synced = await sent();
        const nothing = { messages: [], complete: true };
        expect(await bob.request('room:sync', { room: 'lobby', since: synced.rev })).toEqual({
          head: synced.rev,
          ...nothing,
        });
        const joined = await sent();
        const joining = await bob.request('room:join', { room: 'lobby', since: joined.rev });
        expect(joining).toMatchObject({ room: { head: joined.rev }, ...nothing });
        expect(joining).not.toHaveProperty('reset');
        const made = await ann.request('room:create', {
          name: 'Both',
          kind: 'private',
          members: ['2'],
          clientId: newClientId(),
        });
        const { id } = made.room;
        expect((await bob.request('room:join', { room: id })).room).toMatchObject({ id, role: 'member' });
      }
      // Unknown messages are refused as usual.
      await expect(bob.request('read:mark', { room: 'lobby', seq: 99 })).rejects.toThrow('bad_request');
      await expect(bob.request('room:join', { room: 'u-none' })).rejects.toThrow('unknown_room');
      expect(await bob.request('room:sync', { room: 'lobby', since: 99 })).toMatchObject({ reset: true });
    });
  });

  test('a copy that is forwarded on both servers arrives once and in order everywhere, and tells nobody of the private room or who wrote there', async () => {
    const history = await newHistory('postgres');
    const files = historyFolder();
    closing.push(() => files.remove());
    const settings = { CHAT_FILES: files.files, CHAT_ORIGINS: origin };
    const bus = `redis://127.0.0.1:${redis.port}`;
    const [one, two] = await startNodes(history, bus, nextChatServer, settings);
    await memcached.set('sessions/u30', '{"user_id":"Wm4kZ-id","firstname":"Wm4kZ-name"}');
    const hiding = await connect(two, 30);
    const [ann, annToo] = [await connect(one, 1), await connect(two, 1)];
    const readers = [
      await connect(one, 2),
      await connect(two, 2),
      await connect(one, 3),
      await connect(two, 3),
    ];
    const [bob] = readers as [ChatClient];
    for (const reader of [ann, ...readers]) await reader.request('room:join', { room: 'lobby' });
    const { room: den } = await hiding.request('room:create', {
      name: 'Wm4kZ-den',
      kind: 'private',
      members: ['1'],
      clientId: newClientId(),
    });
    await hiding.request('room:join', { room: den.id });
    const { file } = await upload(two.url, 'PHPSESSID=u30', 'in the file', { name: 'a.txt', room: den.id });
    const words = { room: den.id, text: 'words', files: [{ id: file.id }], clientId: newClientId() };
    const { message: original } = await hiding.request('message:send', words);

    const from = { room: den.id, seq: original.seq };
    const copies: Message[] = [];
    for (let n = 0; n < forwards; n++) {
      // An answer may get lost, and the client asks the other server.
      const asked = { room: 'lobby', from, clientId: newClientId() };
      const say = (one: ChatClient) =>
        one.request('message:send', { room: 'lobby', text: `${n}`, clientId: newClientId() });
      const [{ message }, again] = await Promise.all([
        ann.request('message:forward', asked),
        annToo.request('message:forward', asked),
        ...readers.map(say),
      ]);
      expect(again).toEqual({ message });
      copies.push(message);
    }
    for (const reader of readers) {
      await expect.poll(() => reader.messages()).toHaveLength(5 * forwards);
      const got = reader.messages();
      expect(got.map(({ seq }) => seq)).toEqual(Array.from({ length: 5 * forwards }, (_, n) => n + 1));
      expect(got.filter(({ text }) => text === 'words')).toEqual(copies.toSorted((a, b) => a.seq - b.seq));
    }
    const [{ files: [copied] = [], ...copy }] = copies as [Message];
    expect(copy).toMatchObject({ user: { id: '1' }, text: 'words' });
    expect(copy.forwarded).toEqual({});
    for (const { url } of [one, two]) {
      expect((await download(url, 'PHPSESSID=u2', file)).status).toBe(404);
      const answer = await download(url, 'PHPSESSID=u2', copied as MessageFile);
      expect(await answer.text()).toBe('in the file');
    }
    for (const reader of readers) {
      const answers = [
        await reader.raw('message:history', { room: 'lobby', limit: 100 }),
        await reader.raw('message:search', { query: 'words' }),
        await reader.raw('room:files', { room: 'lobby', what: 'files' }),
        await reader.raw('room:members', { room: 'lobby' }),
        await reader.raw('user:find', { query: 'Wm4kZ' }),
        await reader.raw('room:list', {}),
      ];
      const known = JSON.stringify([reader.ready, reader.events, answers]);
      for (const secret of ['Wm4kZ', den.id, file.id, original.id]) expect(known).not.toContain(secret);
      expect(known).toContain(copy.id);
    }
    // The other way, a member of the den learns whose words they are.
    await ann.request('room:join', { room: den.id });
    const { message: said } = await bob.request('message:send', {
      room: 'lobby',
      text: 'for all',
      clientId: newClientId(),
    });
    const back = { room: den.id, from: { room: 'lobby', seq: said.seq }, clientId: newClientId() };
    const { message } = await ann.request('message:forward', back);
    expect(message.forwarded).toEqual({ user: { id: '2', name: 'user 2' } });
    await expect.poll(() => hiding.messages().at(-1)).toEqual(message);
  });

  test('a hint that is forged, or cut off, is ignored; a mention reaches users who have joined on no server, and a block counts on all', async () => {
    const history = await newHistory('postgres');
    const [one, two] = await startNodes(history, `redis://127.0.0.1:${redis.port}`, nextChatServer);
    const [ann, bob] = [await connect(one, 1), await connect(two, 2)];
    for (const client of [ann, bob]) await client.request('room:join', { room: 'lobby' });
    const listener = createClient({ url: `redis://127.0.0.1:${redis.port}` });
    await listener.connect();
    closing.push(() => listener.destroy());
    const heard = Promise.withResolvers<[hint: string, channel: string]>();
    // A presence announcement may come in between.
    await listener.pSubscribe('php-session-chat:*', (text, channel) => {
      if (text.includes('hello')) heard.resolve([text, channel]);
    });
    const send = (text: string) =>
      ann.request('message:send', { room: 'lobby', text, clientId: newClientId() });
    await send('hello');
    const [hint, channel] = await heard.promise;
    const { num } = JSON.parse(hint.slice(hint.indexOf('{'))) as { num: number };
    for (const forged of [
      hint.replaceAll('hello', 'forged').replace(`"num":${num}`, `"num":${num + 1}`),
      hint.slice(hint.indexOf('{')).replaceAll('hello', 'forged'),
      hint.slice(0, 60),
      'x',
      '',
    ]) {
      await redis.ask('PUBLISH', channel, forged);
    }
    await two.until(/a text on the bus was ignored/);
    await send('the next');
    await expect.poll(() => bob.messages().map(({ text }) => text)).toEqual(['hello', 'the next']);
    const reaction = { room: 'lobby', seq: 1, emoji: '👍', on: true };
    const { rev } = (await ann.request('message:react', reaction)).message;
    await eventOf(bob, 'message:reacted').toEqual({
      room: 'lobby',
      seq: 1,
      rev,
      changes: [{ emoji: '👍', count: 1, added: ['1'] }],
    });
    // Mentions go the same way. A server asks the others whether the user has joined the room there.
    const kimToo = await connect(one, 3);
    await kimToo.request('room:join', { room: 'lobby' });
    const seenBy = (client: ChatClient) =>
      JSON.stringify(client.events.filter(({ name }) => name === 'presence:changed'));
    await expect.poll(() => seenBy(bob)).toContain('"id":"3"');
    const danToo = await connect(one, 4);
    const [kim, dan] = [await connect(two, 3), await connect(two, 4)];
    const mention = (text: string, ...users: string[]) => {
      const mentions = users.map((user, start) => ({ user, start, length: 1 }));
      return ann.request('message:send', { room: 'lobby', text, clientId: newClientId(), mentions });
    };
    const toldOf = (client: ChatClient, { id }: Message) =>
      client.events.filter(
        ({ name, payload }) => name === 'mention' && (payload as Mentioned).message.id === id,
      );
    let unread = 0;
    // A server that does not get an answer within a second tells rather once too often: then they are asked again.
    await expect
      .poll(async () => {
        const { message } = await mention('not told', '3', '4');
        unread++;
        // Each server has asked the other about Kim before it asked about Dan.
        for (const one of [dan, danToo]) await expect.poll(() => toldOf(one, message)).toHaveLength(1);
        return [kim, kimToo].flatMap((one) => toldOf(one, message));
      })
      .toEqual([]);
    await kimToo.request('room:leave', { room: 'lobby' });
    const { message } = await mention('told', '3');
    unread++;
    for (const one of [kim, kimToo]) {
      await expect.poll(() => toldOf(one, message)).toMatchObject([{ payload: { message } }]);
    }
    expect((await kim.request('room:list', {})).rooms).toMatchObject([{ unread, mentions: unread }]);
    // A user who is blocked on one server does not count, and is not shown typing, on any server.
    for (const [blocked, mentions] of [
      [true, 0],
      [false, unread],
      [true, 0],
    ] as const) {
      await kim.request('user:block', { user: '1', blocked });
      for (const one of [kim, kimToo]) {
        await lastOf(one, 'room:changed').toMatchObject({ id: 'lobby', unread, mentions });
      }
    }
    await Promise.all([kim, kimToo, bob].map((one) => one.request('room:join', { room: 'lobby' })));
    await ann.request('typing:set', { room: 'lobby', typing: true });
    await bob.request('typing:set', { room: 'lobby', typing: true });
    for (const one of [kim, kimToo])
      await eventOf(one, 'typing:changed').toMatchObject({ user: { id: '2' } });
    await eventOf(bob, 'typing:changed').toMatchObject({ user: { id: '1' }, typing: true });
    const typing = [kim, kimToo].flatMap(({ events }) =>
      events.filter(({ name }) => name === 'typing:changed'),
    );
    expect(JSON.stringify(typing)).not.toContain('"id":"1"');
    // A reply on one server is counted on the other, and concerns the users there who follow the thread.
    for (const event of ['room:join', 'room:leave'] as const) await dan.request(event, { room: 'lobby' });
    await dan.request('thread:follow', { room: 'lobby', thread: 1, following: true });
    await eventOf(danToo, 'thread:followed').toEqual({ room: 'lobby', thread: 1, following: true });
    const answer = { room: 'lobby', text: 'an answer', replyTo: 1, clientId: newClientId() };
    const { message: reply } = await bob.request('message:send', answer);
    await expect
      .poll(() => toldOf(danToo, reply))
      .toMatchObject([{ payload: { message: reply, followed: true } }]);
    await eventOf(ann, 'thread:changed').toMatchObject({
      room: 'lobby',
      threads: [{ thread: 1, replies: 1 }],
    });
  });

  test('texts that were recorded on the bus before the database was restored change nothing after it, and end no server; one of more than 64 KB is not even looked at', async () => {
    const history = await newHistory('postgres');
    const bus = `redis://127.0.0.1:${redis.port}`;
    await (await startNode(history, bus, 0, nextChatServer)).stop();
    const database = new URL(history.url).pathname.slice(1);
    await postgres.query(`CREATE DATABASE restored TEMPLATE ${database} OWNER site`);
    const recorded: [channel: string, text: string][] = [];
    const listener = createClient({ url: bus });
    listener.on('error', () => {});
    await listener.connect();
    closing.push(() => listener.destroy());
    await listener.pSubscribe('php-session-chat:*', (text, channel) => recorded.push([channel, text]));
    const say = (client: ChatClient, text: string) =>
      client.request('message:send', { room: 'lobby', text, clientId: newClientId() });

    const lost = await startNode(history, bus, 0, nextChatServer);
    const ann = await connect(lost, 1);
    await ann.request('room:join', { room: 'lobby' });
    await ann.request('typing:set', { room: 'lobby', typing: true });
    for (let nth = 0; nth < 20; nth++) await say(ann, `lost ${nth}`);
    // A beat may come right behind it.
    await expect.poll(() => recorded.some(([, text]) => text.includes('lost 19'))).toBe(true);
    const texts = recorded.splice(0);
    await lost.stop();

    const servers = await startNodes(
      { ...history, url: new URL('restored', history.url).href },
      bus,
      nextChatServer,
    );
    const [bob, cy] = await Promise.all(servers.map((server, n) => connect(server, 2 + n)));
    for (const client of [bob, cy] as ChatClient[]) await client.request('room:join', { room: 'lobby' });
    for (const [channel, text] of texts) await redis.ask('PUBLISH', channel, text);
    await say(bob as ChatClient, 'the first');
    await say(cy as ChatClient, 'the next');
    for (const client of [bob, cy] as ChatClient[]) {
      await expect.poll(() => client.messages().map(({ text }) => text)).toEqual(['the first', 'the next']);
      expect(client.events.filter(({ name }) => name === 'typing:changed')).toEqual([]);
    }

    // Sealed like the servers' own texts: otherwise it would be ignored for its code.
    const long = `{"num":1}${' '.repeat(64 * 1024)}`;
    const [{ digest } = {}] = await history.query('SELECT digest FROM chat_digest_key');
    const code = createHmac('sha256', Buffer.from(String(digest), 'hex'))
      .update(long)
      .digest('base64');
    await redis.ask('PUBLISH', String(texts[0]?.[0]), code + long);
    for (const server of servers) await server.until(/a text on the bus was ignored/);
  });
});

test.each(size(['postgres', 'mysql'] as const, ['postgres'] as const))(
  'messages between servers are kept for an hour by the clock of the database: a server whose clock is ahead deletes nothing that others have yet to read; one that stood still for longer ends, instead of omitting something (%s)',
  async (kind) => {
    const history = await newHistory(kind);
    const clock = fakeClock();
    closing.push(() => clock.remove());
    clock.jump(2 * 3600);
    const ahead = (env: NodeJS.ProcessEnv) => startChatServer({ ...env, ...clock.env });
    const one = await startNode(history, kind, 0, nextChatServer);
    const ann = await connect(one, 1);
    await ann.request('room:join', { room: 'lobby' });
    await history.query('UPDATE chat_changes SET since = since - 3600001 WHERE num <= 2');
    const two = await startNode(history, kind, 0, ahead);
    const bob = await connect(two, 2);
    await bob.request('room:join', { room: 'lobby' });
    await ann.request('message:send', { room: 'lobby', text: 'hello', clientId: newClientId() });
    // It reads and deletes over one connection.
    await eventOf(bob, 'message:new', 5000).toMatchObject({ text: 'hello' });
    const [first] = await history.query('SELECT min(num) AS num FROM chat_changes');
    expect(Number(first?.num)).toBe(3);

    two.signal('SIGSTOP');
    for (let n = 0; n < 3; n++) {
      const message = { room: 'lobby', text: 'hello', clientId: newClientId() };
      // The server that stands still may hold locks that the others wait for, until the database ends its transaction.
      await vi.waitFor(() => ann.request('message:send', message), hanging);
    }
    await history.query('DELETE FROM chat_changes WHERE num < (SELECT num FROM chat_position)');
    two.process.kill('SIGCONT');
    await two.until(/this server stood still for too long/);
  },
);

describe('the configuration of the site', () => {
  function siteFolder(cookieName: string) {
    const site = codeIgniterSite(cookieName);
    closing.push(site.remove);
    return site;
  }

  const ways = [
    ['PostgreSQL', 'postgres', (): string => 'postgres'],
    ['Redis', 'mysql', (): string => `redis://127.0.0.1:${redis.port}`],
  ] as const;
  test.each(ways.slice(0, size(2, 1)))(
    'a server that has read another one than the others is not ready and says so, until it has read the same; its place need not be the same (over %s)',
    async (_, kind, bus) => {
      const history = await newHistory(kind);
      const start = async (node: string, folder: string, by = nextChatServer): Promise<ChatServer> => {
        const server = await by({
          CHAT_HISTORY: history.url,
          CHAT_CLUSTER: bus(),
          CHAT_NODE: node,
          CHAT_DRAIN: '0s',
          CHAT_SITE: folder,
          CHAT_USER_ID: 'user_id',
          CHAT_USER_NAME: 'firstname',
        });
        closing.push(() => server.stop());
        return server;
      };
      const ready = async ({ url }: ChatServer) => {
        const answer = await fetch(`${url}/readyz`);
        return [answer.status, await answer.json()];
      };
      const differs = async ({ url }: ChatServer) =>
        /^chat_site_differs (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
      const yes = [200, { status: 'ready' }];
      const no = [503, { status: 'not ready', missing: ['site configuration'] }];
      const one = await start('one', siteFolder('ci_session').folder);
      const two = await start('two', siteFolder('ci_session').folder);
      for (const server of [one, two])
        await expect.poll(() => ready(server), { timeout: hanging }).toEqual(yes);
      const site = siteFolder('other_session');
      const three = await start('three', site.folder, startChatServer);
      const [line] = await three.until(/^\{.*this one is not ready"\}$/m);
      expect((JSON.parse(line) as { servers: string[] }).servers.sort()).toEqual(['one', 'two']);
      expect(await ready(three)).toEqual(no);
      expect(await differs(three)).toBe('1');
      expect([await ready(one), await ready(two)]).toEqual([yes, yes]);
      site.write('ci_session');
      three.process.kill('SIGHUP');
      await expect.poll(() => ready(three), { timeout: hanging }).toEqual(yes);
      expect(await differs(three)).toBe('0');
      const told = await history.query(`SELECT changes FROM chat_changes`);
      expect(JSON.stringify(told)).toContain('"since');
      expect(JSON.stringify(told)).not.toMatch(/ci_session|other_session/);
    },
  );
});

test('no text outlives its deletion, neither in the database nor in what servers tell each other', async () => {
  const history = await newHistory('postgres');
  // A drain is cut short 1.5 s after CHAT_DRAIN, and a busy machine may stand still for longer.
  const server = await startNode(history, 'postgres', 0, startChatServer, { CHAT_DRAIN: '8s' });
  expect(server.output()).toContain(`"node":"${hostname()}:any-${server.process.pid}"`);
  const ann = await connect(server, 1);
  await ann.request('room:join', { room: 'lobby' });
  const text = `secret-${randomInt(1e9)}`;
  const { message } = await ann.request('message:send', { room: 'lobby', text, clientId: newClientId() });
  expect(await history.holding(text)).toEqual(['chat_messages']);
  await ann.request('message:delete', { room: 'lobby', seq: message.seq });
  expect(await history.holding(text)).toEqual([]);
  expect(await server.stop()).toBe(0);
});
