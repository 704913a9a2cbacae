import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page, Worker } from '@playwright/test';
import { emptyHistory, nextChatServer } from '../helpers/chat-server.ts';
import { browserKeys } from '../helpers/push-service.ts';
import { asUser } from './as-user.ts';
import { expect, type Site, test } from './fixtures.ts';

/** The worker, in which the test sees what is shown. */
interface WorkerOfTest extends EventTarget {
  registration: ServiceWorkerRegistration;
  shown: (NotificationOptions & { title: string; close(): void })[];
}

test('a push is shown by the worker and closes what was read elsewhere, a press on it opens the room at the message, and the notice goes with it', async ({
  page,
  site,
}) => {
  await pushed(page, site, (chat) => ({ address: `${chat}/`, scope: `${chat}/` }));
});

test('so it is on a page of another origin, whose worker imports that of the chat server', {
  tag: '@soak',
}, async ({ page, site }) => {
  let chat = '';
  const web = createServer((request, response) => {
    const isWorker = request.url === '/worker.js';
    response.setHeader('content-type', isWorker ? 'text/javascript' : 'text/html');
    response.end(
      isWorker
        ? `importScripts('${chat}/sw.js');`
        : `<!doctype html><title>Shop</title><script type="module" src="${chat}/php-chat.js"></script>
           <php-chat history="hash" worker="/worker.js"></php-chat>`,
    );
  });
  await once(web.listen(0, '127.0.0.1'), 'listening');
  const origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  await pushed(
    page,
    site,
    (url) => {
      chat = url;
      return { address: `${origin}/`, scope: `${origin}/php-chat/` };
    },
    { CHAT_ORIGINS: origin },
  );
  web.close();
  web.closeAllConnections();
});

