import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { type DokuWiki, startDokuWiki } from '../../helpers/dokuwiki.ts';
import { startMemcached } from '../../helpers/memcached.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** From a visitor to a user in the chat, out again, and in again. */
async function logInAndOut(wiki: DokuWiki, settings: NodeJS.ProcessEnv): Promise<void> {
  const chat = await startChatServer(settings);
  ending.push(() => chat.stop());

  const visitor = await wiki.visit();
  expect((await refusalOf(connectChat(chat.url, visitor))).message).toBe('unauthorized');

  const cookies = await wiki.login(visitor);
  const client = await connectChat(chat.url, cookies);
  expect(client.ready.user).toEqual({ id: 'ann', name: 'Ann Zoë' });
  await client.request('room:join', { room: 'lobby' });

  await wiki.logout(cookies);
  expect((await client.ended).reason).toBe('logout');
  await client.disconnected;
  expect((await refusalOf(connectChat(chat.url, cookies))).message).toBe('unauthorized');

  const refused = await chat.until(/^\{.*auth\.user is not".*\}$/m);
  expect(JSON.parse(refused[0])).toMatchObject({
    msg: 'a connection was refused',
    code: 'unauthorized',
    reason: expect.stringMatching(/^nobody is logged in: (.+\.auth) is there, \1\.user is not$/),
    hint: expect.stringContaining('elsewhere'),
  });
  const id = /DokuWiki=([^;]+)/.exec(cookies)?.[1] ?? '';
  expect(id).toMatch(/^[A-Za-z0-9,-]{22,}$/);
  for (const secret of [id, 'Zoë', 'example.org']) expect(chat.output()).not.toContain(secret);

  const again = await connectChat(chat.url, await wiki.login(await wiki.visit()));
  expect(again.ready.user.id).toBe('ann');
  again.close();
}

test('who is logged in to an unchanged DokuWiki is logged in to the chat, by two settings', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  ending.push(() => rmSync(folder, { recursive: true, force: true }));
  const wiki = await startDokuWiki({ 'session.save_handler': 'files', 'session.save_path': folder });
  ending.push(() => wiki.stop());
  await logInAndOut(wiki, { CHAT_PRESET: 'dokuwiki', CHAT_SESSION_STORE: `file://${folder}` });
});

test('with its sessions in memcached, in igbinary, and its key given in full', async () => {
  const memcached = await startMemcached();
  ending.push(() => memcached.stop());
  const wiki = await startDokuWiki({
    'session.save_handler': 'memcached',
    'session.save_path': `127.0.0.1:${memcached.port}`,
    'session.serialize_handler': 'igbinary',
  });
  ending.push(() => wiki.stop());
  const key = `DW${createHash('md5').update(`/${wiki.port}`).digest('hex')}`;
  await logInAndOut(wiki, {
    CHAT_PRESET: 'dokuwiki',
    CHAT_SESSION_STORE: `memcached://127.0.0.1:${memcached.port}?handler=memcached&format=igbinary`,
    CHAT_USER_ID: `${key}.auth.user`,
  });
});
