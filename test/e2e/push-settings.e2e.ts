import { browserKeys } from '../helpers/push-service.ts';
import { asUser } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';

test.use({ notices: true });

test('shows the push state of this device in the settings and lists the others', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const { key } = (await (await fetch(`${site.chat.url}/push/key`)).json()) as { key: string };
  const device = (name: string) => {
    const { p256dh, auth } = browserKeys();
    const endpoint = `https://fcm.googleapis.com/fcm/send/${name.replaceAll(' ', '-')}`;
    return { endpoint, p256dh: p256dh.toString('base64url'), auth: auth.toString('base64url'), key, name };
  };
  await asUser(site, 'alice', (ask) =>
    ask('device:register', { ...device('Android phone'), page: site.php.chatPage }),
  );
  // Chromium cannot reach push services here, so the test replaces them and the user's answer.
  const here = device('this one');
  await page.addInitScript(({ endpoint, p256dh, auth }) => {
    window.Notification = {
      get permission() {
        return localStorage.getItem('permission') ?? 'default';
      },
      requestPermission: async () => {
        const answer = localStorage.getItem('answer') ?? 'granted';
        localStorage.setItem('permission', answer);
        return answer;
      },
    } as never;
    let subscribed: unknown = null;
    const fake = {
      getSubscription: async () => subscribed,
      subscribe: async ({ applicationServerKey }: { applicationServerKey: string }) => {
        if (localStorage.getItem('service') === 'down') throw new Error('the service is down');
        const bytes = atob(applicationServerKey.replaceAll('-', '+').replaceAll('_', '/'));
        subscribed = {
          options: { applicationServerKey: Uint8Array.from(bytes, (char) => char.charCodeAt(0)) },
          toJSON: () => ({ endpoint, keys: { p256dh, auth } }),
          unsubscribe: async () => {
            subscribed = null;
          },
        };
        return subscribed;
      },
    };
    Object.defineProperty(ServiceWorkerRegistration.prototype, 'pushManager', { get: () => fake });
    if (localStorage.getItem('phone') !== null) {
      Object.defineProperty(navigator, 'standalone', { value: false });
      delete (window as Partial<typeof window>).PushManager;
      delete (window as { Notification?: unknown }).Notification;
    }
  }, here);
  const visit = async (kept: Record<string, string>) => {
    await page.goto(site.chat.url);
    await page.evaluate((values) => {
      for (const name of ['permission', 'answer', 'service', 'phone']) localStorage.removeItem(name);
      for (const [name, value] of Object.entries(values)) localStorage.setItem(name, value);
    }, kept);
    await page.reload();
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
  };
  const push = page.getByRole('region', { name: 'Settings' }).getByRole('region', { name: 'Push' });
  const on = push.getByRole('switch', { name: 'Push on this device' });

  await visit({ permission: 'denied' });
  await expect(push.getByText('Blocked by your browser.')).toBeVisible();
  await expect(push.getByText(/^Choose the icon to the left of the address/)).toBeVisible();
  await expect(on).toBeDisabled();
  await expect(push.getByText(/^Last used (today|yesterday)/)).toBeVisible();
  expect(await faultsIn(page, '.main')).toEqual([]);
  await alice.shot('push-blocked');

  await visit({ phone: 'yes' });
  await expect(push.getByRole('listitem').getByRole('listitem')).toHaveText([
    'Tap Share in the bar below',
    'Choose “Add to Home Screen”',
    'Open the site from there and turn push on',
  ]);
  await alice.shot('push-home');

  await visit({ service: 'down' });
  await on.click();
  await expect(page.getByText('Push couldn’t be turned on.')).toBeVisible();
  await expect(on).not.toBeChecked();
  // Turning pushes on turns the page's own notifications off, because the user would be notified twice.
  const ofPage = (on?: boolean) =>
    page.evaluate((on) => {
      const key = Object.keys(localStorage).find((name) => name.endsWith('/notifications')) ?? '';
      const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as { on?: boolean };
      if (on !== undefined) localStorage.setItem(key, JSON.stringify({ ...kept, on }));
      return kept.on;
    }, on);
  await ofPage(true);
  await page.evaluate(() => localStorage.removeItem('service'));
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(on).toBeChecked();
  await expect.poll(() => ofPage()).toBe(false);
  const devices = () =>
    asUser(site, 'alice', async (ask) => (await ask('device:list', {})).devices.map(({ name }) => name));
  await expect.poll(devices).toHaveLength(2);
  // This device is not listed among the others.
  await expect(push.getByRole('listitem')).toHaveCount(2);
  await alice.shot('push-on');
  await push.getByRole('button', { name: 'Remove' }).click();
  await expect(push.getByRole('listitem')).toHaveCount(1);
  await expect.poll(devices).toHaveLength(1);
  await on.click();
  await expect(on).not.toBeChecked();
  await expect.poll(devices).toEqual([]);

  // The offer after a sent message leads to the same results as the settings.
  await asUser(site, 'alice', (ask) => ask('notify:set', { mail: 'off' }));
  await visit({ answer: 'denied' });
  await alice.open('board');
  await alice.write('Is stall 12 still free?');
  const card = page.getByRole('group', { name: 'Notifications' });
  await expect(card.getByRole('button')).toHaveText(['Push on this device', 'Email me', '']);
  await alice.shot('offer-push');
  await card.getByRole('button', { name: 'Push on this device' }).click();
  const help = page.getByRole('alertdialog', { name: 'Push is blocked' });
  await expect(help).toBeVisible();
  expect(await faultsIn(page)).toEqual([]);
  await alice.shot('push-help');
  await help.getByRole('button', { name: 'Email me' }).click();
  await expect(page.getByText('Saved.', { exact: true })).toBeVisible();
  expect(await asUser(site, 'alice', (ask) => ask('notify:get', {}))).toMatchObject({ mail: 15 });
});
