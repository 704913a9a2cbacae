import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openReads } from '../../server/history/open.ts';
import type { Message } from '../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { type ChatServer, historyFolder, nextChatServer, type RunningChat } from '../helpers/chat-server.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { startCuttableBus } from '../helpers/cuttable-bus.ts';
import { hanging } from '../helpers/hanging.ts';
import {
  type HistoryDatabase,
  mariadbDatabase,
  openDatabase,
  postgresDatabase,
} from '../helpers/history-database.ts';
import { type Mariadb, startMariadb } from '../helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { apiKey, say } from '../helpers/people.ts';
import { placeOf } from '../helpers/portable-history.ts';
import { type Postgres, startPostgres } from '../helpers/postgres.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { Tab } from '../helpers/tab.ts';
import { size, soak } from './size.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rooms = ['lobby', 'kitchen', 'garden'];
const senders = size(9, 6);
const each = size(250, 10);
const kills = size(5, 1);
/** The minimum time that a server is suspended. */
const suspendedSeconds = size(40, 16);

let memcached: Memcached;
let redis: Redis;
beforeAll(async () => {
  [memcached, redis] = await Promise.all([startMemcached(), startRedis()]);
  for (let user = 1; user <= 20; user++)
    await memcached.set(`sessions/u${user}`, JSON.stringify({ user_id: user, firstname: `user ${user}` }));
});
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => Promise.all([memcached.stop(), redis.remove()]));

async function connect(server: { url: string }, user: number): Promise<ChatClient> {
  const client = await connectChat(server.url, `PHPSESSID=u${user}`);
  closing.push(() => client.close());
  return client;
}

