import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { emptyHistory, type RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { startChild } from '../helpers/child.ts';

/** Written by `npm run android:app:test`. */
const jvmOptions = new URL('../../android/app/out/test.options', import.meta.url).pathname;

const history = await emptyHistory();
const settings = {
  CHAT_ROOMS: 'lobby',
  CHAT_SESSION_CHECK: '100ms',
  CHAT_HISTORY: history.url,
  CHAT_FILES: history.files,
};
const files = mkdtempSync(join(tmpdir(), 'android-app-'));
let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite(settings, chatServerHere);
});
afterAll(async () => {
  await site.close();
  history.remove();
  rmSync(files, { recursive: true });
});

/** Starts one of the tests in `android/app/test/…/server` in a new process. */
const startApp = (name: string, cookie: string, room = '') =>
  startChild('java', [
    ...[
      `@${jvmOptions}`,
      `-Dchat.server=${site.chat.url}`,
      `-Dchat.cookie=${cookie}`,
      `-Dchat.files=${files}`,
      `-Dchat.room=${room}`,
    ],
    ...['org.junit.runner.JUnitCore', `io.github.phpsessionchat.app.server.${name}`],
  ]);

async function expectSuccess(app: ReturnType<typeof startApp>): Promise<void> {
  if (app.process.exitCode === null) await once(app.process, 'close');
  expect(app.output()).toContain('OK (1 test)');
}

async function connectBob() {
  const bob = await connectChat(site.chat.url, await site.session('bob', 'Bob'));
  await bob.request('room:join', { room: 'lobby' });
  const texts = () => bob.messages().map(({ user, text }) => `${user.name}: ${text}`);
  const say = (text: string, room = 'lobby') =>
    bob.request('message:send', { room, text, clientId: newClientId() });
  return Object.assign(bob, { texts, say });
}

test('the app logs in, exchanges messages with another client and shows the login after a logout', async () => {
  const bob = await connectBob();
  const cookie = await site.session('alice', 'Alice');
  const app = startApp('ChatTest', cookie);
  await app.until(/the app sent a message/);
  await expect.poll(bob.texts).toEqual(['Alice: Hello from the app']);
  await bob.say('Hello from the browser');
  await app.until(/the app replied and reacted/);
  await expect.poll(bob.texts).toContain('Alice: A reply');
  await site.memcached.delete(site.key(cookie));
  await expectSuccess(app);
  bob.close();
});

test('a message that was written without a server is sent once, even after the app was killed', async () => {
  const cookie = await site.session('carol', 'Carol');
  const offline = startApp('WritesOfflineTest', cookie);
  await offline.until(/the app shows the room/);
  const { port } = site.chat;
  await site.chat.stop();
  await offline.until(/the app keeps a message/);
  const killed = once(offline.process, 'close');
  offline.process.kill('SIGKILL');
  await killed;

  site.chat = await chatServerHere({
    ...settings,
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_PORT: String(port),
  });
  const bob = await connectBob();
  const app = startApp('SendsLaterTest', cookie);
  await app.until(/the app is connected again/);
  await expect.poll(bob.texts).toEqual(['Carol: Written offline']);
  await bob.say('Goodbye');
  await expectSuccess(app);
  expect(bob.texts()).toEqual(['Carol: Written offline', 'Bob: Goodbye']);
  bob.close();
});

test('the app shows the message of a push, and sends the answer to its notification', async () => {
  const bob = await connectBob();
  const { room } = await bob.request('room:create', {
    name: 'Den',
    kind: 'private',
    members: ['dora'],
    clientId: newClientId(),
  });
  await bob.request('room:join', { room: room.id });
  await bob.say('Are you there?', room.id);
  const app = startApp('PushTest', await site.session('dora', 'Dora'), room.id);
  await expect.poll(bob.texts, { timeout: 120_000 }).toContain('Dora: On my way');
  await expectSuccess(app);
  bob.close();
});

test('the app removes the login from the device when the user asks for it', async () => {
  await expectSuccess(startApp('LogOutTest', await site.session('erin', 'Erin')));
});
