import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  type ChatClient,
  chatSocket,
  connectChat,
  newClientId,
  refusalOf,
} from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby,garden' }, chatServerHere);
});
afterAll(() => site.close());

const connect = (cookie: string | null, options = {}) => connectChat(site.chat.url, cookie, options);

describe('connecting', () => {
  test('sends session:ready first, with the user and the rooms', async () => {
    const client = await connect(await site.session(1, 'Alice'));
    expect(client.events[0]).toEqual({
      name: 'session:ready',
      payload: {
        protocol: 1,
        user: { id: '1', name: 'Alice' },
        roles: [],
        // The configured rooms, in their order.
        rooms: ['lobby', 'garden'].map((id) => ({
          id,
          name: id,
          kind: 'public',
          member: false,
          members: 0,
          may: ['send'],
          head: 0,
          lastSeq: 0,
          readSeq: 0,
          unread: 0,
          mentions: 0,
          notify: 'mentions',
          write: 'all',
        })),
        more: false,
        firstRoom: 'lobby',
        totals: { unread: 0, mentions: 0 },
        can: {
          createPublic: false,
          createPrivate: true,
          direct: true,
          findPeople: true,
          files: true,
          previews: false,
          seen: true,
          push: false,
          report: true,
          hold: false,
          mail: false,
        },
        profile: {},
        serverTime: expect.any(Number),
        limits: { text: 4000, mentions: 20, file: 10_485_760, files: 10 },
      },
    });
    client.close();
  });

  test('uses auth.session instead of the cookie', async () => {
    const [, id] = (await site.session(7)).split('=');
    const client = await connect(await site.session(8), { auth: { session: id } });
    expect(client.ready.user.id).toBe('7');
    client.close();
  });

  test('finds a session that PHP writes only after its response', async () => {
    const misses = async () => Number(/get_misses (\d+)/.exec(await site.memcached.ask('stats\r\n'))?.[1]);
    // If the test stalls for 250 ms until the second lookup, the session is written too late.
    for (let tries = 1; ; tries++) {
      const cookie = `PHPSESSID=late${Date.now()}`;
      const before = await misses();
      const connecting = connect(cookie).catch(({ message }: Error) => message);
      // The first lookup is over when memcached has counted a miss.
      await expect.poll(misses, { interval: 5 }).toBeGreaterThan(before);
      await site.memcached.set(site.key(cookie), '{"user_id":9}');
      const connected = await connecting;
      if (connected === 'unauthorized' && tries < 9) continue;
      expect(connected).toMatchObject({ ready: { user: { id: '9' } } });
      return;
    }
  });
});

describe('auth.tags', () => {
  const connectWith = (cookie: string, tags: unknown) => connect(cookie, { auth: { tags } });
  const tagsOf = ({ ready: { tags } }: ChatClient) => (tags ?? []).join();

  test('omits the rooms that have not changed since their tag, and lists all tags in the order of the rooms', async () => {
    const cookie = await site.session(21);
    const first = await connectWith(cookie, '');
    expect(first.ready.rooms.map(({ id }) => id)).toEqual(['lobby', 'garden']);
    expect(new Set(first.ready.tags).size).toBe(2);
    const other = await connectWith(cookie, tagsOf(first));
    expect(other.ready).toMatchObject({ rooms: [], tags: first.ready.tags });
    const author = await connect(await site.session(22));
    await author.request('room:join', { room: 'garden' });
    await author.request('message:send', { room: 'garden', text: 'ripe', clientId: newClientId() });
    const last = await connectWith(cookie, tagsOf(first));
    expect(last.ready.rooms).toMatchObject([{ id: 'garden', last: { text: 'ripe' } }]);
    const [lobby, garden] = first.ready.tags ?? [];
    expect(last.ready.tags).toEqual([lobby, expect.not.stringMatching(`^${garden}$`)]);
    for (const client of [first, other, author, last]) client.close();
  });

  test('notices a change of the reader alone', async () => {
    const cookie = await site.session(23);
    const first = await connectWith(cookie, '');
    await first.request('room:join', { room: 'lobby' });
    const second = await connectWith(cookie, tagsOf(first));
    expect(second.ready.rooms).toMatchObject([{ id: 'lobby', member: true }]);
    await first.request('room:arrange', { room: 'lobby', favourite: 1 });
    const third = await connectWith(cookie, tagsOf(second));
    expect(third.ready.rooms).toMatchObject([{ id: 'lobby', favourite: 1 }]);
    for (const client of [first, second, third]) client.close();
  });

  test('of another user, or without meaning, omits no room', async () => {
    const first = await connectWith(await site.session(24), '');
    await first.request('room:join', { room: 'lobby' });
    const own = await connectWith(await site.session(24), '');
    const other = await connectWith(await site.session(25), tagsOf(own).split(',')[0]);
    expect(other.ready.rooms).toHaveLength(2);
    for (const client of [first, own, other]) client.close();
    for (const tags of [7, null, ['x'], { tags: 'x' }, ',,', 'x'.repeat(40_000)]) {
      const odd = await connectWith(await site.session(26), tags);
      expect(odd.ready.rooms).toHaveLength(2);
      odd.close();
    }
  });
});

