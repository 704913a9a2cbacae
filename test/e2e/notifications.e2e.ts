import type { Worker } from '@playwright/test';
import { browserKeys } from '../helpers/push-service.ts';
import { asUser, privateRoom } from './as-user.ts';
import { expect, Person, type Site, test } from './fixtures.ts';
import { seed } from './seed.ts';

interface Shown {
  title: string;
  body: string;
  tag: string;
  silent: boolean;
}

/** Playwright cannot control the window's focus and the system's notifications, so the test replaces them. */
declare global {
  interface Window {
    focused: boolean;
    shown: (Shown & { onclick?: () => void })[];
    asked: number;
  }
}

/** Records notifications in a list and lets the test set the focus. Must run before the page opens. */
async function prepare({ page }: Person): Promise<void> {
  await page.addInitScript(() => {
    window.focused = true;
    window.shown = [];
    window.asked = 0;
    document.hasFocus = () => window.focused;
    const permission = () => localStorage.getItem('permission') ?? 'default';
    window.Notification = class {
      static get permission() {
        return permission();
      }
      static async requestPermission() {
        window.asked++;
        localStorage.setItem('permission', 'granted');
      }
      constructor(title: string, options: Omit<Shown, 'title'>) {
        window.shown.push(Object.assign(this, { title, ...options }));
      }
      close() {
        window.shown.splice(window.shown.indexOf(this as never), 1);
      }
    } as never;
  });
}

const focus = ({ page }: Person, focused: boolean) =>
  page.evaluate((now) => {
    window.focused = now;
    dispatchEvent(new Event(now ? 'focus' : 'blur'));
  }, focused);

const shown = async (...persons: Person[]): Promise<Shown[]> => {
  const read = () => window.shown.map(({ title, body, tag, silent }) => ({ title, body, tag, silent }));
  return (await Promise.all(persons.map(({ page }) => page.evaluate(read)))).flat();
};

/** The worker, which records its notifications for the test. */
interface WorkerOfTest extends EventTarget {
  registration: ServiceWorkerRegistration;
  shown: (NotificationOptions & { title: string; close(): void })[];
}

test.use({ notices: true });

test('shows notifications from open pages and the worker', async ({ alice, visitor, site }) => {
  await openPages(alice, site);
  await alice.page.goto('about:blank');
  await pushes(visitor, site);
});

