import type { ServerResponse } from 'node:http';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import type { Directory } from '../../../server/chat/directory.ts';
import type { History, Writes } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import type { Fcm } from '../../../server/push/fcm.ts';
import { PushServices } from '../../../server/push/push-service.ts';
import { Pushes } from '../../../server/push/pushes.ts';
import type { DeviceAddress, DeviceLogin } from '../../../server/push/registry.ts';
import { Sealing } from '../../../server/push/sealing.ts';
import { VapidKeys } from '../../../server/push/vapid-keys.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { meanwhile } from '../../helpers/meanwhile.ts';
import {
  browserKeys,
  decrypted,
  type PushServiceOfTest,
  startPushService,
  subscription,
  type TakenPush,
  trust,
} from '../../helpers/push-service.ts';

const second = 1000;
const hour = 3600 * second;
const kept = historyFolder();
let service: PushServiceOfTest;
let services: PushServices;
let keys: VapidKeys;
let history: History;
let address: DeviceAddress;
beforeAll(async () => {
  service = await startPushService();
  trust(service);
  services = new PushServices('mailto:owner@example.org', new Set([service.host]));
  history = await openSqliteHistory({
    path: kept.path,
    onFailure: (error) => expect.unreachable(error.message),
  });
  keys = new VapidKeys(history, new Sealing([Buffer.alloc(32)]));
  address = subscription(service, (await keys.current()).public);
});
afterAll(async () => {
  services.close();
  await history.close();
  await service.close();
  kept.remove();
});
beforeEach(() => {
  // The clock that decides which pushes are due is stopped. Timers continue.
  vi.setSystemTime(Date.now());
  service.taken = [];
});
afterEach(() => void vi.useRealTimers());

const answered = (status: number, headers: Record<string, string> = {}) => {
  service.answer = (response) => response.writeHead(status, headers).end();
};

const deviceOf = (user: string) => `device of ${user}`;

const pathOf = (of: DeviceAddress) => new URL('endpoint' in of ? of.endpoint : '').pathname;

/** The second devices of users, with the state of their logins. */
const others = new Map<string, { address: DeviceAddress; is: DeviceLogin['is'] }>();

/** The IDs of devices for which the server has no key. */
const unopened = new Set<string>();

let people = 0;
/**
 * Creates an offline user with one device, and the push sender of a server.
 * @param during runs while the store is asked for the login
 * @param apps receives the pushes if the device is an app
 * @param read the reads of the history that the sender uses
 */
