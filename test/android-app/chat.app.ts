import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { emptyHistory, type RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { startChild } from '../helpers/child.ts';
import { upload } from '../helpers/files.ts';
import { startFrameProxy } from '../helpers/frame-proxy.ts';
import { startRememberingSite } from '../helpers/remembering-site.ts';
import { metrics } from '../helpers/server-figures.ts';

/** Written by `npm run android:app:test`. */
const jvmOptions = (name: string) =>
  fileURLToPath(new URL(`../../android/app/out/${name}.options`, import.meta.url));

const history = await emptyHistory();
const files = mkdtempSync(join(tmpdir(), 'android-app-'));
const settings = {
  CHAT_ROOMS: 'lobby',
  CHAT_SESSION_CHECK: '100ms',
  CHAT_HISTORY: history.url,
  CHAT_FILES: history.files,
  CHAT_LIMIT_SEND: '1000/10s',
  CHAT_TEAM: 'rosa',
  CHAT_TEAM_TEXT: 'We answer from 9 to 5',
  CHAT_CARDS_URL: '',
  CHAT_WEBHOOK_KEY_FILE: join(files, 'webhook-key'),
};
/** The site, which answers requests for cards. */
let isShipped = false;
const cards = createServer(async (request, response) => {
  const { type, data } = JSON.parse(await text(request));
  isShipped ||= type === 'card.press';
  const buttons = isShipped ? [] : [{ id: 'ship', label: 'Ship' }];
  const state = isShipped ? 'Shipped' : 'Paid';
  response.end(JSON.stringify({ card: { title: `Order 4711 of ${data.user.name}`, state, buttons } }));
});
let site: ChatSite<RunningChat>;
beforeAll(async () => {
  writeFileSync(settings.CHAT_WEBHOOK_KEY_FILE, `whsec_${Buffer.alloc(24, 'c').toString('base64')}\n`);
  await once(cards.listen(0, '127.0.0.1'), 'listening');
  settings.CHAT_CARDS_URL = `http://127.0.0.1:${(cards.address() as AddressInfo).port}/cards`;
  site = await startChatSite(settings, chatServerHere);
});
afterAll(async () => {
  await site.close();
  cards.closeAllConnections();
  cards.close();
  history.remove();
  rmSync(files, { recursive: true });
});

/** Starts one of the tests in `android/app/test/…/server` in a new process. */
const startApp = (
  name: string,
  cookie: string,
  room = '',
  server = site.chat.url,
  options = 'test',
  page = '',
) =>
  startChild('java', [
    ...[
      `@${jvmOptions(options)}`,
      `-Dchat.server=${server}`,
      `-Dchat.page=${page}`,
      `-Dchat.cookie=${cookie}`,
      `-Dchat.files=${files}`,
      `-Dchat.room=${room}`,
    ],
    ...['org.junit.runner.JUnitCore', `io.github.phpsessionchat.app.server.${name}`],
  ]);

async function expectSuccess(app: ReturnType<typeof startApp>): Promise<void> {
  if (app.process.exitCode === null) await once(app.process, 'close');
  expect(app.output()).toMatch(/OK \(\d tests?\)/);
}

async function killApp({ process }: ReturnType<typeof startApp>): Promise<void> {
  const killed = once(process, 'close');
  process.kill('SIGKILL');
  await killed;
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
  await expect.poll(bob.texts).toContain('Alice: Good morning');
  const active = async () =>
    (await metrics(site.chat.url)).get('chat_requests_total{event="client:active",code="ok"}');
  await expect.poll(active).toBe(1);
  await site.memcached.delete(site.key(cookie));
  await expectSuccess(app);
  bob.close();
});

test('a message that was written without a server is sent once by a job, even after the app was killed', async () => {
  const cookie = await site.session('carol', 'Carol');
  const offline = startApp('WritesOfflineTest', cookie);
  await offline.until(/the app shows the room/);
  await withoutServer(async () => {
    await offline.until(/the app waits for a network/);
    await killApp(offline);
  });
  const bob = await connectBob();
  await expectSuccess(startApp('SendsInBackgroundTest', cookie));
  await expect.poll(bob.texts).toEqual(['Carol: Written offline']);
  const app = startApp('SendsLaterTest', cookie);
  await app.until(/the app is connected again/);
  await bob.say('Goodbye');
  await expectSuccess(app);
  expect(bob.texts()).toEqual(['Carol: Written offline', 'Bob: Goodbye']);
  bob.close();
});