async function api(server: { url: string }, method: string, path: string, body?: object) {
  const answer = await fetch(`${server.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await answer.json()) as Record<string, unknown>;
}

const eventOf = (client: ChatClient, name: string) =>
  expect.poll(() => client.events.find((event) => event.name === name)?.payload);

/** Simulates a user who moves between servers and repeats each message until it is acknowledged. */
async function roam(user: number, servers: readonly { url: string }[], acknowledged: Map<string, Message>) {
  const room = rooms[user % rooms.length] as string;
  let client: ChatClient | undefined;
  for (let n = 0; n < each; n++) {
    const clientId = `s${user}-${n}`;
    while (!acknowledged.has(clientId)) {
      try {
        if (client === undefined) {
          const { url } = servers[randomInt(servers.length)] as { url: string };
          const connecting = connectChat(url, `PHPSESSID=u${user}`);
          // A server that is killed before session:ready does not reject the connection.
          const late = pause(3000, undefined, { ref: false }).then(() =>
            Promise.reject(new Error('no answer')),
          );
          client = await Promise.race([connecting, late]).catch((error) => {
            // Otherwise the user of this connection would stay online.
            connecting.then((open) => open.close()).catch(() => {});
            throw error;
          });
          const joining = client.socket.timeout(3000).emitWithAck('room:join', { room });
          if (!(await joining).ok) throw new Error('the room could not be joined');
        }
        const answer = await client.socket
          .timeout(3000)
          .emitWithAck('message:send', { room, text: `text ${clientId}`, clientId });
        if (!answer.ok) throw new Error(answer.error.code);
        acknowledged.set(clientId, answer.data.message);
      } catch {
        // That server was killed, so the message is sent to another server.
        client?.close();
        client = undefined;
        await pause(100);
      }
    }
    if (randomInt(10) > 0) continue;
    client?.close();
    client = undefined;
  }
  client?.close();
}

/** Repeats every hint on the bus, some of them late and so out of order. */
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
    // Ignores the hints that it repeated.
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

const surroundings = [
  { name: 'PostgreSQL and Redis', kind: 'postgres', bus: 'redis' },
  { name: 'MariaDB alone', kind: 'mysql', bus: 'mysql' },
  { name: 'PostgreSQL alone', kind: 'postgres', bus: 'postgres' },
  { name: 'MariaDB and Redis', kind: 'mysql', bus: 'redis' },
] as const;

describe.each(surroundings.slice(0, size(4, 1)))('servers on $name', ({ kind, bus }) => {
  let postgres: Postgres | undefined;
  let mariadb: Mariadb | undefined;
  let history: HistoryDatabase;
  let line: Awaited<ReturnType<typeof startCuttableBus>> | undefined;
  let one: RunningChat;
  /** The servers that are killed or suspended: two in the soak run. `one` runs in this process. */
  const processes: ChatServer[] = [];

  const settings = (port: number) => ({
    CHAT_PORT: String(port),
    CHAT_HISTORY: history.url,
    CHAT_CLUSTER: line?.url ?? bus,
    CHAT_DRAIN: '0s',
    CHAT_ROOMS: rooms.join(','),
    CHAT_SESSION_STORE: memcached.url,
    CHAT_API_KEY: apiKey,
  });
  beforeAll(async () => {
    if (kind === 'postgres') postgres = await startPostgres();
    else mariadb = await startMariadb();
    history = postgres ? await postgresDatabase(postgres) : await mariadbDatabase(mariadb as Mariadb);
    if (bus === 'redis') line = await startCuttableBus(redis.port);
    // A fixed port gives the server a fixed name, so after a restart it replaces its former self.
    one = await chatServerHere(settings(0));
    for (const port of [await ownPort(), 0].slice(0, size(2, 1)))
      processes.push(await nextChatServer(settings(port)));
  });
  afterAll(async () => {
    await Promise.all([one, ...processes].map((server) => server.stop()));
    await line?.cut();
    await history.close();
    await (postgres ?? mariadb)?.remove();
  });
  /** Crashes PostgreSQL, so that all its connections are lost. */
  async function crashDatabase(): Promise<void> {
    const backends = `SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'`;
    const found = await postgres?.query(backends);
    process.kill(Number(found?.[0]?.pid), 'SIGKILL');
  }
  const first = () => processes[0] as ChatServer;
  const count = async (what: string) =>
    Number((await history.query(`SELECT count(*) AS n FROM ${what}`))[0]?.n);

  test(`keep ${senders} × ${each} messages once and in one order despite ${kills} kills and failing Redis and PostgreSQL`, async () => {
    if (bus === 'redis') await disturb();
    const readers = await Promise.all(
      [one, ...processes.slice(1)].map(async (server, n) => {
        const reader = await connect(server, 19 + n);
        for (const room of rooms) await reader.request('room:join', { room });
        return reader;
      }),
    );
    const acknowledged = new Map<string, Message>();
    const total = senders * each;
    const places = [one, ...processes].map(({ url }) => ({ url }));
    const sending = Promise.all(Array.from({ length: senders }, (_, n) => roam(n + 1, places, acknowledged)));
    for (let kill = 1; kill <= kills; kill++) {
      const moment = Math.floor((total / (kills + 1)) * (kill - 0.5 + randomInt(1000) / 1000));
      await expect.poll(() => acknowledged.size, { interval: 5 }).toBeGreaterThan(moment);
      await [line?.mend, line?.cut, () => line?.mend(2000), line?.cut][kill % 4]?.();
      if (kind === 'postgres' && kill % 3 === 1) await crashDatabase();
      const killed = first();
      await killed.stop('SIGKILL');
      // A server cannot start while its database starts.
      await expect.poll(() => history.query('SELECT 1').catch(() => [])).not.toEqual([]);
      processes[0] = await nextChatServer(settings(killed.port));
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
  });

  test(`hide users of a server suspended for ${suspendedSeconds} s from presence until it resumes`, async () => {
    await line?.mend();
    const other = first();
    const watcher = await Tab.open(one.url, 'PHPSESSID=u1', 'lobby');
    const ann = watcher.client;
    closing.push(() => ann.close());
    const bob = await connect(other, 2);
    // This user is connected to both servers.
    for (const server of [one, other])
      await (await connect(server, 3)).request('room:join', { room: 'lobby' });
    const [dan, fay] = [await connect(other, 4), await connect(other, 6)];
    for (const client of [bob, dan, fay]) await client.request('room:join', { room: 'lobby' });
    const shown = () => [...watcher.present].sort().join();
    await expect.poll(shown).toBe('1,2,3,4,6');
    const made = { name: 'Both', kind: 'private' as const, members: ['2'], clientId: newClientId() };
    const { id } = (await ann.request('room:create', made)).room;
    await eventOf(bob, 'room:added').toMatchObject({ id });
    for (const client of [ann, bob]) await client.request('room:join', { room: id });

    other.signal('SIGSTOP');
    const stoppedAt = performance.now();
    await ann.request('typing:set', { room: 'lobby', typing: true });
    await ann.request('room:remove', { room: id, user: '2' });
    await say(ann, id, 'he is gone');
    expect(await api(one, 'DELETE', '/users/4/connections')).toEqual({ closed: 0 });
    await expect.poll(shown).toBe('1,3');
    expect(watcher.count).toBe(2);
    await pause(Math.max(0, suspendedSeconds * 1000 - (performance.now() - stoppedAt)));

    other.process.kill('SIGCONT');
    expect((await dan.ended).reason).toBe('kicked');
    await eventOf(bob, 'room:removed').toMatchObject({ room: id, reason: 'removed' });
    await expect.poll(shown).toBe('1,2,3,6');
    const message = await say(ann, 'lobby', 'now');
    await expect.poll(() => bob.messages()).toEqual([message]);
    expect(fay.events.map(({ name }) => name)).not.toContain('typing:changed');
  });

  describe('after the kill of a server during an erasure and moderation', () => {
    const acknowledged: string[] = [];
    const open: (() => unknown)[] = [];
    let there: ChatClient;
    let bob: ChatClient;
    let watcher: Tab;
    /** An erasure deletes 30 messages at a time. */
    const theirs = size(1000, 500);
    const secrets = ['user 7', 'secret order', 'secret reason'] as const;
    let before: string[][];
    beforeAll(async () => {
      const killed = first();
      watcher = await Tab.open(one.url, 'PHPSESSID=u1', 'lobby');
      closing.push(() => watcher.client.close());
      await (await connect(killed, 5)).request('room:join', { room: 'lobby' });
      await vi.waitUntil(() => watcher.present.has('5'), { timeout: hanging });
      await api(one, 'PUT', '/rooms/hall', { name: 'hall', kind: 'public' });
      const ann = await connect(killed, 7);
      [there, bob] = [await connect(one, 7), await connect(one, 8)];
      open.push(...closing.splice(0));
      await ann.request('room:join', { room: 'hall' });
      const writing = await openDatabase(history.url, undefined, {
        ...{ self: 'who writes much', look: 3_600_000 },
        ...{ onSaid() {}, onForeign() {} },
      });
      const user = { id: '7', name: 'user 7' };
      const message = { room: 'hall', user, text: 'of ann', sentAt: Date.now(), asMember: false };
      await Promise.all(
        Array.from({ length: theirs }, () => writing.write.send({ ...message, clientId: newClientId() })),
      );
      await writing.close();
      await bob.request('room:join', { room: 'hall' });
      await bob.request('user:block', { user: '7', blocked: true });
      await api(one, 'POST', '/users/7/push', { name: 'order', data: 'secret order' });
      const made = { name: 'den', kind: 'private' as const, members: ['7'], clientId: newClientId() };
      const { room } = await bob.request('room:create', made);
      await bob.request('room:mute', { room: room.id, user: '7', reason: 'secret reason' });
      await vi.waitUntil(async () => (await count('chat_audit')) > 0, { timeout: hanging });
      before = await Promise.all(secrets.map((secret) => history.holding(secret)));

      let isKilled = false;
      const workers = [one, killed].map(async (server, worker) => {
        for (let n = 0; !(isKilled && server === one); n++) {
          const room = `den-${worker}-${n}`;
          const path = `/rooms/${room}`;
          await api(server, 'PUT', path, { name: room, kind: 'private' });
          const { error } = await api(server, 'DELETE', path);
          if (error === undefined) acknowledged.push(room);
          await pause(20);
        }
      });
      // Requests to the killed server fail.
      const acting = Promise.allSettled(workers);
      // Without the bus the killed server is the first to see the erasure, so it holds the lease.
      await line?.cut();
      await api(killed, 'DELETE', '/users/7?messages=delete');
      const isBegun = async () => (await count(`chat_messages WHERE user_id = '0'`)) > 0;
      await vi.waitUntil(isBegun, { timeout: hanging, interval: 5 });
      const kill = killed.stop('SIGKILL');
      expect(await count(`chat_messages WHERE user_id = '7'`)).toBeGreaterThan(0);
      await kill;
      await line?.mend();
      isKilled = true;
      await acting;
    });
    afterAll(async () => {
      for (const close of open) await close();
    });

    test('users of that server leave presence', async () => {
      await expect.poll(() => [...watcher.present]).toEqual(['1']);
    });

    test('another server completes the erasure', async () => {
      expect(before.map((tables) => tables.length > 0)).toEqual([true, true, true]);
      await eventOf(there, 'session:ended').toEqual({ reason: 'kicked' });
      await eventOf(bob, 'blocked:changed').toEqual({ user: '7', blocked: false });
      await expect.poll(() => count('chat_erasures')).toBe(0);
      expect(await count(`chat_messages WHERE user_id = '7'`)).toBe(0);
      await eventOf(bob, 'room:reset').toEqual({ room: 'hall' });
      expect(bob.events.filter(({ name }) => name === 'room:reset')).toHaveLength(1);
      const { messages, room } = await bob.request('room:join', { room: 'hall' });
      expect(messages.filter(({ text, user }) => text !== '' || user.id !== '0')).toEqual([]);
      expect(room).toMatchObject({ members: 1, head: theirs + 1 });
      for (const secret of secrets) expect(await history.holding(secret), secret).toEqual([]);
    });

    test('each acknowledged action is listed exactly once in the audit log', async () => {
      const listed = async () => {
        const found: string[] = [];
        for (let next: string | undefined = ''; next !== undefined; ) {
          const page = await api(one, 'GET', `/audit?cursor=${next}`);
          found.push(
            ...(page.acts as { kind: string; room?: string }[]).map((act) => `${act.kind} ${act.room}`),
          );
          next = page.next as string | undefined;
        }
        return found.filter((act) => act.startsWith('room_deleted den-'));
      };
      expect(acknowledged.length).toBeGreaterThan(0);
      const missing = async () => {
        const found = await listed();
        return acknowledged.filter((room) => !found.includes(`room_deleted ${room}`));
      };
      await expect.poll(missing).toEqual([]);
      const found = await listed();
      expect(found).toHaveLength(new Set(found).size);
    });
  });

  // Last, because afterwards the servers are stopped, and reject the old history. Once for each kind of database.
  if (soak && (kind === 'postgres') === (bus === 'redis'))
    test('lose no acknowledged message when the history is moved while a server is killed', async () => {
      await line?.mend();
      const to = historyFolder();
      closing.push(to.remove);
      const acknowledged = new Map<string, Message>();
      const places = [one, ...processes].map(({ url }) => ({ url }));
      const sending = Promise.all(
        Array.from({ length: senders }, (_, n) => roam(n + 1 + senders, places, acknowledged)),
      );
      const args = ['server/command/main.ts', 'move', '--to', to.url, '--settings='];
      const env = { PATH: process.env.PATH, CHAT_HISTORY: history.url };
      const move = startChild(process.execPath, args, { cwd: root, env });
      for (let kill = 1; kill <= 3; kill++) {
        const sent = acknowledged.size;
        await expect.poll(() => acknowledged.size, { interval: 5 }).toBeGreaterThan(sent + each / 4);
        await first().stop('SIGKILL');
        processes[0] = await nextChatServer(settings(first().port));
      }
      await sending;
      await move.until(/All rows are copied and compared/);
      await Promise.all([one, ...processes].map((server) => server.stop()));
      await move.until(/✓ Copied and compared/);
      const copy = await openReads(placeOf(to));
      const found: string[] = [];
      for (const room of rooms) {
        const upTo = Number.MAX_SAFE_INTEGER;
        for (let after = 0; ; ) {
          const { messages } = await copy.read.after({ room, after, upTo, limit: 100 });
          found.push(...messages.map(({ clientId, user }) => `${user.id} ${clientId}`));
          const last = messages.at(-1);
          if (last === undefined) break;
          after = last.seq;
        }
      }
      await copy.close();
      expect(found).toHaveLength(new Set(found).size);
      const sent = [...acknowledged.values()].map(({ clientId, user }) => `${user.id} ${clientId}`);
      expect(sent).toHaveLength(senders * each);
      expect(found).toEqual(expect.arrayContaining(sent));
    });
});