async function scene(
  during: (place: { user: string; room: string }) => Promise<unknown> = async () => {},
  apps?: Pick<Fcm, 'send'>,
  read = history.read,
) {
  let room = '';
  const user = `ben${people++}`;
  const ann = { id: 'ann', name: 'Ann' };
  const at = Date.now();
  for (const id of [user, ann.id]) await history.write.arrive({ user: { id, name: id }, at });
  await history.write.setNotices({ user, set: { quiet: 'off' } });
  const registerAgain = () =>
    history.write.registerDevice({ id: deviceOf(user), user, kind: 'browser', sealed: '', at: Date.now() });
  await registerAgain();
  const settled: Writes['settlePushes']['in']['pushes'][number][] = [];
  const refusals: [reason: string, user?: string | undefined][] = [];
  let claimed = () => {};
  let lost = 0;
  const write = Object.assign(Object.create(history.write) as History['write'], {
    async claimPushes(input: Writes['claimPushes']['in']) {
      const found = await history.write.claimPushes(input);
      claimed();
      return found;
    },
    async settlePushes(input: Writes['settlePushes']['in']) {
      const result = await history.write.settlePushes(input);
      settled.push(...input.pushes);
      return result;
    },
  });
  const pushes = new Pushes({
    history: { ...history, read, write },
    directory: {
      banOf: () => null,
      isVisible: () => true,
      messageOf: (message: unknown) => message,
    } as unknown as Directory,
    defaults: { after: 0, zone: 'UTC', newMembers: true },
    registry: {
      async check({ id }) {
        await during({ user, room });
        return { is: others.get(id)?.is ?? 'live' };
      },
      addressOf({ id }) {
        if (unopened.has(id)) return undefined;
        return others.get(id)?.address ?? (apps === undefined ? address : { token: 'app' });
      },
      forget: async (device) => void (await history.write.removeDevice(device)),
    },
    site: { name: undefined, icon: undefined },
    browsers: { services, keys },
    apps: apps as Fcm | undefined,
    onPush: (outcome) => {
      if (outcome === 'lost') lost++;
    },
    onRefusal: (...refusal) => refusals.push(refusal),
    onQuiet() {},
    onFailure: (error) => expect.unreachable(error.message),
  });
  onTestFinished(() => pushes.stop());
  const note = async (of: string) => {
    const due = Date.now();
    await history.write.noteDue({ room: of, users: [], due, pushes: [user], pushDue: due });
  };
  return {
    user,
    /**
     * Sends a message in a new room, whose push is due now.
     * @param kind in a public room the message mentions the user, who is not a member
     * @returns the room
     */
    async message(kind: 'private' | 'public' = 'private'): Promise<string> {
      room = `den${people++}`;
      const now = Date.now();
      const made = {
        id: room,
        kind,
        name: room,
        by: ann,
        clientId: room,
        most: 0,
        at: now,
      } as const;
      await history.write.createRoom(made);
      const users = kind === 'private' ? [{ id: user }] : [];
      await history.write.addMembers({ room, users, source: 'people', mayReturn: false, at: now });
      const mentions = kind === 'private' ? {} : { mentions: [{ user, start: 0, length: 1 }] };
      const sent = { clientId: 'c', user: ann, text: 'x', ...mentions, sentAt: now };
      await history.write.send({ room, ...sent, asMember: true });
      const consumer = { name: 'notify', by: 'me', types: ['message'], lease: hour, most: 9 } as const;
      const taken = await history.write.consume(consumer);
      const concerned = {
        users: [],
        rooms: [],
        due: now,
        roomsDue: now,
        pushes: [{ user, room }],
        pushDue: now,
      };
      const done = 'upTo' in taken ? taken.upTo : 0;
      await history.write.consume({ ...consumer, done, rows: { concerned } });
      pushes.wake();
      return room;
    },
    /**
     * Adds another device of the user.
     * @param is the state of its login
     */
    async elsewhere(is: DeviceLogin['is'] = 'live') {
      const drawn = browserKeys();
      const [p256dh, auth] = [drawn.p256dh.toString('base64url'), drawn.auth.toString('base64url')];
      const subscribed = subscription(service, (await keys.current()).public, { p256dh, auth });
      const other = { address: subscribed as DeviceAddress, is };
      const device = { id: `other ${deviceOf(user)}`, user, kind: 'browser', sealed: '' } as const;
      others.set(device.id, other);
      const register = () => history.write.registerDevice({ ...device, at: Date.now() });
      await register();
      return {
        path: pathOf(other.address),
        /** Returns the last notification that was sent to it. */
        notice() {
          const push = service.taken.findLast(({ path }) => path === pathOf(other.address)) as TakenPush;
          return JSON.parse(`${decrypted(push.body, drawn)}`).notification;
        },
        register,
        /** Logs the device out. */
        remove: () => history.write.removeDevice(device),
        says: (said: DeviceLogin['is']) => {
          other.is = said;
        },
      };
    },
    registerAgain,
    /** Replaces what runs while the store is asked for a login. */
    during(happens: typeof during) {
      during = happens;
    },
    lost: () => lost,
    refusals,
    wake: () => pushes.wake(),
    /** Wakes the sender, and calls `happens` when it has claimed the due pushes. */
    look(happens: () => void) {
      claimed = happens;
      pushes.wake();
    },
    /** Scans the members of a room again. */
    async again(of: string) {
      await note(of);
      pushes.wake();
    },
    note,
    /** Sends another message in the room of the last one. */
    async another() {
      const said = { room, clientId: 'd', user: ann, text: 'y', sentAt: Date.now(), asMember: true };
      return (await history.write.send(said)).message.seq;
    },
    /** Ann edits the message so that it mentions the user. */
    async mention(seq: number) {
      const mentions = [{ user, start: 0, length: 1 }];
      await history.write.edit({ room, seq, user: ann.id, text: 'z', mentions, at: Date.now() });
    },
    /** Waits until the push of a room is settled. @returns milliseconds until its retry; undefined if it is done */
    later: (room: string) =>
      vi.waitFor(() => {
        const [one, ...more] = settled.filter((push) => push.room === room);
        expect([one?.room, more]).toEqual([room, []]);
        settled.length = 0;
        return one?.due === undefined ? undefined : one.due - Date.now();
      }, hanging),
    /**
     * Adds offline members with one device each to the room of the last message, and writes to them.
     * @param at the address of all their devices
     */
    async members(names: readonly string[], at: DeviceAddress) {
      const now = Date.now();
      const users = names.map((name) => `${name} of ${user}`);
      for (const id of users) {
        await history.write.arrive({ user: { id, name: id }, at: now });
        await history.write.setNotices({ user: id, set: { quiet: 'off' } });
        const device = { id: deviceOf(id), user: id, kind: 'browser', sealed: '', at: now } as const;
        await history.write.registerDevice(device);
        others.set(device.id, { address: at, is: 'live' });
      }
      const added = users.map((id) => ({ id }));
      await history.write.addMembers({ room, users: added, source: 'people', mayReturn: false, at: now });
      const said = { room, clientId: `for ${names[0]}`, user: ann, text: 'y', sentAt: now, asMember: true };
      await history.write.send(said);
      await history.write.noteDue({ room, users: [], due: now, pushes: users, pushDue: now });
      pushes.wake();
    },
    devices: async () => (await history.read.devices({ user })).length,
  };
}

