import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { apiKey, env } from '../helpers/fault-scenario.ts';
import { faultyDisk } from '../helpers/faulty-disk.ts';
import { startFaultyLine } from '../helpers/faulty-line.ts';
import { mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { protocols } from '../helpers/protocols.ts';
import { size, soak } from './size.ts';

/** A history whose server can be killed at a call. */
interface Weak {
  settings: NodeJS.ProcessEnv;
  /** @param kill ends the server */
  killAt(nth: number, kill: () => void): void;
  /** Whether it was killed; if not, it is not any more. */
  killed(): boolean;
  /** The number of rows of a table, perhaps of some alone. */
  count(rows: string): Promise<number>;
  holding?(text: string): Promise<string[]>;
}

const closing: (() => unknown)[] = [];
let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
});
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await memcached.stop();
});

async function behindLine(kind: 'PostgreSQL' | 'MariaDB'): Promise<Weak> {
  const [server, database, protocol] = await (async () => {
    if (kind === 'MariaDB') {
      const mariadb = await startMariadb();
      return [mariadb, await mariadbDatabase(mariadb), protocols.mariadb] as const;
    }
    const postgres = await startPostgres();
    return [postgres, await postgresDatabase(postgres), protocols.postgres] as const;
  })();
  const line = await startFaultyLine(server.port, protocol);
  closing.push(
    () => server.remove(),
    () => database.close(),
    () => line.close(),
  );
  return {
    settings: { CHAT_HISTORY: database.url.replace(`:${server.port}/`, `:${line.port}/`) },
    // Whether the database still carries it out alternates.
    killAt: (nth, kill) => line.fail(nth, nth % 2 === 0 ? 'cut before' : 'cut after', kill),
    killed: () => line.failed() !== null,
    count: async (rows) => Number((await database.query(`SELECT count(*) AS n FROM ${rows}`))[0]?.n),
    holding: database.holding,
  };
}

const histories: Record<string, () => Promise<Weak>> = {
  PostgreSQL: () => behindLine('PostgreSQL'),
  MariaDB: () => behindLine('MariaDB'),
  async SQLite() {
    const [disk, folder] = [faultyDisk(false), historyFolder()];
    closing.push(
      () => folder.remove(),
      () => disk.close(),
    );
    return {
      settings: { ...disk.env, CHAT_HISTORY: folder.url, CHAT_FILES: folder.files },
      killAt: (nth) => disk.fail(nth, 'killed'),
      killed: () => disk.failed() !== null,
      async count(rows) {
        const file = new DatabaseSync(folder.path, { readOnly: true });
        const found = file.prepare(`SELECT count(*) AS n FROM ${rows}`).get();
        file.close();
        return Number(found?.n);
      },
    };
  },
};

const headers = { authorization: `Bearer ${apiKey}` };
const tryEvery = 20;
let users = 0;

const isRunning = ({ process }: ChatServer) => process.exitCode === null && process.signalCode === null;

async function newcomer(url: string, roles: string[] = []): Promise<ChatClient> {
  const user = `user${users++}`;
  await memcached.set(`sessions/${user}`, JSON.stringify({ user_id: user, roles }));
  const client = await connectChat(url, `PHPSESSID=${user}`);
  await client.request('room:join', { room: 'lobby' });
  return client;
}