test('a message is stored once if the app is killed before the answer, or before it has removed the message', async () => {
  const bob = await connectBob();
  const cookie = await site.session('grace', 'Grace');
  let losesAnswers = true;
  const proxy = await startFrameProxy(site.chat.port, (text) => losesAnswers && text.includes('Sent once'));
  const start = (text: string) => startApp('SendsTest', cookie, text, `http://127.0.0.1:${proxy.port}`);
  const outbox = join(files, 'outbox');
  const unsent = () => readdirSync(outbox, { recursive: true }).filter((name) => `${name}`.endsWith('.json'));
  const stored = () => bob.texts().filter((text) => text === 'Grace: Sent once');
  const sender = start('Sent once');
  await expect.poll(stored, { timeout: 120_000 }).toHaveLength(1);
  await killApp(sender);
  expect(unsent()).toHaveLength(1);
  const unanswered = join(files, 'unanswered');
  cpSync(outbox, unanswered, { recursive: true });

  losesAnswers = false;
  const sendAgain = async () => {
    const app = start('');
    await expect.poll(unsent, { timeout: 120_000 }).toEqual([]);
    await killApp(app);
    expect(stored()).toHaveLength(1);
  };
  await sendAgain();
  // The files are as if the app had been killed after the answer, but before it removed the message.
  cpSync(unanswered, outbox, { recursive: true });
  await sendAgain();
  await proxy.close();
  bob.close();
});

/** Stops the server while `work` runs, and starts it again on its port, also for the tests after a failure. */
async function withoutServer<T>(work: () => Promise<T>): Promise<T> {
  const { port } = site.chat;
  await site.chat.stop();
  try {
    return await work();
  } finally {
    site.chat = await chatServerHere({
      ...settings,
      CHAT_SESSION_STORE: site.memcached.url,
      CHAT_PORT: String(port),
    });
  }
}

test('the app shows and takes messages without a server after a new start, until the login has ended', async () => {
  const bob = await connectBob();
  // More than a screen.
  for (let line = 0; line < 20; line++) await bob.say(`${line}`);
  await bob.say('To read on the train');
  const cookie = await site.session('frank', 'Frank');
  await expectSuccess(startApp('StoresTest', cookie));
  bob.close();
  const writer = await withoutServer(async () => {
    const app = startApp('WritesBeforeConnectingTest', cookie);
    await app.until(/the app keeps a message/);
    return app;
  });
  const back = await connectBob();
  const last = async () => (await back.request('message:history', { room: 'lobby' })).messages.at(-1)?.text;
  await expect.poll(last, { timeout: 120_000 }).toBe('Written before the first connection');
  await back.say('Welcome back');
  await expectSuccess(writer);
  back.close();

  const offline = await withoutServer(async () => {
    const app = startApp('ReadsOfflineTest', cookie);
    await app.until(/the app shows a stored message/);
    await site.memcached.delete(site.key(cookie));
    return app;
  });
  await expectSuccess(offline);
});

test('the app shows the message of a push, sends the answer to its notification, and marks it as read', async () => {
  const bob = await connectBob();
  const { room } = await bob.request('room:create', {
    name: 'Den',
    kind: 'private',
    members: ['dora'],
    clientId: newClientId(),
  });
  await bob.request('room:join', { room: room.id });
  await bob.say('Are you there?', room.id);
  const cookie = await site.session('dora', 'Dora');
  const app = startApp('PushTest', cookie, room.id);
  await expect.poll(bob.texts, { timeout: 120_000 }).toContain('Dora: On my way');
  await app.until(/the app waits for another message/);
  await bob.say('Bring the ladder', room.id);
  await app.until(/the app marks the message as read/);
  const dora = await connectChat(site.chat.url, cookie);
  const unread = async () => (await dora.request('read:mark', { room: room.id, seq: 0 })).room.unread;
  await expect.poll(unread).toBe(0);
  dora.close();
  await app.until(/the app waits for a reply in a thread/);
  await bob.request('message:send', {
    ...{ room: room.id, text: 'The blue one', clientId: newClientId() },
    ...{ replyTo: 2, threadOnly: true },
  });
  await app.until(/the app waits for a message that only moderators may answer/);
  await bob.request('room:update', { room: room.id, write: 'moderators' });
  await bob.say('Closing now', room.id);
  await expectSuccess(app);
  bob.close();
});