async function openPages(alice: Person, site: Site): Promise<void> {
  const { page } = alice;
  await prepare(alice);
  await page.reload();
  const card = page.getByRole('group', { name: 'Notifications' });
  const other = new Person(await page.context().newPage());

  await test.step('asks for permission on a click', async () => {
    await alice.open('board');
    await expect(card).toBeHidden();
    await page.getByRole('button', { name: 'Room menu' }).click();
    await page.getByRole('menuitem', { name: 'Room settings' }).click();
    const details = page.getByRole('complementary', { name: 'Details' });
    await details.getByRole('button', { name: 'Turn on' }).click();
    await expect(details.getByRole('button', { name: 'Turn on' })).toBeHidden();
    expect(await page.evaluate(() => window.asked)).toBe(1);
    const all = details.getByRole('button', { name: 'All messages' });
    await all.click();
    await expect(all).toHaveAttribute('aria-pressed', 'true');
    await alice.open('garden');
  });

  await test.step('shows no notification while one page has the focus', async () => {
    await prepare(other);
    await other.page.goto(site.php.chatPage);
    // The code that reports the focus loads later.
    await expect(other.page.getByRole('button', { name: 'Emoji' })).toBeVisible();
    await focus(alice, false);
    await seed(site, 'bob', 'board', ['seen in the other page']);
    for (const view of [page, other.page])
      await expect(view.locator('.room', { hasText: 'seen in the other page' })).toBeVisible();
    expect(await shown(alice, other)).toEqual([]);
  });

  await test.step('shows one notification for all unfocused pages, which opens the message on a click', async () => {
    await focus(other, false);
    await seed(site, 'bob', 'board', [`**Bring** a rake ${'x'.repeat(200)}`]);
    await expect.poll(async () => (await shown(alice, other)).length).toBe(1);
    for (const view of [page, other.page])
      await expect(view.locator('.room', { hasText: 'Bring a rake' })).toBeVisible();
    const all = await shown(alice, other);
    // A notification of a room that is not open contains only the beginning of the message.
    const body = expect.stringMatching(/^Bring a rake x+$/);
    expect(all).toEqual([expect.objectContaining({ title: 'Bob · board', silent: true, body })]);
    const shows = (await shown(alice)).length === 1 ? alice : other;
    await shows.page.evaluate(() => window.shown[0]?.onclick?.());
    await expect(shows.messages.filter({ hasText: 'Bring a rake' })).toBeVisible();
    expect(await shown(alice, other)).toEqual([]);
  });

  await test.step('names a mention in the title', async () => {
    await focus(alice, false);
    await asUser(site, 'bob', async (ask) => {
      await ask('room:join', { room: 'lobby' });
      const mentions = [{ user: '1', start: 0, length: 6 }];
      await ask('message:send', { room: 'lobby', text: '@Alice, look', mentions, clientId: 'look' });
    });
    await expect.poll(() => shown(alice, other)).toMatchObject([{ title: 'Bob mentioned you in lobby' }]);
    await other.page.close();
    await focus(alice, true);
  });

  await test.step('omits the text of private rooms with notify-text="off"', async () => {
    await page.locator('php-chat').evaluate((chat) => chat.setAttribute('notify-text', 'off'));
    const den = await privateRoom(site, 'bob', 'den', ['1']);
    await expect(page.getByRole('button', { name: /^den\b/ })).toBeVisible();
    await focus(alice, false);
    await seed(site, 'bob', den, ['a secret']);
    await expect.poll(() => shown(alice)).toMatchObject([{ title: 'Bob · den', body: '' }]);
    await asUser(site, 'bob', (ask) => ask('room:remove', { room: den, user: '1' }));
    await expect.poll(() => shown(alice)).toEqual([]);
    await seed(site, 'bob', 'board', ['and again']);
    await expect.poll(async () => (await shown(alice)).length).toBe(1);
    await focus(alice, true);
    expect(await shown(alice)).toEqual([]);
  });
}