test.each([
  [429, '120', 120 * second],
  [503, '600', 600 * second],
  [429, '5', 30 * second],
  [429, '99999999', hour],
])(
  'after %i with Retry-After: %s, pushes nothing to the device for that time, at least 30 s and at most an hour',
  async (status, after, wait) => {
    const { message, later, wake, devices } = await scene();
    answered(status, { 'retry-after': after });
    const first = await message();
    expect(await later(first)).toBe(wait);
    answered(201);
    vi.setSystemTime(Date.now() + second);
    // A message in another room, for the same device.
    const other = await message();
    const left = wait - second;
    expect(await later(other)).toBe(left);
    expect(service.taken).toHaveLength(1);
    vi.setSystemTime(Date.now() + left);
    wake();
    await vi.waitFor(() => expect(service.taken).toHaveLength(3), hanging);
    expect(await devices()).toBe(1);
  },
);

test('retries after half a minute without Retry-After', async () => {
  const { message, later, wake } = await scene();
  answered(500);
  const room = await message();
  expect(await later(room)).toBe(30 * second);
  answered(201);
  vi.setSystemTime(Date.now() + 30 * second);
  wake();
  expect(await later(room)).toBeUndefined();
  const [first, again, ...more] = service.taken;
  expect([again?.headers.topic, more]).toEqual([first?.headers.topic, []]);
});

test('derives the topic from a secret of the browser, so the service cannot identify the room', async () => {
  const { message, later, wake } = await scene();
  answered(500);
  const room = await message();
  await later(room);
  answered(201);
  address = { ...address, auth: Buffer.alloc(16).toString('base64url') } as DeviceAddress;
  vi.setSystemTime(Date.now() + 30 * second);
  wake();
  expect(await later(room)).toBeUndefined();
  const [first, again] = service.taken;
  expect(again?.headers.topic).toMatch(/^[\w-]{32}$/);
  expect(again?.headers.topic).not.toBe(first?.headers.topic);
});

test('pushes a message once, and again only if an edit adds a mention', async () => {
  const { message, later, again, another, mention } = await scene();
  answered(201);
  const room = await message();
  await later(room);
  const look = async () => {
    await again(room);
    expect(await later(room)).toBeUndefined();
    return service.taken.length;
  };
  expect(await look()).toBe(1);
  const seq = await another();
  expect(await look()).toBe(2);
  expect(await look()).toBe(2);
  await mention(seq);
  expect(await look()).toBe(3);
  expect(await look()).toBe(3);
});

/** Returns how many pushes the device of the scene and the other device got. */
const gotBy = (other: { path: string }) =>
  [pathOf(address), other.path].map((path) => service.taken.filter((push) => push.path === path).length);

/** Reasons why the second of two devices does not get a push at first. */
const unreached: [why: string, is: DeviceLogin['is'], status: number, tries: number][] = [
  ['its service is busy', 'live', 503, 1],
  ['the state of its login is unknown', 'unknown', 201, 0],
];

async function halfWay(is: DeviceLogin['is'], status: number) {
  const one = await scene();
  const other = await one.elsewhere(is);
  service.answer = (response, { path }) => response.writeHead(path === other.path ? status : 201).end();
  const room = await one.message();
  expect(await one.later(room)).toBe(30 * second);
  return {
    ...one,
    room,
    other,
    /** Makes the other device reachable. */
    reached() {
      other.says('live');
      answered(201);
    },
    tryAgain() {
      vi.setSystemTime(Date.now() + 30 * second);
      one.wake();
      return one.later(room);
    },
  };
}