// bad-input.test.ts tests the rejected cookies and sessions.
describe('unauthorized', () => {
  test('names the login address if the operator has set one', async () => {
    const env = { CHAT_SESSION_STORE: site.memcached.url, CHAT_LOGIN_URL: '/login?from=chat&back={return}' };
    const server = await chatServerHere(env);
    onTestFinished(async () => void (await server.stop()));
    const refusal = await refusalOf(connectChat(server.url, null));
    expect(refusal.data).toMatchObject({ code: 'unauthorized', loginUrl: '/login?from=chat&back=' });
  });

  test('is the answer to auth.session over polling', async () => {
    const [, id] = (await site.session(1)).split('=');
    const refusal = await refusalOf(connect(null, { auth: { session: id }, transports: ['polling'] }));
    expect(refusal.data).toEqual({
      code: 'unauthorized',
      message: 'auth.session needs WebSocket',
      retryable: false,
    });
  });

  test.each([[7], [null], [{}], ['']])(
    'is the answer to auth.session %j, even with a valid cookie',
    async (session) => {
      const refusal = await refusalOf(connect(await site.session(1), { auth: { session } }));
      expect(refusal.message).toBe('unauthorized');
    },
  );
});

test('does not change the stored session or its lifetime when a client connects', async () => {
  const cookie = await site.session(1);
  const meta = () => site.memcached.ask(`mg ${site.key(cookie)} t s c h v\r\n`, /\r\n[^\r]*\r\n$/);
  const before = (await meta()).replace(/ h\d/, '');
  for (let i = 0; i < 3; i++) (await connect(cookie)).close();
  expect((await meta()).replace(/ h\d/, '')).toBe(before);
});

test.each([
  ['/', '/admin'],
  ['/admin', '/'],
])('connects / and rejects /admin on one connection, in the order %s, %s', async (...names) => {
  const { io: manager } = chatSocket(site.chat.url, await site.session(1));
  onTestFinished(() => manager._close());
  let closings = 0;
  manager.on('close', () => closings++);
  const outcomes = names.map((name) => {
    const socket = manager.socket(name);
    const outcome = new Promise<unknown>((resolve) => {
      socket.once('session:ready', resolve);
      socket.once('connect_error', resolve);
    });
    socket.connect();
    return outcome.then((value) => [name, value] as const);
  });
  const { '/': main, '/admin': admin } = Object.fromEntries(await Promise.all(outcomes));
  expect(main).toMatchObject({ user: { id: '1' } });
  expect(admin).toMatchObject({ message: 'Invalid namespace' });
  expect(closings).toBe(0);
});

test.concurrent('closes the transport 5 s after the client leaves the namespace', async () => {
  const client = await connectChat(site.chat.url, await site.session(1));
  const { engine } = client.socket.io;
  const packets: unknown[] = [];
  engine.on('packet', ({ type, data }) => packets.push(`${type} ${data}`));
  const began = performance.now();
  engine.write('1');
  engine.write('0/admin');
  const closed = new Promise((resolve) => client.socket.io.on('close', resolve));
  expect(await closed).toBe('transport close');
  expect(performance.now() - began).toBeGreaterThan(4500);
  expect(packets).toEqual(['message 4/admin,{"message":"Invalid namespace"}']);
});

test.concurrent('closes a connection without a CONNECT after 5 s', async () => {
  const began = performance.now();
  const socket = new WebSocket(`${site.chat.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  await new Promise((resolve) => socket.addEventListener('close', resolve));
  expect(performance.now() - began).toBeGreaterThan(4500);
});