test('the app shows each push while its process is in memory, and one without its message during an outage', async () => {
  const bob = await connectBob();
  const { room } = await bob.request('room:create', {
    name: 'Den',
    kind: 'private',
    members: ['quinn'],
    clientId: newClientId(),
  });
  await bob.request('room:join', { room: room.id });
  const goOn = (name: string) => writeFileSync(join(files, name), '');
  const app = startApp('PushLaterTest', await site.session('quinn', 'Quinn'), room.id);
  for (const seq of [1, 2, 3]) {
    await app.until(new RegExp(`the app waits for message ${seq}`));
    await bob.say(`Message ${seq}`, room.id);
    goOn(`message-${seq}`);
  }
  await app.until(/the app waits for an outage/);
  await bob.say('Message 4', room.id);
  bob.close();
  await withoutServer(async () => {
    goOn('outage');
    await app.until(/the app shows a push without its message/);
  });
  await expectSuccess(app);
});

test('the app gets a new login from a site that remembers the user, but not after a logout', async () => {
  const sessions = mkdtempSync(join(tmpdir(), 'android-sessions-'));
  const pages = await startRememberingSite(sessions);
  const chat = await chatServerHere({
    CHAT_SESSION_STORE: `file://${sessions}?lifetime=1h`,
    CHAT_SESSION_CHECK: '100ms',
    CHAT_ROOMS: 'lobby',
  });
  const bob = await connectChat(chat.url, pages.session('bob', 'Bob'));
  // The room's member is known since the first visit.
  (await connectChat(chat.url, pages.session('paula', 'Paula'))).close();
  const clientId = newClientId();
  const { room } = await bob.request('room:create', {
    name: 'Den',
    kind: 'private',
    members: ['paula'],
    clientId,
  });
  await bob.request('room:join', { room: room.id });
  await bob.request('message:send', { room: room.id, text: 'Are you there?', clientId: newClientId() });
  pages.endSessions('paula');
  const app = startApp('RemembersTest', 'remember=paula', room.id, chat.url, 'test', pages.url);
  const goOn = async (step: string, happen: () => void) => {
    await app.until(new RegExp(`the app waits for ${step}`));
    happen();
    writeFileSync(join(files, step), '');
  };
  await goOn('an expiry in the background', () => pages.endSessions('paula'));
  await goOn('an expiry in the foreground', () => pages.expireSessions('paula'));
  let visits = 0;
  await goOn('a logout', () => {
    visits = pages.visits();
    pages.endSessions('paula');
  });
  await expectSuccess(app);
  expect(pages.visits()).toBe(visits);
  bob.close();
  await chat.stop();
  await pages.stop();
  rmSync(sessions, { recursive: true });
});

test('the app archives a direct room until its next message, and makes it a favourite', async () => {
  const bob = await connectBob();
  const cookie = await site.session('kim', 'Kim');
  const kim = await connectChat(site.chat.url, cookie);
  const { room } = await bob.request('direct:open', { user: 'kim' });
  await bob.request('room:join', { room: room.id });
  await bob.say('Hello Kim', room.id);
  const app = startApp('ArchivesTest', cookie);
  await app.until(/the app archived the room/);
  await bob.say('Are you there?', room.id);
  await expectSuccess(app);
  const { rooms } = await kim.request('room:list', {});
  expect(rooms.find(({ id }) => id === room.id)?.favourite).toBeGreaterThan(0);
  kim.close();
  bob.close();
});

test('the app shows a card of the site for its user, and replaces it by the answer of a button', async () => {
  const bob = await connectBob();
  await bob.request('message:send', {
    room: 'lobby',
    text: 'order:4711',
    card: 'order:4711',
    clientId: newClientId(),
  });
  await expectSuccess(startApp('CardsTest', await site.session('lena', 'Lena')));
  bob.close();
});

