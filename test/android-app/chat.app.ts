import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { startChild } from '../helpers/child.ts';

/** Written by `npm run android:app:test`. */
const jvmOptions = new URL('../../android/app/out/test.options', import.meta.url).pathname;

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby', CHAT_SESSION_CHECK: '100ms' }, chatServerHere);
});
afterAll(() => site.close());

test('the app logs in, exchanges messages with another client and shows the login after a logout', async () => {
  const browser = await connectChat(site.chat.url, await site.session('bob', 'Bob'));
  await browser.request('room:join', { room: 'lobby' });
  const cookie = await site.session('alice', 'Alice');
  const app = startChild('java', [
    ...[`@${jvmOptions}`, `-Dchat.server=${site.chat.url}`, `-Dchat.cookie=${cookie}`],
    ...['org.junit.runner.JUnitCore', 'io.github.phpsessionchat.app.ServerTest'],
  ]);
  const ended = once(app.process, 'close');
  await app.until(/the app sent a message/);
  const texts = () => browser.messages().map(({ user, text }) => `${user.name}: ${text}`);
  await expect.poll(texts).toEqual(['Alice: Hello from the app']);

  await browser.request('message:send', {
    room: 'lobby',
    text: 'Hello from the browser',
    clientId: newClientId(),
  });
  await app.until(/the app shows the response/);
  await site.memcached.delete(site.key(cookie));
  const [code] = await ended;
  expect(app.output()).toContain('OK (1 test)');
  expect(code).toBe(0);
  browser.close();
});