// cluster.test.ts shows in each run that an erasure outlives the server that carries it out.
if (soak) {
  test.concurrent.for(Object.keys(histories))(
    '%s: an erasure that was accepted outlives kill -9 at each call of it, and of an export',
    { timeout: 3_600_000 },
    async (name) => {
      const weak = await (histories[name] as () => Promise<Weak>)();
      const start = () => startChatServer({ ...env, ...weak.settings, CHAT_SESSION_STORE: memcached.url });
      let server = await start();
      closing.push(() => server.stop('SIGKILL'));
      let kills = 0;
      for (let nth = 1, killed = true; killed && kills < 1000; nth++) {
        const client = await newcomer(server.url);
        const { id } = client.ready.user;
        const sent = { room: 'lobby', text: `text of ${id}`, clientId: newClientId() };
        const { message } = await client.request('message:send', sent);
        await client.request('message:react', { room: 'lobby', seq: message.seq, emoji: '👍', on: true });
        const ask = (method: string, path: string) =>
          fetch(`${server.url}/api/users/${id}${path}`, { method, headers });
        const erase = async () => (await ask('DELETE', '?messages=delete')).status === 202;
        // How many have not come to their end.
        const erasures = () => weak.count('chat_erasures');
        weak.killAt(nth, () => server.signal('SIGKILL'));
        await ask('GET', '/export')
          .then((answer) => answer.arrayBuffer())
          .catch(() => {});
        const accepted = await erase().catch(() => false);
        while (isRunning(server) && (await erasures()) !== 0) await pause(tryEvery);
        client.close();
        killed = weak.killed();
        if (killed) {
          kills++;
          await server.stop('SIGKILL');
          server = await start();
        }
        // Nothing was promised before.
        if (!accepted) expect(await erase()).toBe(true);

        const again = await newcomer(server.url);
        const page = { room: 'lobby', before: message.seq + 1, limit: 1 } as const;
        const left = async () => (await again.request('message:history', page)).messages;
        while ((await erasures()) !== 0) await pause(tryEvery);
        expect(await left()).toMatchObject([{ seq: message.seq, text: '', user: { id: '0' } }]);
        expect((await ask('GET', '')).status).toBe(404);
        expect((await weak.holding?.(id)) ?? []).toEqual([]);
        again.close();
      }
      expect(kills).toBeGreaterThan(0);
      console.log(`${name}: killed at ${kills} calls`);
    },
  );
}

test.concurrent.for(size(Object.keys(histories), ['SQLite']))(
  '%s: a moderator’s decision on a message that waits is listed exactly once, and the message is there once or never, after kill -9 at each call of it',
  { timeout: size(3_600_000, 120_000) },
  async (name) => {
    const weak = await (histories[name] as () => Promise<Weak>)();
    const settings = { ...env, ...weak.settings, CHAT_SESSION_STORE: memcached.url, CHAT_HOLD: 'all' };
    let server = await startChatServer(settings);
    closing.push(() => server.stop('SIGKILL'));
    const acts = () => weak.count("chat_audit WHERE act IN ('approved', 'rejected')");
    let [decided, kills] = [0, 0];
    for (const how of size(['approve', 'reject'] as const, ['approve'] as const)) {
      for (let nth = size(1, 2), killed = true; killed && nth <= size(1000, 2); nth++) {
        const author = await newcomer(server.url);
        const text = `text of ${author.ready.user.id}`;
        await author.raw('message:send', { room: 'lobby', text, clientId: newClientId() });
        author.close();
        const waiting = async (moderator: ChatClient) =>
          (await moderator.request('held:list', {})).held.find((one) => one.text === text);
        const moderator = await newcomer(server.url, ['moderator']);
        const { id } = (await waiting(moderator)) as { id: string };
        weak.killAt(nth, () => server.signal('SIGKILL'));
        await moderator.request(`held:${how}`, { id }).catch(() => {});
        while (isRunning(server) && (await acts()) === decided) await pause(tryEvery);
        moderator.close();
        killed = weak.killed();
        if (killed) {
          kills++;
          await server.stop('SIGKILL');
          server = await startChatServer(settings);
        }
        const again = await newcomer(server.url, ['moderator']);
        // Nothing was promised before.
        if ((await waiting(again)) !== undefined) await again.request(`held:${how}`, { id });
        decided++;
        while ((await acts()) < decided) await pause(tryEvery);
        const { messages } = await again.request('message:history', { room: 'lobby' });
        const isThere = how === 'approve' ? 1 : 0;
        expect(messages.filter((message) => message.text === text)).toHaveLength(isThere);
        // An act that is listed twice would be so by the time of the next decision.
        expect(await acts()).toBe(decided);
        again.close();
      }
    }
    expect(kills).toBeGreaterThan(0);
    console.log(`${name}: killed at ${kills} calls of ${decided} decisions`);
  },
);
