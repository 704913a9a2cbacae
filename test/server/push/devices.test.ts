import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { codeOf, nextOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';
import {
  browserKeys,
  type PushServiceOfTest,
  type RegisteredBrowser,
  registerBrowser,
  startPushService,
  subscription,
  trust,
} from '../../helpers/push-service.ts';

const kept = historyFolder();
let service: PushServiceOfTest;
let site: PeopleSite;
let key: string;
beforeAll(async () => {
  service = await startPushService();
  trust(service);
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
  };
  site = await startPeopleSite(env);
  key = await keyOf();
});
afterAll(async () => {
  vi.useRealTimers();
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
/** Returns the rows of a query on the history. */
function rowsOf(sql: string, ...of: string[]) {
  const db = new DatabaseSync(kept.path, { readOnly: true });
  const rows = db.prepare(sql).all(...of);
  db.close();
  return rows;
}
/** Connects a user and registers a browser. */
async function withBrowser(session?: object) {
  const person = await site.person(session);
  await person.request('notify:set', { quiet: null });
  return { person, browser: await registerBrowser(service, key, person) };
}
/** Creates a private room of a new user, who joins it. */
async function den(...members: Person[]) {
  const ann = await site.person();
  const { id } = await site.den(ann, members, { name: 'Garden' });
  await ann.request('room:join', { room: id });
  return { ann, den: id, from: `Name of ${ann.id} · Garden` };
}
const isPushed = ({ browser }: { browser: RegisteredBrowser }) =>
  vi.waitFor(() => expect(browser.taken()).toHaveLength(1), hanging);

test('assigns a device to the user who registered it last', async () => {
  const [ann, ben] = await site.people(2);
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

test('keeps the newest ten devices of a user', async () => {
  const ann = await site.person();
  const ids: string[] = [];
  for (let n = 0; n < 11; n++) ids.push((await ann.request('device:register', subscribed())).id);
  expect((await listed(ann)).map(({ id }) => id).sort()).toEqual(ids.slice(1).sort());
});

test.each([
  ['an unknown service', { endpoint: 'https://push.example/1' }],
  ['an invalid point of the curve', { p256dh: Buffer.alloc(65, 4).toString('base64url') }],
  ['another key', { key: browserKeys().p256dh.toString('base64url') }],
  ['a page of another site', { page: 'https://evil.example/forum/' }],
  ['a script as the page', { page: 'javascript:alert(1)' }],
  ['a missing page', { page: '' }],
])('rejects %s', async (_, over) => {
  const ann = await site.person();
  expect(await codeOf(ann, 'device:register', subscribed(over))).toBe('bad_request');
  expect(await listed(ann)).toEqual([]);
  await ann.close();
});

test('stores no endpoint, key or session of a device in plain text', async () => {
  const ann = await site.person();
  const pc = subscribed({ name: 'Opera' });
  const { id } = await ann.request('device:register', pc);
  const rows = JSON.stringify([
    rowsOf('SELECT * FROM chat_devices'),
    rowsOf('SELECT * FROM chat_vapid_keys'),
  ]);
  expect(rows).toContain(id);
  for (const secret of [pc.endpoint, pc.p256dh, pc.auth, ann.cookie.split('=')[1] as string]) {
    expect(rows).not.toContain(secret);
  }
  expect(await keyOf()).toBe(key);
  expect(site.chat.output()).not.toContain(pc.endpoint);
});

// Concurrent, because each push is delayed by five seconds.
describe.concurrent('a push', () => {
  test('to an app makes the chat request an access token for FCM', async () => {
    const ben = await site.person();
    await ben.request('notify:set', { quiet: null });
    expect((await ben.request('device:register', { token: 'app:1', name: 'Android' })).id).toMatch(/./);
    expect(await listed(ben)).toMatchObject([{ kind: 'app', name: 'Android' }]);
    const { ann, den: room } = await den(ben);
    await say(ann, room);
    // The server gets no token here, so nothing leaves this machine.
    const asked = () => service.taken.find(({ path }) => path === '/token')?.body.toString();
    await vi.waitFor(() => expect(asked()).toContain('assertion='), hanging);
  });

  // notify/situations.test.ts tests who is notified.
  test('contains exactly what its reader chose', async () => {
    const named = {} as Record<string, { person: Person; browser: RegisteredBrowser }>;
    const wants: Record<string, object> = {
      text: {},
      name: { text: 'name' },
      nothing: { text: 'nothing' },
      ...{ gone: {}, loggedOut: {} },
    };
    for (const [name, settings] of Object.entries(wants)) {
      named[name] = await withBrowser();
      await named[name].person.request('notify:set', settings);
    }
    // A session that expires soon.
    const expired = await site.person();
    await expired.request('notify:set', { quiet: null });
    const session = JSON.stringify({ user_id: expired.id, firstname: `Name of ${expired.id}` });
    await site.memcached.set(site.key(expired.cookie), session, 4);
    named.expired = { person: expired, browser: await registerBrowser(service, key, expired) };

    const people = Object.values(named).map(({ person }) => person);
    const { ann, den: room, from } = await den(...people);
    const goneAt = named.gone?.browser.path;
    service.answer = (response, { path }) => response.writeHead(path === goneAt ? 410 : 201).end();
    for (const one of people) await one.request('room:join', { room });
    await say(ann, room, 'The first\nline');
    const last = await say(ann, room, 'Bring a rake');
    await site.memcached.delete(site.key(named.loggedOut?.person.cookie as string));

    const got = ['text', 'name', 'nothing', 'expired', 'gone'];
    await vi.waitFor(() => {
      for (const name of got) expect(named[name]?.browser.taken(), name).toHaveLength(1);
    }, hanging);
    const notices = (name: string) => named[name]?.browser.pushes().map(({ notification }) => notification);
    const page = 'http://localhost:8080/forum/';
    const navigate = `${page}#m=${room}/${last.seq}`;
    const data = { room, seq: last.seq, at: expect.any(Number), unread: [room] };
    const all = { lang: 'en', dir: 'ltr', navigate, silent: false, app_badge: '2', data };
    expect(notices('text')).toMatchObject([{ ...all, title: from, body: 'Bring a rake\n2 new' }]);
    expect(notices('name')).toMatchObject([{ ...all, title: from, body: '2 new' }]);
    expect(notices('nothing')).toMatchObject([{ ...all, title: 'New message', body: '2 new' }]);
    expect(JSON.stringify(notices('nothing'))).not.toMatch(/Garden|Name of|rake/);
    expect(notices('expired')).toEqual([
      { title: 'New message', lang: 'en', dir: 'ltr', navigate: page, tag: 'php-chat', silent: false },
    ]);
    const topics = got.map((name) => named[name]?.browser.taken()[0]?.headers.topic);
    expect(new Set(topics).size).toBe(got.length);
    // Once no push of the room is pending, none can still reach the logged-out device.
    const waiting = 'SELECT user_id FROM chat_pushes WHERE due IS NOT NULL AND room_id = ?';
    await vi.waitFor(() => expect(rowsOf(waiting, room)).toEqual([]), hanging);
    expect(named.loggedOut?.browser.taken()).toEqual([]);
    // A device is deleted if its service has no subscription for it or its user has logged out.
    const left = (name: string) =>
      rowsOf('SELECT since FROM chat_devices WHERE user_id = ?', named[name]?.person.id as string);
    expect(left('gone')).toEqual([]);
    expect(left('loggedOut')).toEqual([]);
    expect(left('expired')).toMatchObject([{ since: expect.any(Number) }]);
    expect(left('text')).toMatchObject([{ since: null }]);
  });

  test('contains no text of users from a room that its reader has not accepted', async () => {
    const lure = 'Account locked! evil.example';
    const eve = await site.person({ firstname: lure });
    const [added, spokenTo] = [await withBrowser(), await withBrowser()];
    const { id: room } = await site.den(eve, [added.person], { name: lure });
    const { id: direct } = (await eve.request('direct:open', { user: spokenTo.person.id })).room;
    for (const one of [room, direct]) {
      await eve.request('room:join', { room: one });
      await say(eve, one, lure);
    }
    for (const one of [added, spokenTo]) {
      await isPushed(one);
      expect(one.browser.pushes()).toMatchObject([{ notification: { title: 'New message' } }]);
      expect(JSON.stringify(one.browser.pushes())).not.toMatch(/locked|evil/);
    }
  });

  test('contains nothing of a room that left the session while no page was open', async () => {
    const team = `team-${randomBytes(6).toString('hex')}`;
    const ben = await withBrowser({ rooms: [team] });
    const eve = await site.person({ rooms: [team] });
    const { ann, den: room, from } = await den(ben.person);
    await ben.person.request('room:join', { room });
    await eve.request('room:join', { room: team });
    ben.person.close();
    await ben.person.disconnected;
    await site.writeSession(ben.person, { rooms: [] });
    await say(eve, team, 'the code is quincunx');
    await say(ann, room, 'Bring a rake');
    await isPushed(ben);
    const waiting = 'SELECT due FROM chat_pushes WHERE user_id = ? AND due IS NOT NULL';
    await vi.waitFor(() => expect(rowsOf(waiting, ben.person.id)).toEqual([]), hanging);
    const data = { room, seq: 1, unread: [room] };
    expect(ben.browser.pushes()).toMatchObject([
      { notification: { title: from, body: 'Bring a rake', app_badge: '1', data } },
    ]);
    expect(JSON.stringify(ben.browser.pushes())).not.toMatch(new RegExp(`quincunx|${team}`));
  });

  test('is not sent after a logout, even if the session was renewed', async () => {
    const ben = await site.person();
    await ben.request('notify:set', { quiet: null });
    const session = (name: string) => JSON.stringify({ user_id: ben.id, firstname: name });
    await site.memcached.set(site.key(ben.cookie), session('Ben'), 9);
    const browser = await registerBrowser(service, key, ben);
    // A page of the site renews the session.
    const renewed = nextOf(ben, 'session:changed');
    await site.memcached.set(site.key(ben.cookie), session('Benny'), 3600);
    await renewed;
    const { ann, den: room } = await den(ben);
    await say(ann, room, 'Bring a rake');
    await site.memcached.delete(site.key(ben.cookie));
    expect(await ben.ended).toMatchObject({ reason: 'logout' });
    await vi.waitFor(() => {
      const rows = ['chat_pushes', 'chat_devices'].map((table) =>
        rowsOf(`SELECT user_id FROM ${table} WHERE user_id = ?`, ben.id),
      );
      expect(rows).toEqual([[], []]);
    }, hanging);
    expect(browser.taken()).toEqual([]);
  });
});

againInSoak('delays a push while the session store does not respond', async () => {
  const ben = await withBrowser();
  const { ann, den: room } = await den(ben.person);
  await ben.person.request('room:join', { room });
  const { sentAt } = await say(ann, room, 'Bring a rake');
  site.memcached.signal('SIGSTOP');
  const waits = () => {
    const of = 'SELECT due, claimed FROM chat_pushes WHERE user_id = ?';
    const [row] = rowsOf(of, ben.person.id) as { due: number; claimed: number | null }[];
    // The push was tried, and will be tried again.
    expect(row?.claimed ?? 0).toBe(0);
    expect(row?.due).toBeGreaterThan(sentAt + 30_000);
  };
  try {
    await vi.waitFor(waits, hanging);
    expect(ben.browser.taken()).toEqual([]);
  } finally {
    site.memcached.signal('SIGCONT');
  }
  vi.setSystemTime(Date.now() + 31_000);
  // A server checks for due pushes whenever it receives a message.
  await ann.request('room:join', { room: 'lobby' });
  await say(ann, 'lobby');
  await isPushed(ben);
  expect(ben.browser.pushes()).toMatchObject([{ notification: { body: 'Bring a rake' } }]);
  expect(await listed(ben.person)).toHaveLength(1);
});