describe.each(unreached)('a push that one of two devices missed because %s', (_, is, status, tries) => {
  test('is sent to that device later, and only once to each device', async () => {
    const { other, reached, tryAgain, again, later, room } = await halfWay(is, status);
    expect(gotBy(other)).toEqual([1, tries]);
    expect(await tryAgain()).toBe(30 * second);
    expect(gotBy(other)).toEqual([1, 2 * tries]);
    reached();
    expect(await tryAgain()).toBeUndefined();
    expect(gotBy(other)).toEqual([1, 2 * tries + 1]);
    await again(room);
    expect(await later(room)).toBeUndefined();
    expect(gotBy(other)).toEqual([1, 2 * tries + 1]);
  });

  test('is replaced by a newer message for both devices', async () => {
    const { other, reached, again, another, later, room } = await halfWay(is, status);
    vi.setSystemTime(Date.now() + 5 * second);
    if (status === 201) reached();
    await another();
    await again(room);
    // A busy service is not contacted before the retry.
    const left = status === 201 ? undefined : 25 * second;
    expect(await later(room)).toBe(left);
    expect(gotBy(other)).toEqual([2, 1]);
    if (left === undefined) return;
    reached();
    vi.setSystemTime(Date.now() + left);
    await again(room);
    expect(await later(room)).toBeUndefined();
    expect(gotBy(other)).toEqual([2, 2]);
  });
});

describe('a push that one of two devices missed because its service was busy', () => {
  const [, is, status, tries] = unreached[0] as (typeof unreached)[0];

  test('makes a sound when it arrives, and later messages are silent for a minute', async () => {
    const { other, reached, tryAgain, again, another, later, room } = await halfWay(is, status);
    reached();
    expect(await tryAgain()).toBeUndefined();
    expect(other.notice()).toMatchObject({ silent: false });
    await another();
    await again(room);
    expect(await later(room)).toBeUndefined();
    expect(other.notice()).toMatchObject({ silent: true });
  });

  test('is replaced by a newer message that arrives during the retry', async () => {
    const { other, reached, another, tryAgain, wake, later, room, during } = await halfWay(is, status);
    reached();
    during(async () => void (await another()));
    expect(await tryAgain()).toBe(0);
    expect(gotBy(other)).toEqual([1, tries]);
    during(async () => {});
    wake();
    expect(await later(room)).toBeUndefined();
    expect(gotBy(other)).toEqual([2, tries + 1]);
  });

  test('is sent only once to each device if both register again', async () => {
    const { other, reached, tryAgain, registerAgain } = await halfWay(is, status);
    reached();
    await registerAgain();
    await other.remove();
    await other.register();
    expect(await tryAgain()).toBeUndefined();
    expect(gotBy(other)).toEqual([1, tries + 1]);
  });

  test('is not retried after a day', async () => {
    const { other, reached, tryAgain } = await halfWay(is, status);
    vi.setSystemTime(Date.now() + 24 * hour - 31 * second);
    expect(await tryAgain()).toBe(30 * second);
    reached();
    expect(await tryAgain()).toBeUndefined();
    expect(gotBy(other)).toEqual([1, 2 * tries]);
  });
});

test('continues with the other device on another server if a server ends during a push', async () => {
  const [first, next] = [await scene(), await scene()];
  const other = await first.elsewhere('unknown');
  const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
  service.answer = (response) => resolve(response);
  const room = await first.message();
  const response = await asked;
  vi.setSystemTime(Date.now() + 61 * second);
  other.says('live');
  answered(201);
  next.wake();
  expect(await next.later(room)).toBeUndefined();
  expect(gotBy(other)).toEqual([1, 1]);
  expect(next.lost()).toBe(1);
  response.writeHead(201).end();
});

test('skips a device that it has no key for, and pushes to the user’s other device', async () => {
  const { user, message, later, elsewhere, refusals } = await scene();
  const other = await elsewhere();
  unopened.add(deviceOf(user));
  answered(201);
  expect(await later(await message())).toBeUndefined();
  expect(service.taken.map(({ path }) => path)).toEqual([other.path]);
  expect(refusals).toEqual([['CHAT_PUSH_KEY_FILE has no key that decrypts this device']]);
});

test('does not push a message that another server has pushed', async () => {
  const [one, two] = [await scene(), await scene()];
  answered(201);
  const room = await one.message();
  expect(await one.later(room)).toBeUndefined();
  await one.note(room);
  two.wake();
  expect(await two.later(room)).toBeUndefined();
  expect(service.taken).toHaveLength(1);
});

test.each([
  [413, 1],
  [403, 1],
  [404, 0],
  [410, 0],
])('does not retry a push answered with %i, and keeps %i devices', async (status, left) => {
  const { user, message, later, devices, refusals } = await scene();
  answered(status, { 'retry-after': '5' });
  const room = await message();
  expect(await later(room)).toBeUndefined();
  expect(await devices()).toBe(left);
  // A device that is gone is no failure.
  expect(refusals).toEqual(left === 0 ? [] : [[`status ${status}`, user]]);
  const at = Date.now() + hour;
  expect(await history.write.claimPushes({ at, until: at + 1, most: 9, before: 0 })).toEqual({ pushes: [] });
  expect(service.taken).toHaveLength(1);
});

