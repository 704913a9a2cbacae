import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../../helpers/chat-server.ts';
import { type Postgres, startPostgres } from '../../helpers/postgres.ts';

interface Site {
  chat: ChatServer;
  /** A session that ends in so many seconds; null: never. */
  write(id: string, bytes: string, seconds: number | null): Promise<unknown>;
  /** The site makes it end in so many seconds. */
  live(id: string, seconds: number): Promise<unknown>;
  remove(id: string): Promise<unknown>;
  close(): Promise<void>;
}

const lifetime = 1440;

async function files(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  const path = (id: string) => join(folder, `sess_${id}`);
  const live = async (id: string, seconds: number) => {
    const used = Date.now() / 1000 - lifetime + seconds;
    utimesSync(path(id), used, used);
  };
  const chat = await startChatServer({ CHAT_SESSION_STORE: `file://${folder}?lifetime=${lifetime}` });
  return {
    chat,
    live,
    async write(id, bytes, seconds) {
      writeFileSync(path(id), bytes);
      await live(id, seconds ?? 86_400);
    },
    remove: async (id) => rmSync(path(id)),
    async close() {
      await chat.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function postgres(): Promise<Site> {
  const server: Postgres = await startPostgres();
  await server.query('CREATE TABLE sessions (id text PRIMARY KEY, data bytea, expires bigint)');
  const chat = await startChatServer({
    CHAT_SESSION_STORE: `postgres://${server.login}@127.0.0.1:${server.port}/site?table=sessions&id=id&data=data&expires=expires`,
  });
  const live = (id: string, seconds: number | null) =>
    server.query('UPDATE sessions SET expires = extract(epoch FROM now()) + $2::int WHERE id = $1', [
      id,
      seconds,
    ]);
  return {
    chat,
    live,
    async write(id, bytes, seconds) {
      await server.query(
        'INSERT INTO sessions (id, data) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET data = $2',
        [id, Buffer.from(bytes)],
      );
      await live(id, seconds);
    },
    remove: (id) => server.query('DELETE FROM sessions WHERE id = $1', [id]),
    async close() {
      await chat.stop();
      await server.remove();
    },
  };
}

describe.each([
  ['PHP’s files', files],
  ['PostgreSQL', postgres],
])('why a session with an open connection has ended, in %s', (_, start) => {
  let site: Site;
  beforeAll(async () => {
    site = await start();
  });
  afterAll(() => site.close());

  let sessions = 0;
  const open = async (seconds: number | null) => {
    const id = `s${++sessions}`.padEnd(26, '0');
    await site.write(id, 'user_id|i:7;', seconds);
    return { id, client: await connectChat(site.chat.url, `PHPSESSID=${id}`) };
  };
  const reason = async ({ client }: Awaited<ReturnType<typeof open>>) => (await client.ended).reason;

  test('its life was short from the beginning, or is made to be over, or short: expired', async () => {
    const [short, over, shortened, endless] = await Promise.all([
      open(3),
      open(1000),
      open(1000),
      open(null),
    ]);
    await site.live(over.id, -60);
    await site.live(shortened.id, 2);
    await site.live(endless.id, 2);
    for (const one of [short, over, shortened, endless]) expect(await reason(one)).toBe('expired');
  });

  test('its user is taken out of it, or it is removed, long before its end: logout', async () => {
    const [out, removed] = await Promise.all([open(1000), open(1000)]);
    await site.write(out.id, 'lang|s:2:"de";', 1000);
    await site.remove(removed.id);
    for (const one of [out, removed]) expect(await reason(one)).toBe('logout');
  });
});
