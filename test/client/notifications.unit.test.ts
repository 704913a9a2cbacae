import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { Notifications } from '../../client/src/chat/notifications.ts';
import { Room } from '../../client/src/store/room.ts';
import { Strings } from '../../client/src/strings/strings.ts';
import { textsIn } from '../../client/strings-plugin.ts';
import type { RoomSummary } from '../../server/wire/events.ts';
import { memoryStorage, storeIn } from './memory-storage.ts';

let shown: string[];

beforeEach(() => {
  shown = [];
  vi.stubGlobal('document', { hasFocus: () => false });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal(
    'Notification',
    class {
      static permission = 'granted';
      readonly #body: string;
      constructor(_title: string, { body = '' }: NotificationOptions) {
        this.#body = body;
        shown.push(body);
      }
      close() {
        shown = shown.filter((text) => text !== this.#body);
      }
    },
  );
  // There is no other page, so every lock is free.
  vi.stubGlobal('navigator', {
    locks: {
      request: (_name: string, _options: object, task: (lock: object) => unknown) => task({}),
      query: async () => ({ held: [] }),
    },
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const roomOf = (id: string) => new Room({ id, name: id, kind: 'private', notify: 'all' } as RoomSummary);
const bob = { id: '2', name: 'Bob' };

const reasons: [what: string, gone: (notifications: Notifications, room: Room) => void][] = [
  ['its message is edited or deleted', (notifications, room) => notifications.outdated(room, 7)],
  ['its author may be erased', (notifications, room) => notifications.reset(room)],
  ['the user loses its room', (notifications, room) => notifications.removed(room)],
  ['its author is blocked', (notifications) => notifications.blocked({ user: '2', blocked: true })],
];

function open(): Notifications {
  const settings = storeIn(memoryStorage(), 'https://chat.example/');
  settings.set('notifications', { on: true, visits: 1, at: Date.now() });
  const chat = { server: 'https://chat.example/', settings, me: { id: '1', name: 'Alice' } };
  const host = { getAttribute: () => null } as unknown as Element;
  const strings = new Strings({ lang: 'en', by: textsIn('en') });
  const { signal } = new AbortController();
  return new Notifications(chat as unknown as Chat, strings, host, () => {}, signal);
}

test.each(reasons)('closes a notification when %s', async (_, gone) => {
  const notifications = open();
  const [room, other] = [roomOf('talk'), roomOf('other')];
  notifications.arrived(room, { user: bob, seq: 7, text: 'hello' });
  await expect.poll(() => shown).toEqual(['hello']);
  // Unrelated calls have no effect.
  notifications.outdated(room, 6);
  notifications.outdated(other, 7);
  notifications.reset(other);
  notifications.removed(other);
  notifications.blocked({ user: '3', blocked: true });
  notifications.blocked({ user: '2', blocked: false });
  expect(shown).toEqual(['hello']);
  gone(notifications, room);
  expect(shown).toEqual([]);
});

test.each(reasons)(
  'does not show a notification if %s while the page checks whether another page shows it',
  async (_, gone) => {
    const notifications = open();
    const [room, other] = [roomOf('talk'), roomOf('other')];
    notifications.arrived(room, { user: bob, seq: 7, text: 'hello' });
    notifications.arrived(other, { user: { id: '3', name: 'Cy' }, seq: 1, text: 'still there' });
    gone(notifications, room);
    await expect.poll(() => shown).toContain('still there');
    expect(shown).toEqual(['still there']);
  },
);
