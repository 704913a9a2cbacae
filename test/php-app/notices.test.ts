import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { hanging } from '../helpers/hanging.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';

const folder = mkdtempSync(join(tmpdir(), 'chat-php-app-'));
const mails = join(folder, 'mails');
let memcached: Memcached;
let chat: RunningChat;
let app: PhpApp;
beforeAll(async () => {
  memcached = await startMemcached();
  const keyFile = join(folder, 'webhook-key');
  // Replaces the mail program, and rejects the first mail.
  const mailer = join(folder, 'mailer.sh');
  writeFileSync(
    mailer,
    `#!/bin/sh\ntest -e ${folder}/tried || { : > ${folder}/tried; exit 75; }\ncat > ${folder}/$$\ncat ${folder}/$$ >> ${mails}\n`,
    { mode: 0o755 },
  );
  writeFileSync(join(folder, 'mail.ini'), `sendmail_path = ${mailer}\n`);
  writeFileSync(mails, '');
  writeFileSync(keyFile, `whsec_${randomBytes(32).toString('base64')}\n`);
  app = await startPhpApp({
    memcachedPort: memcached.port,
    env: {
      CHAT_WEBHOOK_KEY_FILE: keyFile,
      MAIL_FROM: 'club@garden.example',
      SITE_URL: 'https://garden.example/',
      PHP_INI_SCAN_DIR: `:${folder}`,
    },
  });
  chat = await chatServerHere({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_WEBHOOK_KEY_FILE: keyFile,
    CHAT_WEBHOOK_URL: `${app.url}/chat-events`,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
    CHAT_NOTIFY_AFTER: '1s',
    CHAT_URL: 'https://chat.garden.example',
  });
});
afterAll(async () => {
  await chat?.stop();
  await app?.stop();
  await memcached?.stop();
  rmSync(folder, { recursive: true });
});

const noticesOf = async (cookie: string) => {
  const answer = await fetch(`${app.url}/notices`, { headers: { cookie } });
  return { status: answer.status, page: await answer.text() };
};

test('mails a member once about missed messages, and lists the notification only for an admin', async () => {
  const [alice, carol] = [await app.login('alice'), await app.login('carol')];
  expect((await noticesOf(alice)).page).toContain('Nobody has missed anything yet.');
  const away = await connectChat(chat.url, carol);
  await away.request('notify:set', { quiet: null });
  const writer = await connectChat(chat.url, await app.login('bob'));
  const { room: accepted } = await writer.request('room:create', {
    name: 'alice: https://x',
    kind: 'private',
    members: ['3'],
    clientId: newClientId(),
  });
  await away.request('room:join', { room: accepted.id });
  away.close();
  const { room: direct } = await writer.request('direct:open', { user: '3' });
  for (const { id: room } of [accepted, direct]) {
    await writer.request('room:join', { room });
    await writer.request('message:send', { room, text: 'Soil has come', clientId: newClientId() });
  }
  writer.close();
  await expect.poll(() => readFileSync(mails, 'utf8'), { timeout: hanging }).not.toBe('');
  const { page } = await noticesOf(alice);
  expect(page).toContain('<bdi>Carol</bdi> has unread messages: 2');
  expect(page).not.toContain('Soil');
  // The mail, without the link that stops mails to the member.
  expect(page).toContain(
    '<p><strong>Unread messages: 2</strong></p><pre>You have unread messages in the club:\n\nalice: https: //x: 1\n\nhttps://garden.example/messages</pre>',
  );
  expect(page).not.toContain('/stop?');
  // The first mail was rejected, so the chat sent the event again.
  expect(existsSync(join(folder, 'tried'))).toBe(true);
  const [head = '', body = '', ...more] = readFileSync(mails, 'utf8')
    .trim()
    .split(/\r?\n\r?\n/);
  expect(more).toEqual([]);
  expect(head).toMatch(/^To: carol@garden\.example$/m);
  expect(head).toMatch(/^From: club@garden\.example$/m);
  expect(head).toContain(`=?UTF-8?B?${Buffer.from('Unread messages: 2').toString('base64')}?=`);
  const stop = /^List-Unsubscribe: <(https:\/\/chat\.garden\.example\/\S+)>$/m.exec(head)?.[1];
  expect(head).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click');
  expect(Buffer.from(body, 'base64').toString().split('\n')).toEqual([
    'You have unread messages in the club:',
    '',
    'alice: https: //x: 1',
    '',
    'https://garden.example/messages',
    '',
    `No more mails: ${stop}`,
    '',
  ]);
  expect(await noticesOf(carol)).toMatchObject({ status: 404 });
});

test('accepts an event only with the key configured and a valid signature', async () => {
  const forged = { type: 'notify.due', data: { user: { id: '2' }, total: 9 } };
  const send = (url: string) =>
    fetch(`${url}/chat-events`, {
      method: 'POST',
      headers: {
        'webhook-id': '1',
        'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
        'webhook-signature': `v1,${randomBytes(32).toString('base64')}`,
      },
      body: JSON.stringify(forged),
    });
  expect((await send(app.url)).status).toBe(400);
  expect((await noticesOf(await app.login('alice'))).page).not.toContain('Bob</bdi> has');
  const plain = await startPhpApp({ memcachedPort: memcached.port });
  expect((await send(plain.url)).status).toBe(404);
  await plain.stop();
});
