import { randomInt } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { env } from '../helpers/fault-scenario.ts';
import { faultyDisk } from '../helpers/faulty-disk.ts';
import { startFaultyLine } from '../helpers/faulty-line.ts';
import { mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { protocols } from '../helpers/protocols.ts';
import { size } from './size.ts';

/** A history whose server can be killed at a certain call. */
interface Weak {
  settings: NodeJS.ProcessEnv;
  /** Kills the server at this call. @param kill ends the server */
  killAt(nth: number, kill: () => void): void;
  /** Whether the server was killed. If not, the kill is cancelled. */
  killed(): boolean;
  /** Counts rows. @param rows a table, perhaps with a condition */
  count(rows: string): Promise<number>;
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
    // Alternates whether the database still runs the call.
    killAt: (nth, kill) => line.fail(nth, nth % 2 === 0 ? 'cut before' : 'cut after', kill),
    killed: () => line.failed() !== null,
    count: async (rows) => Number((await database.query(`SELECT count(*) AS n FROM ${rows}`))[0]?.n),
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

const tryEvery = 20;
/** In a soak run, the server is killed at every third call. */
const step = 3;
/** Varies, so that soak runs kill it at different calls. */
const first = () => size(1 + randomInt(step), 2);

let users = 0;

const isRunning = ({ process }: ChatServer) => process.exitCode === null && process.signalCode === null;

async function newcomer(url: string, roles: string[] = []): Promise<ChatClient> {
  const user = `user${users++}`;
  await memcached.set(`sessions/${user}`, JSON.stringify({ user_id: user, roles }));
  const client = await connectChat(url, `PHPSESSID=${user}`);
  await client.request('room:join', { room: 'lobby' });
  return client;
}

test.concurrent.for(size(Object.keys(histories), ['SQLite']))(
  `%s: lists a moderator’s decision exactly once after kill -9 at ${size('every third', 'the second')} call to the history`,
  { timeout: size(3_600_000, 120_000) },
  async (name) => {
    const weak = await (histories[name] as () => Promise<Weak>)();
    const settings = { ...env, ...weak.settings, CHAT_SESSION_STORE: memcached.url, CHAT_HOLD: 'all' };
    let server = await startChatServer(settings);
    closing.push(() => server.stop('SIGKILL'));
    const acts = () => weak.count("chat_audit WHERE act IN ('approved', 'rejected')");
    let [decided, kills] = [0, 0];
    for (const how of size(['approve', 'reject'] as const, ['approve'] as const)) {
      for (let nth = first(), killed = true; killed && nth <= size(1000, 2); nth += step) {
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
        // An unacknowledged decision may be lost.
        if ((await waiting(again)) !== undefined) await again.request(`held:${how}`, { id });
        decided++;
        while ((await acts()) < decided) await pause(tryEvery);
        const { messages } = await again.request('message:history', { room: 'lobby' });
        const isThere = how === 'approve' ? 1 : 0;
        expect(messages.filter((message) => message.text === text)).toHaveLength(isThere);
        // A duplicate entry would exist by the time of the next decision.
        expect(await acts()).toBe(decided);
        again.close();
      }
    }
    expect(kills).toBeGreaterThan(0);
    console.log(`${name}: killed at ${kills} calls of ${decided} decisions`);
  },
);

test.concurrent.for(size(Object.keys(histories), ['SQLite']))(
  `%s: sends a scheduled message exactly once after kill -9 at ${size('every third', 'the second')} call to the history`,
  { timeout: size(3_600_000, 120_000) },
  async (name) => {
    const weak = await (histories[name] as () => Promise<Weak>)();
    const settings = { ...env, ...weak.settings, CHAT_SESSION_STORE: memcached.url };
    let server = await startChatServer(settings);
    closing.push(() => server.stop('SIGKILL'));
    const waiting = () => weak.count('chat_later');
    let kills = 0;
    for (let nth = first(), killed = true; killed && nth <= size(1000, 2); nth += step) {
      const author = await newcomer(server.url);
      const text = `text of ${author.ready.user.id}`;
      const sent = { room: 'lobby', text, clientId: newClientId(), at: Date.now() + 1000 };
      await author.request('scheduled:add', sent);
      author.close();
      // The server is killed before, while or after it sends the message.
      weak.killAt(nth, () => server.signal('SIGKILL'));
      while (isRunning(server) && (await waiting()) > 0) await pause(tryEvery);
      killed = weak.killed();
      if (killed) {
        kills++;
        await server.stop('SIGKILL');
        server = await startChatServer(settings);
      }
      while ((await waiting()) > 0) await pause(tryEvery);
      const reader = await newcomer(server.url);
      const { messages } = await reader.request('message:history', { room: 'lobby' });
      expect(messages.filter((message) => message.text === text)).toHaveLength(1);
      reader.close();
    }
    expect(kills).toBeGreaterThan(0);
    console.log(`${name}: killed at ${kills} calls`);
  },
);
