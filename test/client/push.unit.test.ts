import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { BrowserPush } from '../../client/src/chat/push.ts';

const server = 'https://site.example/chat/';
/** The notices of the worker, and the number on the icon of the installed site. */
let notices: { data: object; close(): void }[];
let badge: number;
/** The script of the worker whose scope has the chat server. */
let script: string;

beforeEach(() => {
  badge = 3;
  script = `${server}sw.js`;
  notices = [1, 2].map((seq) => {
    const data = { room: 'lobby', seq };
    const close = () => {
      notices = notices.filter((one) => one.data !== data);
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
    getNotifications: async () => notices,
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

/** Begins with a connection in that state, and resolves when its work is done. */
const begin = (kind: 'ready' | 'ended') =>
  new Promise<void>((done) => {
    const chat = { server, can: { push: true }, connection: { state: { kind } }, rooms: new Map() };
    new BrowserPush(chat as unknown as Chat, done, {} as Element, () => {}, new AbortController().signal);
  });

test.each(['ready', 'ended'] as const)(
  '%s, without this user’s wish for pushes: no notice and no number on the icon stay for the next one',
  async (kind) => {
    await begin(kind);
    expect([notices, badge]).toEqual([[], 0]);
  },
);

test.each(['ready', 'ended'] as const)(
  '%s, with a worker of the site: its notices and its number stay',
  async (kind) => {
    script = 'https://site.example/worker.js';
    await begin(kind);
    expect([notices.length, badge]).toEqual([2, 3]);
  },
);
