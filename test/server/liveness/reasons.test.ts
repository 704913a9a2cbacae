import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { connectChat } from '../../helpers/chat-client.ts';
import { type ChatServer, nextChatServer } from '../../helpers/chat-server.ts';
import { phpRequest } from '../../helpers/php-request.ts';
import { startRedis } from '../../helpers/redis.ts';

interface Site {
  chat: ChatServer;
  /** Writes a session that expires in this many seconds; null: never. */
  write(id: string, bytes: string, seconds: number | null): Promise<unknown>;
  /** The site makes it expire in this many seconds. */
  expire(id: string, seconds: number): Promise<unknown>;
  remove(id: string): Promise<unknown>;
  /** A logout that empties the session and leaves its record. */
  empty(id: string): unknown;
  close(): Promise<void>;
}

const record = 'user_id|i:7;';
const lifetime = 1440;

async function files(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  const path = (id: string) => join(folder, `sess_${id}`);
  const expire = async (id: string, seconds: number) => {
    const used = Date.now() / 1000 - lifetime + seconds;
    utimesSync(path(id), used, used);
  };
  const chat = await nextChatServer({ CHAT_SESSION_STORE: `file://${folder}?lifetime=${lifetime}` });
  return {
    chat,
    expire,
    async write(id, bytes, seconds) {
      writeFileSync(path(id), bytes);
      await expire(id, seconds ?? 86_400);
    },
    remove: async (id) => rmSync(path(id)),
    empty: (id) => phpRequest({ 'session.save_path': folder }, 'session_unset()', id),
    async close() {
      await chat.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function redis(): Promise<Site> {
  const server = await startRedis(['--notify-keyspace-events', 'Egx']);
  // Only Redis's notification can show it, because no regular check comes in time.
  const chat = await nextChatServer({
    CHAT_SESSION_STORE: `redis://127.0.0.1:${server.port}`,
    CHAT_SESSION_CHECK: '1m',
  });
  await chat.until(/store notifications are active/);
  const key = (id: string) => `PHPREDIS_SESSION:${id}`;
  const php = { 'session.save_handler': 'redis', 'session.save_path': `tcp://127.0.0.1:${server.port}` };
  return {
    chat,
    write: (id, bytes, seconds) =>
      seconds === null
        ? server.ask('SET', key(id), bytes)
        : server.ask('SETEX', key(id), String(seconds), bytes),
    expire: (id, seconds) => server.ask('EXPIRE', key(id), String(seconds)),
    remove: (id) => server.ask('DEL', key(id)),
    empty: (id) => phpRequest(php, 'session_unset()', id),
    async close() {
      await chat.stop();
      await server.remove();
    },
  };
}

let sessions = 0;
const newId = () => `s${String(++sessions).padStart(25, '0')}`;
const endOf = async (chat: ChatServer, id: string) => {
  const client = await connectChat(chat.url, `PHPSESSID=${id}`);
  return async () => (await client.ended).reason;
};

// They mostly wait.
describe.concurrent.each([
  ['PHP’s files', files, true],
  ['Redis, notified only', redis, false],
] as const)('why a session with an open connection has ended, in %s', (_, start, keepsExpired) => {
  let site: Site;
  beforeAll(async () => {
    site = await start();
  });
  afterAll(() => site.close());

  const open = async (seconds: number | null) => {
    const id = newId();
    await site.write(id, record, seconds);
    return { id, reason: await endOf(site.chat, id) };
  };

  /** It lives only so much longer than this machine takes to connect. */
  const openShort = async () => {
    for (let seconds = 5; ; seconds *= 2) {
      const opened = await open(seconds).catch(({ message }: Error) => message);
      if (typeof opened === 'object') return opened;
      if (opened !== 'unauthorized') throw new Error(opened);
    }
  };

  test('its TTL was short from the beginning, or is shortened: expired', async ({ expect }) => {
    const shortened = await Promise.all([open(1000), open(null)]);
    const short = await Promise.all(Array.from({ length: 8 }, openShort));
    // A check has to see it before the record is gone.
    for (const { id } of shortened) await site.expire(id, 8);
    const reasons = await Promise.all([...short, ...shortened].map(({ reason }) => reason()));
    expect(reasons).toEqual(reasons.map(() => 'expired'));
  });

  if (keepsExpired) {
    test('the site makes it expire in the past: expired', async ({ expect }) => {
      const one = await open(1000);
      await site.expire(one.id, -60);
      expect(await one.reason()).toBe('expired');
    });
  }

  test('its user is taken out of it, it is emptied, or removed, long before its end: logout', async ({
    expect,
  }) => {
    const ones = await Promise.all([open(1000), open(1000), open(1000)]);
    const [out, emptied, removed] = ones;
    await site.write(out.id, 'lang|s:2:"de";', 1000);
    await site.remove(removed.id);
    await site.empty(emptied.id);
    for (const one of ones) expect(await one.reason()).toBe('logout');
  });
});

// These take a moment each, so that one process of the server after the other serves for all of them.
test('PHP empties a session in any other format: logout', async ({ expect, onTestFinished }) => {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const formats = size(['php_binary', 'php_serialize', 'igbinary', 'msgpack'], ['igbinary']);
  for (const format of formats) {
    const chat = await nextChatServer({ CHAT_SESSION_STORE: `file://${folder}?format=${format}` });
    const php = { 'session.save_path': folder, 'session.serialize_handler': format };
    const id = phpRequest(php, '$_SESSION["user_id"] = 7');
    const reason = await endOf(chat, id);
    phpRequest(php, 'session_unset()', id);
    expect(await reason(), format).toBe('logout');
    await chat.stop();
  }
});

test('a handler of one’s own empties a session in JSON: logout', async ({ expect, onTestFinished }) => {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const chat = await nextChatServer({ CHAT_SESSION_STORE: `file://${folder}?format=json` });
  onTestFinished(async () => void (await chat.stop()));
  const empty = ['', '[]', '{}', 'null'];
  const reasons = await Promise.all(
    empty.map(async (bytes) => {
      const id = newId();
      writeFileSync(join(folder, `sess_${id}`), '{"user_id":7}');
      const reason = await endOf(chat, id);
      writeFileSync(join(folder, `sess_${id}`), bytes);
      return reason();
    }),
  );
  expect(reasons).toEqual(empty.map(() => 'logout'));
});