test('the app sets, lists and deletes reminders, and shows a due one', async () => {
  const bob = await connectBob();
  const { message } = await bob.say('Feed the hens');
  await bob.say('Water the beds');
  const cookie = await site.session('nina', 'Nina');
  const nina = await connectChat(site.chat.url, cookie);
  await nina.request('room:join', { room: 'lobby' });
  const app = startApp('RemindersTest', cookie);
  await app.until(/the app set a reminder/);
  await nina.request('reminder:set', { room: 'lobby', seq: message.seq, at: Date.now() });
  await expectSuccess(app);
  expect((await nina.request('reminder:list', {})).reminders).toEqual([]);
  nina.close();
  bob.close();
});

test('the app shows replies only in their thread, sends such replies, and makes a poll', async () => {
  const bob = await connectBob();
  const { message } = await bob.say('Where is the key?');
  const reply = {
    room: 'lobby',
    text: 'Only in the thread',
    replyTo: message.seq,
    threadOnly: true,
  } as const;
  await bob.request('message:send', { ...reply, clientId: newClientId() });
  await expectSuccess(startApp('ThreadTest', await site.session('olga', 'Olga')));
  const sent = bob.messages().filter(({ user }) => user.name === 'Olga');
  expect(sent.map(({ text, threadOnly }) => [text, threadOnly])).toEqual([
    ['Only here', true],
    ['For all', undefined],
    ['Which day?', undefined],
  ]);
  expect(sent.at(-1)?.poll?.options).toEqual(['Friday', 'Saturday']);
  bob.close();
});

test('the app asks the team of the site, and shows the answer', async () => {
  const rosa = await connectChat(site.chat.url, await site.session('rosa', 'Rosa'));
  const app = startApp('AsksTest', await site.session('sam', 'Sam'));
  await app.until(/the app has asked/);
  const { questions } = await rosa.request('question:list', { which: 'unassigned' });
  expect(questions.map(({ name, asker }) => [name, asker.name])).toEqual([['When do you open?', 'Sam']]);
  const room = questions[0]?.room ?? '';
  await rosa.request('room:join', { room });
  await rosa.request('message:send', { room, text: 'At nine', clientId: newClientId() });
  await expectSuccess(app);
  rosa.close();
});

test('a member of the team takes, answers and closes a question in the app', async () => {
  const cookie = await site.session('rosa', 'Rosa');
  // Makes the user known as a member of the team.
  (await connectChat(site.chat.url, cookie)).close();
  const bob = await connectBob();
  const { room } = await bob.request('question:ask', { text: 'Are dogs allowed?', clientId: newClientId() });
  await bob.request('room:join', { room: room.id });
  await expectSuccess(startApp('AnswersTest', cookie));
  expect(bob.texts()).toContain('Rosa: Only on a lead');
  bob.close();
});

test('the app reports the newest message of a user', async () => {
  const bob = await connectBob();
  await bob.say('Buy my pallets');
  await bob.say('Half price today');
  await expectSuccess(startApp('ReportsTest', await site.session('uma', 'Uma')));
  const reports = 'chat_requests_total{event="message:report",code="ok"}';
  expect((await metrics(site.chat.url)).get(reports)).toBe(1);
  bob.close();
});

test('the app removes the login from the device when the user asks for it', async () => {
  await expectSuccess(startApp('LogOutTest', await site.session('erin', 'Erin')));
});

test('the app opens the logout page of the site and forgets the user when the session ends', async () => {
  const cookie = await site.session('mallory', 'Mallory');
  const app = startApp('LogOutAtSiteTest', cookie);
  await app.until(/the app shows the logout page/);
  await site.memcached.delete(site.key(cookie));
  await expectSuccess(app);
});

test('the app keeps files and texts for the same user after a login, but not for the next user', async () => {
  const ivan = await site.session('ivan', 'Ivan');
  await expectSuccess(startApp('NextUserTest', ivan, await site.session('judy', 'Judy')));
});