test('does not repeat a push of an ended server, even if the next server is late', async () => {
  const [first, next] = [await scene(), await scene()];
  const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
  service.answer = (response) => resolve(response);
  const room = await first.message();
  const response = await asked;
  vi.setSystemTime(Date.now() + 61 * second);
  next.look(() => vi.setSystemTime(Date.now() + 31 * second));
  expect(await next.later(room)).toBe(-31 * second);
  next.look(() => {});
  expect(await next.later(room)).toBeUndefined();
  expect(next.lost()).toBe(1);
  expect(service.taken).toHaveLength(1);
  response.writeHead(201).end();
});

test('includes for apps whether the user is a member of the room and has accepted it', async () => {
  const taken: Record<string, string>[] = [];
  const apps: Pick<Fcm, 'send'> = {
    async send(_, { data }) {
      taken.push(data);
      return { is: 'sent' };
    },
  };
  const { message, later } = await scene(undefined, apps);
  const den = await message();
  await later(den);
  const hall = await message('public');
  await later(hall);
  const by = (room: string) => taken.find((data) => data.room === room);
  expect(by(den)).toEqual({ room: den, seq: '1', unread: '1', accepted: 'false' });
  expect(by(hall)).toEqual({ room: hall, seq: '1', unread: '2', member: 'false', accepted: 'false' });
});

test.each<(typeof meanwhile)[number]>([
  ...meanwhile,
  ['pushes are switched off', (write, { user }) => write.setNotices({ user, set: { push: 0 } }), 0],
  ['the device is removed', (write, { user }) => write.removeDevice({ id: deviceOf(user), user }), 0],
  [
    'another user registers the device',
    async (write, { user }) => {
      const at = Date.now();
      await write.arrive({ user: { id: 'cat', name: 'Cat' }, at });
      await write.registerDevice({ id: deviceOf(user), user: 'cat', kind: 'browser', sealed: '', at });
    },
    0,
  ],
])('respects a change while the session store is asked: %s', async (_, happens, sent) => {
  const { message, later } = await scene((place) => happens(history.write, place));
  answered(201);
  expect(await later(await message())).toBeUndefined();
  expect(service.taken).toHaveLength(sent);
});

const many = (count: number) => Array.from({ length: count }, (_, n) => `member ${n}`);

test('pushes to the others while one device hangs', async () => {
  const { message, members, later } = await scene();
  answered(201);
  await later(await message());
  service.taken = [];
  const key = (await keys.current()).public;
  const [silent, good] = [subscription(service, key), subscription(service, key)] as DeviceAddress[];
  let hung: ServerResponse | undefined;
  service.answer = (response, { path }) => {
    if (path === pathOf(silent as DeviceAddress)) hung = response;
    else response.writeHead(201).end();
  };
  await members(['a hanging member'], silent as DeviceAddress);
  await members(many(30), good as DeviceAddress);
  const got = () => service.taken.filter(({ path }) => path === pathOf(good as DeviceAddress)).length;
  await expect.poll(got, { timeout: hanging }).toBe(30);
  expect(hung?.closed).toBe(false);
  hung?.destroy();
});

test('contacts a push service that does not respond once in half a minute, and no longer once it responds', async () => {
  const other = await startPushService();
  trust(service, other);
  const usual = services;
  services = new PushServices('mailto:owner@example.org', new Set([service.host, other.host]));
  onTestFinished(async () => {
    services.close();
    services = usual;
    await other.close();
    trust(service);
  });
  const { message, members, later } = await scene();
  answered(201);
  await later(await message());
  other.answer = (response) => response.destroy();
  const address = subscription(other, (await keys.current()).public) as DeviceAddress;
  const attempts = () => expect.poll(() => other.taken.length, { timeout: hanging });
  await members(many(3), address);
  await attempts().toBe(3);
  await members(
    many(12).map((name) => `other ${name}`),
    address,
  );
  vi.setSystemTime(Date.now() + 29 * second);
  await members(['a later member'], address);
  // Other services get pushes as usual, so the queue has been checked when this one arrives.
  await later(await message());
  expect(other.taken).toHaveLength(3);
  vi.setSystemTime(Date.now() + 2 * second);
  const last = await message();
  await attempts().toBe(4);
  await later(last);
  expect(other.taken).toHaveLength(4);
  other.answer = (response) => response.writeHead(201).end();
  vi.setSystemTime(Date.now() + 31 * second);
  await message();
  await attempts().toBeGreaterThan(4);
});
