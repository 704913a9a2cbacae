import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { historyFolder, startChatServer } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { codeOf, nextOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';
import {
  browserKeys,
  type PushServiceOfTest,
  type RegisteredBrowser,
  registerBrowser,
  startPushService,
  subscription,
} from '../../helpers/push-service.ts';

const kept = historyFolder();
let service: PushServiceOfTest;
let site: PeopleSite;
let key: string;
beforeAll(async () => {
  service = await startPushService();
  const keyFile = `${kept.path}.push-key`;
  writeFileSync(keyFile, randomBytes(32).toString('base64'));
  const account = `${kept.path}.account`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(
    account,
    JSON.stringify({
      type: 'service_account',
      project_id: 'garden',
      client_email: 'chat@garden.example',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: `https://${service.host}/token`,
    }),
  );
  const env = {
    CHAT_HISTORY: kept.url,
    CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
    CHAT_PUSH_KEY_FILE: keyFile,
    CHAT_PUSH_HOSTS: service.host,
    CHAT_FCM: account,
    NODE_EXTRA_CA_CERTS: service.certificate,
  };
  site = await startPeopleSite(env, startChatServer);
  key = await keyOf();
});
afterAll(async () => {
  await site.close();
  await service.close();
  kept.remove();
});

async function keyOf(): Promise<string> {
  const answer = await fetch(`${site.chat.url}/push/key`, { headers: { origin: 'https://any.example' } });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  return ((await answer.json()) as { key: string }).key;
}

const subscribed = (over: object = {}) => subscription(service, key, over);
const listed = async (person: Person) => (await person.request('device:list', {})).devices;

test('a user lists and removes own devices; another user who registers one takes it over', async () => {
  const [ann, ben] = [await site.person(), await site.person()];
  const pc = subscribed({ name: 'Firefox' });
  const { id } = await ann.request('device:register', pc);
  expect(await ann.request('device:register', pc)).toEqual({ id });
  expect(await listed(ann)).toEqual([{ id, kind: 'browser', name: 'Firefox', at: expect.any(Number) }]);
  await ben.request('device:remove', { id });
  expect(await listed(ann)).toHaveLength(1);
  expect(await ben.request('device:register', { ...pc, name: undefined })).toEqual({ id });
  expect(await listed(ann)).toEqual([]);
  expect(await listed(ben)).toEqual([{ id, kind: 'browser', at: expect.any(Number) }]);
  await ben.request('device:remove', { id });
  expect(await listed(ben)).toEqual([]);
});

test('of a user ten devices are kept', async () => {
  const ann = await site.person();
  const ids: string[] = [];
  for (let n = 0; n < 11; n++) ids.push((await ann.request('device:register', subscribed())).id);
  expect((await listed(ann)).map(({ id }) => id).sort()).toEqual(ids.slice(1).sort());
});

test.each([
  ['an unknown service', { endpoint: 'https://push.example/1' }],
  ['an inner address', { endpoint: 'https://169.254.169.254/latest/meta-data' }],
  ['another port of this machine', { endpoint: 'https://localhost:1/1' }],
  ['no https', { endpoint: 'http://fcm.googleapis.com/1' }],
  ['no point of the curve', { p256dh: Buffer.alloc(65, 4).toString('base64url') }],
  ['a short secret', { auth: 'AAAA' }],
  ['another key', { key: browserKeys().p256dh.toString('base64url') }],
  ['a page of another site', { page: 'https://evil.example/forum/' }],
  ['a script as the page', { page: 'javascript:alert(1)' }],
  ['no page', { page: '' }],
])('%s is refused', async (_, over) => {
  const ann = await site.person();
  expect(await codeOf(ann, 'device:register', subscribed(over))).toBe('bad_request');
  expect(await listed(ann)).toEqual([]);
  await ann.close();
});

test('an app gets its pushes by FCM, for which the chat asks for a token', async () => {
  const [ann, ben] = [await site.person(), await site.person()];
  await ben.request('notify:set', { quiet: null });
  expect((await ben.request('device:register', { token: 'app:1', name: 'Android' })).id).toMatch(/./);
  expect(await listed(ben)).toMatchObject([{ kind: 'app', name: 'Android' }]);
  const den = await site.den(ann, [ben]);
  await ann.request('room:join', { room: den.id });
  await say(ann, den.id);
  // The server sends nothing without a token, so nothing leaves this machine.
  const asked = () => service.taken.find(({ path }) => path === '/token')?.body.toString();
  await vi.waitFor(() => expect(asked()).toContain('assertion='), hanging);
});

test('the history holds no endpoint, key or session of a device, and the export names the device alone', async () => {
  const ann = await site.person();
  const pc = subscribed({ name: 'Opera' });
  const { id } = await ann.request('device:register', pc);
  const db = new DatabaseSync(kept.path, { readOnly: true });
  const rows = JSON.stringify([
    db.prepare('SELECT * FROM chat_devices').all(),
    db.prepare('SELECT * FROM chat_vapid_keys').all(),
  ]);
  db.close();
  expect(rows).toContain(id);
  for (const secret of [pc.endpoint, pc.p256dh, pc.auth, ann.cookie.split('=')[1] as string]) {
    expect(rows).not.toContain(secret);
  }
  expect(await keyOf()).toBe(key);
  expect(site.chat.output()).not.toContain(pc.endpoint);
});

const browserOf = (person: Person) => registerBrowser(service, key, person);

test('a message is pushed to those whom it concerns, who are away and logged in, as each wants it', async () => {
  const ann = await site.person();
  const named = {} as Record<string, { person: Person; browser: RegisteredBrowser }>;
  const add = async (name: string, person: Person) => {
    named[name] = { person, browser: await browserOf(person) };
    return person;
  };
  const wants = async (name: string, settings: object) => {
    const person = await add(name, await site.person());
    await person.request('notify:set', { quiet: null, ...settings });
  };
  await wants('text', {});
  await wants('name', { text: 'name' });
  await wants('nothing', { text: 'nothing' });
  await wants('off', { push: false });
  await wants('quiet', { quiet: { from: '00:00', to: '23:59', zone: 'UTC' } });
  await wants('reader', {});
  await wants('blocking', {});
  await wants('muted', {});
  await wants('gone', {});
  await wants('loggedOut', {});
  // A session that ends by itself in a moment.
  const expired = await site.person();
  await expired.request('notify:set', { quiet: null });
  const session = JSON.stringify({ user_id: expired.id, firstname: `Name of ${expired.id}` });
  await site.memcached.set(site.key(expired.cookie), session, 4);
  await add('expired', expired);

  const people = Object.values(named).map(({ person }) => person);
  const den = await site.den(ann, people, { name: 'Garden' });
  await named.muted?.person.request('room:notify', { room: den.id, notify: 'none' });
  await named.blocking?.person.request('user:block', { user: ann.id, blocked: true });
  const goneAt = named.gone?.browser.path;
  service.answer = (response, { path }) => response.writeHead(path === goneAt ? 410 : 201).end();
  for (const one of [ann, ...people]) await one.request('room:join', { room: den.id });
  await say(ann, den.id, 'The first\nline');
  const last = await say(ann, den.id, 'Bring a rake');
  await named.reader?.person.request('read:mark', { room: den.id, seq: last.seq });
  await site.memcached.delete(site.key(named.loggedOut?.person.cookie as string));

  const got = ['text', 'name', 'nothing', 'expired', 'gone'];
  await vi.waitFor(() => {
    for (const name of got) expect(named[name]?.browser.taken(), name).toHaveLength(1);
  }, hanging);
  const notices = (name: string) => named[name]?.browser.pushes().map(({ notification }) => notification);
  const page = 'http://localhost:8080/forum/';
  const navigate = `${page}#m=${den.id}/${last.seq}`;
  const data = { room: den.id, seq: last.seq, at: expect.any(Number), unread: [den.id] };
  const all = { lang: 'en', dir: 'ltr', navigate, silent: false, app_badge: '2', data };
  const from = `Name of ${ann.id} · Garden`;
  expect(notices('text')).toMatchObject([{ ...all, title: from, body: 'Bring a rake\n2 new' }]);
  expect(notices('name')).toMatchObject([{ ...all, title: from, body: '2 new' }]);
  expect(notices('nothing')).toMatchObject([{ ...all, title: 'New message', body: '2 new' }]);
  expect(JSON.stringify(notices('nothing'))).not.toMatch(/Garden|Name of|rake/);
  expect(notices('expired')).toEqual([
    { title: 'New message', lang: 'en', dir: 'ltr', navigate: page, tag: 'php-chat', silent: false },
  ]);
  const topics = got.map((name) => named[name]?.browser.taken()[0]?.headers.topic);
  expect(new Set(topics).size).toBe(got.length);
  // Nothing else is under way: all pushes of the room were due at the same time.
  await vi.waitFor(() => {
    const db = new DatabaseSync(kept.path, { readOnly: true });
    const waiting = db.prepare('SELECT user_id FROM chat_pushes WHERE due IS NOT NULL').all();
    db.close();
    expect(waiting).toEqual([{ user_id: named.quiet?.person.id }]);
  }, hanging);
  for (const name of ['off', 'quiet', 'reader', 'blocking', 'muted', 'loggedOut']) {
    expect(named[name]?.browser.taken(), name).toEqual([]);
  }
  // A device that its service has forgotten is forgotten, and so is one whose user has logged out.
  const db = new DatabaseSync(kept.path, { readOnly: true });
  const left = db.prepare('SELECT user_id, since FROM chat_devices').all();
  db.close();
  const of = (name: string) => left.filter(({ user_id }) => user_id === named[name]?.person.id);
  expect(of('gone')).toEqual([]);
  expect(of('loggedOut')).toEqual([]);
  expect(of('expired')).toMatchObject([{ since: expect.any(Number) }]);
  expect(of('text')).toMatchObject([{ since: null }]);
});

test('a mention in a public room is pushed to somebody who is no member of it', async () => {
  const [ann, ben] = [await site.person(), await site.person()];
  await ben.request('notify:set', { quiet: null });
  const browser = await browserOf(ben);
  await ann.request('room:join', { room: 'lobby' });
  const mentions = [{ user: ben.id, start: 0, length: 4 }];
  const { seq } = await say(ann, 'lobby', '@Ben, bring a rake', { mentions });
  await vi.waitFor(() => expect(browser.taken()).toHaveLength(1), hanging);
  const data = { room: 'lobby', seq, unread: ['lobby'] };
  expect(browser.pushes()).toMatchObject([{ notification: { title: 'lobby', body: 'New message', data } }]);
});

test('a push holds no words of users in a room that its reader has not accepted', async () => {
  const lure = 'Account locked! evil.example';
  const eve = await site.person({ firstname: lure });
  const people = [await site.person(), await site.person()] as const;
  const browsers = await Promise.all(people.map(browserOf));
  for (const one of people) await one.request('notify:set', { quiet: null });
  const [added, spokenTo] = people;
  const { id: den } = await site.den(eve, [added], { name: lure });
  const { id: direct } = (await eve.request('direct:open', { user: spokenTo.id })).room;
  for (const room of [den, direct]) {
    await eve.request('room:join', { room });
    await say(eve, room, lure);
  }
  for (const browser of browsers) {
    await vi.waitFor(() => expect(browser.taken()).toHaveLength(1), hanging);
    expect(browser.pushes()).toMatchObject([{ notification: { title: 'New message' } }]);
    expect(JSON.stringify(browser.pushes())).not.toMatch(/locked|evil/);
  }
});

test('a store that is silent is no logout: the push waits, and is sent when the store answers', async () => {
  const [ann, ben] = [await site.person(), await site.person()];
  await ben.request('notify:set', { quiet: null });
  const browser = await browserOf(ben);
  const den = await site.den(ann, [ben]);
  for (const one of [ann, ben]) await one.request('room:join', { room: den.id });
  const { sentAt } = await say(ann, den.id, 'Bring a rake');
  site.memcached.signal('SIGSTOP');
  const waits = () => {
    const db = new DatabaseSync(kept.path, { readOnly: true });
    const of = 'SELECT due, claimed FROM chat_pushes WHERE user_id = ?';
    const [row] = db.prepare(of).all(ben.id) as { due: number; claimed: number | null }[];
    db.close();
    // It was looked at, and is to be looked at again.
    expect(row?.claimed ?? 0).toBe(0);
    expect(row?.due).toBeGreaterThan(sentAt + 30_000);
  };
  try {
    await vi.waitFor(waits, { timeout: hanging, interval: 500 });
    expect(browser.taken()).toEqual([]);
  } finally {
    site.memcached.signal('SIGCONT');
  }
  await vi.waitFor(() => expect(browser.taken()).toHaveLength(1), { timeout: 2 * hanging, interval: 500 });
  expect(browser.pushes()).toMatchObject([{ notification: { body: 'Bring a rake' } }]);
  expect(await listed(ben)).toHaveLength(1);
});

test('a room that the site has taken out of the session, while no page is open, is in no push', async () => {
  const team = `team-${randomBytes(6).toString('hex')}`;
  const [ann, ben] = [await site.person({ rooms: [team] }), await site.person({ rooms: [team] })];
  await ben.request('notify:set', { quiet: null });
  const browser = await browserOf(ben);
  const den = await site.den(ann, [ben], { name: 'Garden' });
  for (const room of [team, den.id]) await ann.request('room:join', { room });
  await ben.request('room:join', { room: den.id });
  ben.close();
  await ben.disconnected;
  await site.writeSession(ben, { rooms: [] });
  await say(ann, team, 'the code is quincunx');
  await say(ann, den.id, 'Bring a rake');
  const waiting = () => {
    const db = new DatabaseSync(kept.path, { readOnly: true });
    const rows = db.prepare('SELECT due FROM chat_pushes WHERE user_id = ? AND due IS NOT NULL').all(ben.id);
    db.close();
    return rows;
  };
  await vi.waitFor(() => expect(browser.taken().length).toBeGreaterThan(0), hanging);
  await vi.waitFor(() => expect(waiting()).toEqual([]), hanging);
  const title = `Name of ${ann.id} · Garden`;
  const data = { room: den.id, seq: 1, unread: [den.id] };
  expect(browser.pushes()).toMatchObject([
    { notification: { title, body: 'Bring a rake', app_badge: '1', data } },
  ]);
  expect(JSON.stringify(browser.pushes())).not.toMatch(new RegExp(`quincunx|${team}`));
});

test('a logout ends the pushes of a device, also after the end that its login had when it was registered', async () => {
  const [ann, ben] = [await site.person(), await site.person()];
  await ben.request('notify:set', { quiet: null });
  const session = (name: string) => JSON.stringify({ user_id: ben.id, firstname: name });
  await site.memcached.set(site.key(ben.cookie), session('Ben'), 9);
  const browser = await browserOf(ben);
  // A page of the site renews the session.
  const renewed = nextOf(ben, 'session:changed');
  await site.memcached.set(site.key(ben.cookie), session('Benny'), 3600);
  await renewed;
  const den = await site.den(ann, [ben]);
  await ann.request('room:join', { room: den.id });
  await say(ann, den.id, 'Bring a rake');
  await site.memcached.delete(site.key(ben.cookie));
  expect(await ben.ended).toMatchObject({ reason: 'logout' });
  await vi.waitFor(() => {
    const db = new DatabaseSync(kept.path, { readOnly: true });
    const rows = ['chat_pushes', 'chat_devices'].map((table) =>
      db.prepare(`SELECT user_id FROM ${table} WHERE user_id = ?`).all(ben.id),
    );
    db.close();
    expect(rows).toEqual([[], []]);
  }, hanging);
  expect(browser.taken()).toEqual([]);
});