test('the app opens and shares a file with another app', async () => {
  const bob = await connectBob();
  const sent = { name: 'notes.txt', headers: { origin: site.chat.url } };
  const { file } = await upload(site.chat.url, await site.session('bob', 'Bob'), 'Water the beds', sent);
  await bob.request('message:send', {
    ...{ room: 'lobby', text: 'My notes', files: [{ id: file.id }], clientId: newClientId() },
  });
  await expectSuccess(startApp('OpensFilesTest', await site.session('walt', 'Walt')));
  bob.close();
});

test('an owner chooses a picture for a room in the app', async () => {
  const cookie = await site.session('vera', 'Vera');
  const vera = await connectChat(site.chat.url, cookie);
  await vera.request('room:create', {
    ...{ name: 'Greenhouse', kind: 'private', members: [], clientId: newClientId() },
  });
  await expectSuccess(startApp('PictureTest', cookie));
  vera.close();
});

test('a file that is attached and not sent outlives the process', async () => {
  const bob = await connectBob();
  const cookie = await site.session('tess', 'Tess');
  const app = startApp('AttachesTest', cookie);
  await app.until(/the app has attached a file/);
  await killApp(app);
  const next = startApp('SendsAttachedTest', cookie);
  const last = () => bob.messages().at(-1);
  await expect
    .poll(last, { timeout: 120_000 })
    .toMatchObject({ user: { name: 'Tess' }, files: [{ name: 'plan.txt', size: 4 }] });
  await bob.say('Thank you');
  await expectSuccess(next);
  bob.close();
});

test('the app opens links to messages and invitations', async () => {
  const bob = await connectBob();
  const { message } = await bob.say('The first of many');
  for (let n = 0; n < 120; n++) await bob.say(`Number ${n}`);
  const clientId = newClientId();
  const { room } = await bob.request('room:create', { name: 'Den', kind: 'private', members: [], clientId });
  await bob.request('room:join', { room: room.id });
  await bob.say('Welcome to the den', room.id);
  const { token } = await bob.request('invite:create', { room: room.id });
  const app = startApp('LinkTest', await site.session('heidi', 'Heidi'), `lobby/${message.seq} ${token}`);
  await expectSuccess(app);
  bob.close();
});

if (soak)
  describe('the app after R8 has removed its unused code', () => {
    const startShrunk = (name: string, cookie = '', room = '') =>
      startApp(name, cookie, room, site.chat.url, 'shrunk-test');
    const rounds = 10;

    test('exchanges messages, and is restored by Android in ten new processes', async () => {
      const bob = await connectBob();
      await bob.say('Hello from the browser');
      const cookie = await site.session('ivan', 'Ivan');
      const app = startShrunk('ShrunkAppTest', cookie);
      await app.until(/the app sent a message/);
      await expect.poll(bob.texts).toContain('Ivan: Hello from the shrunk app');
      await bob.say('Hello again from the browser');
      await expectSuccess(app);
      for (let n = 1; n <= rounds; n++) await expectSuccess(startShrunk('ShrunkRestoreTest', cookie));
      bob.close();
    }, 900_000);

    test('shows ten pushes from memory, and ten during an outage', async () => {
      const founder = await connectBob();
      const { room } = await founder.request('room:create', {
        ...{ name: 'Den', kind: 'private', members: ['ruth'], clientId: newClientId() },
      });
      founder.close();
      const say = async (text: string) => {
        const bob = await connectBob();
        await bob.request('room:join', { room: room.id });
        await bob.say(text, room.id);
        bob.close();
      };
      const goOn = (name: string) => writeFileSync(join(files, name), '');
      const app = startShrunk('ShrunkPushTest', await site.session('ruth', 'Ruth'), room.id);
      for (let n = 1; n <= rounds; n++) {
        await app.until(new RegExp(`the app waits for message ${n}\\.`));
        await say(`Message ${n}`);
        goOn(`shrunk-message-${n}`);
        await app.until(new RegExp(`the app waits for outage ${n}\\.`));
        await say(`Late message ${n}`);
        await withoutServer(async () => {
          goOn(`shrunk-outage-${n}`);
          await app.until(new RegExp(`the app shows push ${n} without its message\\.`));
        });
      }
      await expectSuccess(app);
    }, 900_000);

    test('saves and restores every kind of value in the state of an activity', async () => {
      await expectSuccess(startShrunk('ShrunkValuesTest'));
    });
  });