/** Switches pushes on at that address, sends one, and presses it. */
async function pushed(
  page: Page,
  site: Site,
  where: (chat: string) => { address: string; scope: string },
  env: Record<string, string> = {},
): Promise<void> {
  const history = await emptyHistory();
  const keyFile = `${history.path}.push-key`;
  writeFileSync(keyFile, randomBytes(32).toString('base64'));
  const chat = await nextChatServer({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_FILES: history.files,
    CHAT_ROOMS: 'lobby,garden',
    CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
    CHAT_PUSH_KEY_FILE: keyFile,
    ...env,
  });
  const { address, scope } = where(chat.url);
  const context = page.context();
  await context.grantPermissions(['notifications'], { origin: new URL(address).origin });
  const cookie = { name: 'PHPSESSID', value: await site.login('alice'), httpOnly: true };
  await context.addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
  const { p256dh, auth } = browserKeys();
  const keys = { p256dh: p256dh.toString('base64url'), auth: auth.toString('base64url') };
  let worker: Worker | undefined;
  await page.exposeFunction(
    'notices',
    () =>
      worker?.evaluate(() =>
        (self as unknown as WorkerOfTest).shown.map(({ tag, data }) => ({ tag, data })),
      ) ?? [],
  );
  await page.exposeFunction('closeNotice', (closed: string) =>
    worker?.evaluate((closed) => {
      for (const { tag, close } of (self as unknown as WorkerOfTest).shown) if (tag === closed) close();
    }, closed),
  );
  // This Chromium reaches no push service, and its pages are not notified of what it allows.
  await page.addInitScript((keys) => {
    const endpoint = 'https://fcm.googleapis.com/fcm/send/of-this-test';
    let subscription: object | null = null;
    Object.defineProperty(Notification, 'permission', { get: () => 'granted' });
    Notification.requestPermission = async () => 'granted';
    // Nor does it show notices: the test keeps a list of them in the worker.
    const { notices, closeNotice } = window as unknown as {
      notices(): Promise<{ tag: string; data: object }[]>;
      closeNotice(tag: string): Promise<void>;
    };
    ServiceWorkerRegistration.prototype.getNotifications = async () =>
      (await notices()).map(({ tag, data }) => {
        return { tag, data, close: () => void closeNotice(tag) } as Notification;
      });
    PushManager.prototype.getSubscription = async () => subscription as PushSubscription | null;
    PushManager.prototype.subscribe = async (options) => {
      const key = String(options?.applicationServerKey).replaceAll('-', '+').replaceAll('_', '/');
      const bytes = Uint8Array.from(atob(key), (character) => character.charCodeAt(0));
      const unsubscribe = async () => {
        subscription = null;
      };
      const toJSON = () => ({ endpoint, keys });
      subscription = { endpoint, options: { applicationServerKey: bytes.buffer }, toJSON, unsubscribe };
      return subscription as PushSubscription;
    };
  }, keys);
  const client = await context.newCDPSession(page);
  const registrations = new Map<string, string>();
  client.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: all }) => {
    for (const { scopeURL, registrationId } of all) registrations.set(scopeURL, registrationId);
  });
  await client.send('ServiceWorker.enable');
  await page.goto(`${address}#m=garden`);
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();

  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  const turn = page.getByRole('switch', { name: 'Push on this device' });
  await turn.click();
  await expect(turn).toHaveAttribute('aria-checked', 'true');
  await expect.poll(() => registrations.get(scope)).toBeDefined();
  await expect.poll(() => context.serviceWorkers().length).toBe(1);
  const [only] = context.serviceWorkers();
  if (only === undefined) throw new Error('no worker');
  worker = only;
  // Chromium drops a push to a worker that is not active yet; on a busy disk it is stored late.
  const state = () =>
    only.evaluate(() => (self as unknown as WorkerOfTest).registration.active?.state ?? 'none');
  await expect.poll(state).toBe('activated');
  await only.evaluate(() => {
    const worker = self as unknown as WorkerOfTest;
    worker.shown = [];
    worker.registration.showNotification = async (title, options) => {
      const close = () => {
        worker.shown = worker.shown.filter((one) => one !== notice);
      };
      const notice = { title, ...options, close };
      worker.shown = [...worker.shown.filter(({ tag }) => tag !== options?.tag), notice];
    };
    worker.registration.getNotifications = async () => worker.shown as unknown as Notification[];
  });
  const shown = () =>
    only.evaluate(() =>
      (self as unknown as WorkerOfTest).shown.map(({ title, body, tag }) => ({ title, body, tag })),
    );
  const deliver = (notification: { title: string; body: string; tag: string }, data: object) =>
    client.send('ServiceWorker.deliverPushMessage', {
      origin: new URL(address).origin,
      registrationId: registrations.get(scope) as string,
      data: JSON.stringify({
        web_push: 8030,
        notification: { ...notification, navigate: `${address}#m=lobby/1`, silent: true, data },
      }),
    });
  const garden = { title: 'Bob · garden', body: 'It rains', tag: 'php-chat garden' };
  await deliver(garden, { room: 'garden', seq: 1, at: 2, unread: ['garden'] });
  await expect.poll(shown).toEqual([garden]);
  const lobby = { title: 'Bob · lobby', body: 'Bring a rake', tag: 'php-chat lobby' };
  // A push that comes late knows nothing of what was written since.
  await deliver(lobby, { room: 'lobby', seq: 1, at: 1, unread: ['lobby'] });
  await expect.poll(shown).toEqual([garden, lobby]);
  await deliver(lobby, { room: 'lobby', seq: 1, at: 3, unread: ['lobby'] });
  await expect.poll(shown).toEqual([lobby]);

  await only.evaluate(() => {
    const worker = self as unknown as WorkerOfTest;
    const press = Object.assign(new Event('notificationclick'), {
      notification: worker.shown[0],
      waitUntil: () => {},
    });
    worker.dispatchEvent(press);
  });
  await expect(page.getByRole('region', { name: 'lobby' })).toBeVisible();
  await expect.poll(shown).toEqual([]);

  // One of a room from which the user was removed.
  await asUser({ ...site, chat }, 'bob', async (ask) => {
    const den = { name: 'den', kind: 'private', members: ['1'], clientId: 'den' };
    const { room } = await ask('room:create', den);
    await expect(page.getByRole('button', { name: /^den/ })).toBeVisible();
    const secret = { title: 'Bob · den', body: 'Nobody else knows', tag: 'php-chat den' };
    await deliver(secret, { room: room.id, seq: 1, at: 4, unread: [room.id] });
    await expect.poll(shown).toEqual([secret]);
    await ask('room:remove', { room: room.id, user: '1' });
    await expect.poll(shown).toEqual([]);
  });

  // They are for nobody else's eyes: they go with the session, which may end while no page is open.
  const leaveFor = async (next: string | undefined) => {
    await deliver(garden, { room: 'garden', seq: 9, at: 4, unread: ['garden'] });
    await expect.poll(shown).toEqual([garden]);
    if (next !== undefined)
      await context.addCookies([{ ...cookie, value: next, domain: '127.0.0.1', path: '/' }]);
  };
  await leaveFor(undefined);
  await site.memcached.delete(`sessions/${cookie.value}`);
  await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  await expect.poll(shown).toEqual([]);
  await leaveFor('0'.repeat(32));
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Please log in' })).toBeVisible();
  await expect.poll(shown).toEqual([]);
  await leaveFor(await site.login('bob'));
  await page.reload();
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await expect.poll(shown).toEqual([]);
  await chat.stop();
  history.remove();
}
