import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { type ChatServer, nextChatServer } from '../../helpers/chat-server.ts';
import { type Child, ownPort, startChild } from '../../helpers/child.ts';
import { reachable } from '../../helpers/memcached.ts';

const folder = mkdtempSync(join(tmpdir(), 'signed-sessions-'));
const keyFile = join(folder, 'keys');
const key = randomBytes(32).toString('base64');
writeFileSync(keyFile, `${key}\n`);

const user = { id: '9223372036854775807', name: 'Zoë 张伟' };

/** A site that stores its users in `TableSession`s of php/src, and its chat. */
let site: Child & { url: string };
let chat: ChatServer;
beforeAll(async () => {
  const database = `sqlite:${folder}/site.db`;
  const port = await ownPort();
  const script = fileURLToPath(new URL('../../fixtures/table-site.php', import.meta.url));
  const env = { ...process.env, DATABASE_URL: database, KEY_FILE: keyFile };
  const child = startChild('php', ['-S', `127.0.0.1:${port}`, script], { env });
  await reachable(port, child);
  site = Object.assign(child, { url: `http://127.0.0.1:${port}` });
  await page('/setup');
  chat = await nextChatServer({
    CHAT_SESSION_STORE: `${database}?table=sessions&id=id&data=data&expires=expires&format=json&timeout=3000ms`,
    CHAT_SESSION_NAME: 'SESSION',
    CHAT_SESSION_COOKIE: `signed:${keyFile}`,
    CHAT_USER_ID: 'app.user.id',
    CHAT_USER_NAME: 'first\\.name 张\\\\',
  });
});
afterAll(async () => {
  await chat.stop();
  await site.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  expect(site.output()).not.toMatch(/Warning|Deprecated|Fatal|SQLSTATE/);
});

/** Requests a page. @returns the browser’s cookie after it: `SESSION=ID.SIGNATURE` */
async function page(path: string, cookie = ''): Promise<string> {
  const answer = await fetch(site.url + path, { headers: { cookie } });
  expect(answer.status).toBe(200);
  const [set] = answer.headers.getSetCookie();
  return set?.split(';')[0] ?? cookie;
}

test('accepts the cookie or value of a TableSession until the logout', async () => {
  const cookie = await page('/login');
  const value = cookie.replace('SESSION=', '');
  const clients = [
    await connectChat(chat.url, cookie),
    await connectChat(chat.url, cookie, { transports: ['polling', 'websocket'] }),
    await connectChat(chat.url, null, { auth: { session: value } }),
  ];
  // Pages that change the session leave its connections open.
  await page('/page', cookie);
  clients.push(await connectChat(chat.url, cookie));
  for (const client of clients) expect(client.ready.user).toEqual(user);
  await page('/logout', cookie);
  for (const client of clients) expect((await client.ended).reason).toBe('logout');
  expect((await refusalOf(connectChat(chat.url, cookie))).message).toBe('unauthorized');
  for (const secret of [value, value.slice(0, 32), key]) expect(chat.output()).not.toContain(secret);
});

test('rejects the old session ID after the login moved to another', async () => {
  const old = await page('/login');
  const cookie = await page('/move', old);
  expect(cookie).not.toBe(old);
  expect((await refusalOf(connectChat(chat.url, old))).message).toBe('unauthorized');
  const client = await connectChat(chat.url, cookie);
  expect(client.ready.user).toEqual(user);
  client.close();
});

test('rejects a session ID alone or with another signature', async () => {
  const cookie = await page('/login');
  const other = await page('/login');
  const [id] = cookie.split('.');
  for (const value of [`${id}`, `${id}.${other.split('.')[1]}`]) {
    expect((await refusalOf(connectChat(chat.url, value))).message).toBe('unauthorized');
    const session = value.replace('SESSION=', '');
    expect((await refusalOf(connectChat(chat.url, null, { auth: { session } }))).message).toBe(
      'unauthorized',
    );
  }
});
