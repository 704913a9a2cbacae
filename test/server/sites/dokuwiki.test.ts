import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { nextChatServer } from '../../helpers/chat-server.ts';
import { startDokuWiki } from '../../helpers/dokuwiki.ts';

test('admits a user of an unchanged DokuWiki with two settings', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const wiki = await startDokuWiki({ 'session.save_handler': 'files', 'session.save_path': folder });
  onTestFinished(async () => void (await wiki.stop()));
  const chat = await nextChatServer({ CHAT_SITE: 'dokuwiki:', CHAT_SESSION_STORE: `file://${folder}` });
  onTestFinished(async () => void (await chat.stop()));
  const refusal = async (cookies: string) => (await refusalOf(connectChat(chat.url, cookies))).message;

  const visitor = await wiki.visit();
  expect(await refusal(visitor)).toBe('unauthorized');
  const cookies = await wiki.login(visitor);
  const client = await connectChat(chat.url, cookies);
  expect(client.ready.user).toEqual({ id: 'ann', name: 'Ann Zoë' });
  // DokuWiki does not accept the session alone.
  const own = cookies.split('; ').filter((each) => !/^DW[0-9a-f]{32}=/.test(each));
  for (const wrong of [own, [...own, `DW${'0'.repeat(32)}=YW5u|0|YQ==`]])
    expect(await refusal(wrong.join('; '))).toBe('unauthorized');

  await wiki.logout(cookies);
  expect((await client.ended).reason).toBe('logout');
  expect(await refusal(cookies)).toBe('unauthorized');
  const refused = await chat.until(/^\{.*auth\.user is not in the session.*\}$/m);
  expect(JSON.parse(refused[0])).toMatchObject({
    code: 'unauthorized',
    reason: expect.stringMatching(
      /^the session has no logged-in user: (.+\.auth)\.user is not in the session, though \1 is$/,
    ),
    hint: expect.stringContaining('at another path'),
  });
  const id = /DokuWiki=([^;]+)/.exec(cookies)?.[1] ?? '';
  expect(id).toMatch(/^[A-Za-z0-9,-]{22,}$/);
  for (const secret of [id, 'Zoë', 'example.org']) expect(chat.output()).not.toContain(secret);
});
