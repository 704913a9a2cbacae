import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { soak } from '../../guarantees/size.ts';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { type ChatServer, nextChatServer } from '../../helpers/chat-server.ts';
import { type Child, ownPort, startChild } from '../../helpers/child.ts';
import { startMariadb } from '../../helpers/mariadb.ts';
import { reachable } from '../../helpers/memcached.ts';
import { startPostgres } from '../../helpers/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'signed-sessions-'));
const keyFile = join(folder, 'keys');
const key = randomBytes(32).toString('base64');
writeFileSync(keyFile, `${key}\n`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const user = { id: '9223372036854775807', name: 'Zoë 张伟' };

type Start = () => Promise<{ url: string; remove(): Promise<void> | void }>;

/** SQLite tests the common behaviour; the other databases are in the soak run. */
const databases: [name: string, start: Start][] = [
  ['SQLite', async () => ({ url: `sqlite:${folder}/site.db`, remove() {} })],
  [
    'MariaDB',
    async () => {
      const db = await startMariadb();
      return { url: `mariadb://${db.login}@127.0.0.1:${db.port}/site`, remove: () => db.remove() };
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const db = await startPostgres();
      await db.query('GRANT ALL ON SCHEMA public TO site');
      return { url: `postgres://${db.login}@127.0.0.1:${db.port}/site`, remove: () => db.remove() };
    },
  ],
];

/** A site with its users in `TableSession`s of php-app/src/Session, and the chat of that site. */
describe.each(soak ? databases : databases.slice(0, 1))(
  'a session without PHP sessions, in %s',
  (_, start) => {
    let database: Awaited<ReturnType<typeof start>>;
    let site: Child & { url: string };
    let chat: ChatServer;

    beforeAll(async () => {
      database = await start();
      const port = await ownPort();
      const child = startChild(
        'php',
        ['-S', `127.0.0.1:${port}`, new URL('../../fixtures/table-site.php', import.meta.url).pathname],
        { env: { ...process.env, DATABASE_URL: database.url, KEY_FILE: keyFile } },
      );
      await reachable(port, child);
      site = Object.assign(child, { url: `http://127.0.0.1:${port}` });
      await page('/setup');
      chat = await nextChatServer({
        CHAT_SESSION_STORE: `${database.url}?table=sessions&id=id&data=data&expires=expires&format=json&timeout=3000ms`,
        CHAT_SESSION_NAME: 'SESSION',
        CHAT_SESSION_COOKIE: `signed:${keyFile}`,
        CHAT_USER_ID: 'app.user.id',
        CHAT_USER_NAME: 'first\\.name 张\\\\',
      });
    });
    afterAll(async () => {
      await chat?.stop();
      await site?.stop();
      await database?.remove();
    });
    afterEach(() => {
      expect(site.output()).not.toMatch(/Warning|Deprecated|Fatal|SQLSTATE/);
    });

    /** The cookie of the browser after that page: `SESSION=ID.SIGNATURE`. */
    async function page(path: string, cookie = ''): Promise<string> {
      const answer = await fetch(site.url + path, { headers: { cookie } });
      expect(answer.status).toBe(200);
      const [set] = answer.headers.getSetCookie();
      return set?.split(';')[0] ?? cookie;
    }

    test('the chat knows the user, by the cookie and by its value, and a logout ends the connections within 10 s', async () => {
      const cookie = await page('/login');
      const value = cookie.replace('SESSION=', '');
      const clients = [
        await connectChat(chat.url, cookie),
        await connectChat(chat.url, cookie, { transports: ['polling', 'websocket'] }),
        await connectChat(chat.url, null, { auth: { session: value } }),
      ];
      for (const client of clients) expect(client.ready.user).toEqual(user);
      // Pages that change the session leave its connections open.
      await page('/page', cookie);
      const later = await connectChat(chat.url, cookie);
      expect(later.ready.user).toEqual(user);
      await page('/logout', cookie);
      for (const client of [...clients, later]) {
        expect((await client.ended).reason).toBe('logout');
      }
      expect((await refusalOf(connectChat(chat.url, cookie))).message).toBe('unauthorized');
      for (const secret of [value, value.slice(0, 32), key]) expect(chat.output()).not.toContain(secret);
    });

    test('unauthorized under the old id of a login with a new one', async () => {
      const old = await page('/login');
      const cookie = await page('/move', old);
      expect(cookie).not.toBe(old);
      expect((await refusalOf(connectChat(chat.url, old))).message).toBe('unauthorized');
      const client = await connectChat(chat.url, cookie);
      expect(client.ready.user).toEqual(user);
      client.close();
    });

    test('unauthorized with the id alone, or with another signature', async () => {
      const cookie = await page('/login');
      const other = await page('/login');
      const [id] = cookie.split('.');
      const values = [
        `${id}`,
        `${id}.${other.split('.')[1]}`,
        `${cookie.slice(0, -1)}${cookie.endsWith('0') ? 1 : 0}`,
      ];
      for (const value of values) {
        expect((await refusalOf(connectChat(chat.url, value))).message).toBe('unauthorized');
        const session = value.replace('SESSION=', '');
        const refused = await refusalOf(connectChat(chat.url, null, { auth: { session } }));
        expect(refused.message).toBe('unauthorized');
      }
    });
  },
);
