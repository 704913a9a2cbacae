import { setImmediate as settled } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { BrowserPush } from '../../client/src/chat/push.ts';
import { Room } from '../../client/src/store/room.ts';
import type { LastMessage, RoomSummary } from '../../server/wire/events.ts';

const server = 'https://site.example/chat/';
/** The notifications of the worker. */
let notices: { data: object; close(): void }[];
let badge: number;
/** How often the notifications were read. */
let looks: number;
/** The script of the worker whose scope contains the chat server. */
let script: string;

beforeEach(() => {
  badge = 3;
  looks = 0;
  script = `${server}sw.js`;
  notices = [1, 2].map((seq) => {
    const data = { room: 'lobby', seq };
    const close = () => {
      notices = notices.filter((notice) => notice.data !== data);
    };
    return { data, close };
  });
  const registration = {
    active: {
      get scriptURL() {
        return script;
      },
    },
    pushManager: { getSubscription: async () => null },
    async getNotifications() {
      looks++;
      return notices;
    },
  };
  vi.stubGlobal('location', new URL(server));
  vi.stubGlobal('window', { PushManager: class {} });
  vi.stubGlobal('Notification', { permission: 'granted' });
  vi.stubGlobal('navigator', {
    serviceWorker: { addEventListener() {}, getRegistration: async () => registration },
    async clearAppBadge() {
      badge = 0;
    },
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const roomOf = (id: string, summary: Partial<RoomSummary> = {}) =>
  new Room({ id, ...summary } as RoomSummary);

function open(
  kind: 'ready' | 'ended' | 'lost',
  changed: () => void,
  rooms: readonly Room[] = [],
  wished = false,
): BrowserPush {
  const byId = new Map(rooms.map((room) => [room.id, room]));
  const totals = {
    get unread() {
      return rooms.reduce((sum, room) => sum + room.unread, 0);
    },
  };
  const store = wished ? { get: () => true } : undefined;
  const chat = {
    server,
    can: { push: true },
    connection: { state: { kind } },
    rooms: byId,
    list: { totals },
    store,
  };
  const { signal } = new AbortController();
  return new BrowserPush(chat as unknown as Chat, changed, {} as Element, () => {}, signal);
}
/** Starts with a connection in this state, and resolves when it is done. */
const begin = (kind: 'ready' | 'ended') => new Promise<void>((done) => void open(kind, done));

test.each(['ready', 'ended'] as const)(
  'removes notifications and the badge if the user does not want pushes (connection: %s)',
  async (kind) => {
    await begin(kind);
    expect([notices, badge]).toEqual([[], 0]);
  },
);

test.each(['ready', 'ended'] as const)(
  "keeps the notifications and badge of the site's own worker (connection: %s)",
  async (kind) => {
    script = 'https://site.example/worker.js';
    await begin(kind);
    expect([notices.length, badge]).toEqual([2, 3]);
  },
);

test('clears the badge when the last unread message is read', async () => {
  const [lobby, garden] = ['lobby', 'garden'].map((id) =>
    roomOf(id, { member: true, lastSeq: 2, readSeq: 0 }),
  ) as [Room, Room];
  const connected = vi.fn();
  // The device cannot be registered, because the test has no server.
  const push = open('ready', connected, [lobby, garden], true);
  await expect.poll(() => connected).toHaveBeenCalled();
  push.settle();
  lobby.markRead();
  push.settle();
  await settled();
  expect(badge).toBe(3);
  garden.markRead();
  push.settle();
  await expect.poll(() => badge).toBe(0);
});

test.each<[what: string, gone: (push: BrowserPush) => void, left: number[]]>([
  ['a message is edited or deleted', (push) => push.outdated(roomOf('lobby'), 1), [2]],
  ['an author in the room may be erased', (push) => push.reset(roomOf('lobby')), []],
  ['the user loses the room', (push) => push.removed(roomOf('lobby')), []],
  ['the author is blocked', (push) => push.blocked({ user: '2', blocked: true }), [1]],
  ['the peer of the direct room is blocked', (push) => push.blocked({ user: '3', blocked: true }), []],
])('closes notifications when %s, even if the room is not shown', async (_, gone, left) => {
  const last = { seq: 2, user: { id: '2', name: 'Bob' }, text: 'hello', sentAt: 1 } satisfies LastMessage;
  const push = open('lost', () => {}, [roomOf('lobby', { last, with: { id: '3', name: 'Cleo' } })]);
  const seqs = () => notices.map(({ data }) => (data as { seq: number }).seq);
  // Unrelated calls have no effect.
  push.outdated(roomOf('lobby'), 3);
  push.outdated(roomOf('other'), 1);
  push.reset(roomOf('other'));
  push.blocked({ user: '4', blocked: true });
  push.blocked({ user: '2', blocked: false });
  await expect.poll(() => looks).toBe(1);
  await settled();
  expect(seqs()).toEqual([1, 2]);
  gone(push);
  await expect.poll(() => seqs()).toEqual(left);
  await settled();
  expect(seqs()).toEqual(left);
});