async function pushes({ page }: Person, site: Site): Promise<void> {
  const context = page.context();
  const [address, scope] = [`${site.chat.url}/`, `${site.chat.url}/`];
  const session = await site.login('alice');
  const setSession = (value: string) =>
    context.addCookies([{ name: 'PHPSESSID', value, httpOnly: true, domain: '127.0.0.1', path: '/' }]);
  await context.grantPermissions(['notifications'], { origin: site.chat.url });
  await setSession(session);
  const { p256dh, auth } = browserKeys();
  const keys = { p256dh: p256dh.toString('base64url'), auth: auth.toString('base64url') };
  let worker: Worker | undefined;
  const noticesOf = () => (self as unknown as WorkerOfTest).shown.map(({ tag, data }) => ({ tag, data }));
  await page.exposeFunction('notices', () => worker?.evaluate(noticesOf) ?? []);
  await page.exposeFunction('closeNotice', (closed: string) =>
    worker?.evaluate((closed) => {
      for (const { tag, close } of (self as unknown as WorkerOfTest).shown) if (tag === closed) close();
    }, closed),
  );
  // This Chromium cannot reach push services, and its pages do not get permission changes.
  await page.addInitScript((keys) => {
    const endpoint = 'https://fcm.googleapis.com/fcm/send/of-this-test';
    let subscription: object | null = null;
    Object.defineProperty(Notification, 'permission', { get: () => 'granted' });
    Notification.requestPermission = async () => 'granted';
    // It does not show notifications either, so the worker records them.
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

  const only = await test.step('turns pushes on in the settings', async () => {
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    const turn = page.getByRole('switch', { name: 'Push on this device' });
    await turn.click();
    await expect(turn).toHaveAttribute('aria-checked', 'true');
    await expect.poll(() => registrations.get(scope)).toBeDefined();
    await expect.poll(() => context.serviceWorkers().length).toBe(1);
    return context.serviceWorkers()[0] as Worker;
  });
  worker = only;
  // Chromium drops a push to a worker that is not active yet, and a busy disk delays the activation.
  const state = () =>
    only.evaluate(() => (self as unknown as WorkerOfTest).registration.active?.state ?? 'none');
  await expect.poll(state).toBe('activated');
  await only.evaluate(() => {
    const worker = self as unknown as WorkerOfTest;
    worker.shown = [];
    worker.registration.showNotification = async (title, options) => {
      const close = () => {
        worker.shown = worker.shown.filter((shown) => shown !== notice);
      };
      const notice = { title, ...options, close };
      worker.shown = [...worker.shown.filter(({ tag }) => tag !== options?.tag), notice];
    };
    worker.registration.getNotifications = async () => worker.shown as unknown as Notification[];
  });
  const notices = () =>
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
  const lobby = { title: 'Bob · lobby', body: 'Bring a rake', tag: 'php-chat lobby' };

  await test.step('closes notifications that a newer push reports as read', async () => {
    await deliver(garden, { room: 'garden', seq: 1, at: 2, unread: ['garden'] });
    await expect.poll(notices).toEqual([garden]);
    // This push is older than the notification of the garden.
    await deliver(lobby, { room: 'lobby', seq: 1, at: 1, unread: ['lobby'] });
    await expect.poll(notices).toEqual([garden, lobby]);
    await deliver(lobby, { room: 'lobby', seq: 1, at: 3, unread: ['lobby'] });
    await expect.poll(notices).toEqual([lobby]);
  });

  await test.step('opens the room at the message on a click and closes the notification', async () => {
    await only.evaluate(() => {
      const worker = self as unknown as WorkerOfTest;
      const click = Object.assign(new Event('notificationclick'), {
        notification: worker.shown[0],
        waitUntil: () => {},
      });
      worker.dispatchEvent(click);
    });
    await expect(page.getByRole('region', { name: 'lobby' })).toBeVisible();
    await expect.poll(notices).toEqual([]);
  });

  await test.step('closes the notification of a room when the user is removed', async () => {
    await asUser(site, 'bob', async (ask) => {
      const { room } = await ask('room:create', {
        name: 'den',
        kind: 'private',
        members: ['1'],
        clientId: 'den',
      });
      await expect(page.getByRole('button', { name: /^den/ })).toBeVisible();
      const secret = { title: 'Bob · den', body: 'Nobody else knows', tag: 'php-chat den' };
      await deliver(secret, { room: room.id, seq: 1, at: 4, unread: [room.id] });
      await expect.poll(notices).toEqual([secret]);
      await ask('room:remove', { room: room.id, user: '1' });
      await expect.poll(notices).toEqual([]);
    });
  });

  // The session may also end while no page is open.
  await test.step("closes notifications when the user's session ends", async () => {
    const deliverAgain = async () => {
      await deliver(garden, { room: 'garden', seq: 9, at: 4, unread: ['garden'] });
      await expect.poll(notices).toEqual([garden]);
    };
    await deliverAgain();
    await site.memcached.delete(`sessions/${session}`);
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
    await expect.poll(notices).toEqual([]);
    for (const [next, shows] of [
      ['0'.repeat(32), page.getByRole('heading', { name: 'Please log in' })],
      [await site.login('bob'), page.getByText('Connected', { exact: true })],
    ] as const) {
      await deliverAgain();
      await setSession(next);
      await page.reload();
      await expect(shows).toBeVisible();
      await expect.poll(notices).toEqual([]);
    }
  });
}
