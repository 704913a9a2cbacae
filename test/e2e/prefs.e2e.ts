import { browserKeys } from '../helpers/push-service.ts';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, stored, test } from './fixtures.ts';
import { Wire } from './wire.ts';

const refused = { ok: false, error: { code: 'storage_unavailable', message: 'for this test' } };

test('the settings: each room’s notifications are saved at once, blocked people can be unblocked; what cannot be saved is put back', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const wire = await Wire.of(page.context());
  await privateRoom(site, 'bob', 'spring market', ['1']);
  // The server learns a name when that user comes.
  await asUser(site, 'carol', async () => {});
  await asUser(site, 'alice', async (ask) => {
    await ask('direct:open', { user: '3' });
    await ask('user:block', { user: '2', blocked: true });
    await ask('user:block', { user: '3', blocked: true });
  });
  await page.reload();
  await alice.open('lobby');
  const button = page.getByRole('button', { name: 'Settings', exact: true });
  const settings = page.getByRole('region', { name: 'Settings' });
  await button.click();
  await expect(settings.getByRole('heading', { name: 'Settings' })).toBeFocused();
  await expect(button).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByRole('log')).toHaveCount(0);

  const rooms = settings.getByRole('region', { name: 'Rooms' });
  const market = rooms.getByRole('combobox', { name: 'spring market' });
  await expect(market).toHaveValue('all');
  const blocked = settings.getByRole('region', { name: 'Blocked people' });
  await expect(blocked.getByRole('listitem')).toHaveText([/Bob/, /Carol/]);
  await alice.shot('prefs-light');
  expect(await faultsIn(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await faultsIn(page, '.main')).toEqual([]);
  await alice.shot('prefs-dark');
  await page.emulateMedia({ colorScheme: 'light' });

  // The choice is as before when it cannot be saved; it can be tried again.
  wire.answers.set('room:notify', refused);
  await market.selectOption('Nothing');
  const notice = page.getByText('Couldn’t be saved. Nothing has changed.');
  await expect(notice).toBeVisible();
  await expect(market).toHaveValue('all');
  wire.answers.delete('room:notify');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('button', { name: /^spring market.*notifications off/ })).toBeVisible();
  await expect(market).toHaveValue('none');
  await expect(notice).toHaveCount(0);

  wire.answers.set('user:block', refused);
  await blocked.getByRole('button', { name: 'Unblock Bob' }).click();
  await expect(notice).toBeVisible();
  await expect(blocked.getByRole('listitem')).toHaveCount(2);
  wire.answers.delete('user:block');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(blocked.getByRole('listitem')).toHaveText([/Carol/]);
  // On another device.
  await asUser(site, 'alice', (ask) => ask('user:block', { user: '3', blocked: false }));
  await expect(blocked.getByText('You haven’t blocked anyone.')).toBeVisible();

  // Esc closes them where the keyboard is; a room that is opened stands in their place.
  await page.keyboard.press('Escape');
  await expect(settings).toHaveCount(0);
  await expect(button).toBeFocused();
  await expect(page.getByRole('log')).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(settings).toBeVisible();
  await alice.open('spring market');
  await expect(settings).toHaveCount(0);

  // On a phone they are the whole pane, with Back; nothing is wider than the smallest one.
  await page.setViewportSize({ width: 360, height: 740 });
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await button.click();
  await expect(settings).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Rooms' })).toBeHidden();
  // No name is broken within a word, and each choice is read as a whole.
  const lines = await rooms
    .locator('li', { hasText: 'announcements' })
    .locator('bdi')
    .evaluate((name) => {
      const words = new Range();
      words.selectNodeContents(name);
      return words.getClientRects().length;
    });
  expect(lines).toBe(1);
  await alice.shot('prefs-360');
  expect(await faultsIn(page, '.main')).toEqual([]);
  await page.setViewportSize({ width: 280, height: 640 });
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  const scroll = settings.locator('.scroll');
  await expect.poll(() => scroll.evaluate((all) => all.scrollWidth - all.clientWidth)).toBe(0);
  await alice.shot('prefs-280-large');
  await settings.getByRole('button', { name: 'Back to rooms' }).click();
  await expect(button).toBeFocused();
});

test.describe('where the site notifies people who are away', () => {
  test.use({ notices: true });

  test('mails, quiet hours and what is shown are saved at once; a failure puts the switch back; the states of the address', {
    tag: '@soak',
  }, async ({ alice, site }) => {
    const { page } = alice;
    const wire = await Wire.of(page.context());
    await page.reload();
    const stored = () => asUser(site, 'alice', (ask) => ask('notify:get', {}));
    const settings = page.getByRole('region', { name: 'Settings' });
    const open = () => page.getByRole('button', { name: 'Settings', exact: true }).click();
    await open();
    const mail = settings.getByRole('region', { name: 'Email' });
    const on = mail.getByRole('switch', { name: 'Email me when I’m away' });
    await expect(on).toBeChecked();
    const after = mail.getByRole('combobox', { name: 'After' });
    await expect(after.locator('option')).toHaveText(['5 minutes', '15 minutes', '1 hour', 'Once a day']);
    await expect(after).toHaveValue('15');
    await after.selectOption('1 hour');
    await expect.poll(stored).toMatchObject({ mail: 60 });

    const quiet = settings.getByRole('region', { name: 'Quiet hours' });
    await expect(quiet.getByLabel('From', { exact: true })).toHaveValue('22:00');
    await quiet.getByLabel('To', { exact: true }).fill('08:30');
    await quiet.getByLabel('From', { exact: true }).focus();
    const zone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
    await expect.poll(stored).toMatchObject({ quiet: { from: '22:00', to: '08:30', zone } });
    await quiet.getByRole('switch').press('Space');
    await expect(quiet.getByLabel('To', { exact: true })).toHaveCount(0);
    await expect.poll(stored).toMatchObject({ quiet: null });
    await quiet.getByRole('switch').click();
    await expect(quiet.getByLabel('To', { exact: true })).toHaveValue('07:00');

    const shown = settings.getByRole('region', { name: 'What notifications show' });
    await expect(shown.getByText('Shall we meet tomorrow?')).toBeVisible();
    // Users are not notified of their own messages.
    await expect(shown.getByText('Alice')).toHaveCount(0);
    await shown.getByRole('button', { name: 'Name only' }).click();
    await expect(shown.getByText('New message')).toBeVisible();
    await expect.poll(stored).toMatchObject({ text: 'name' });
    for (const [scheme, part] of [
      ['light', undefined],
      ['dark', '.main'],
    ] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      await alice.shot(`notices-${scheme}`);
      expect(await faultsIn(page, part)).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: 'light', forcedColors: 'active' });
    // Without colours the state of a switch is where its knob is, on an outline.
    await expect(on).toHaveCSS('border-top-style', 'solid');
    await alice.shot('notices-forced');
    await page.emulateMedia({ forcedColors: 'none' });

    wire.answers.set('notify:set', refused);
    await on.click();
    await expect(page.getByText('Couldn’t be saved. Nothing has changed.')).toBeVisible();
    await expect(on).toBeChecked();
    wire.answers.delete('notify:set');
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(on).not.toBeChecked();
    await expect(after).toHaveCount(0);
    await expect.poll(stored).toMatchObject({ mail: 'off' });

    const known = { mail: 15, push: false, quiet: null, text: 'text' };
    const reopen = async (answer: unknown) => {
      await page.keyboard.press('Escape');
      wire.answers.set('notify:get', answer);
      await open();
    };
    await reopen({ ok: true, data: { ...known, mailTo: 'alice@garden.example' } });
    await expect(mail.getByText('To alice@garden.example')).toBeVisible();
    await reopen({ ok: true, data: { ...known, mailTo: null } });
    await expect(mail.getByText('This site doesn’t have your email address.')).toBeVisible();
    await expect(on).not.toBeChecked();
    await expect(on).toBeDisabled();
    await reopen({ ok: true, data: { ...known, mail: 'off', mailStoppedAt: Date.now() } });
    await expect(mail.getByText('Turned off on today by the link in an email.')).toBeVisible();
    await reopen(refused);
    await expect(settings.getByText('This didn’t load.')).toBeVisible();
    wire.answers.delete('notify:get');
    await settings.getByRole('button', { name: 'Try again' }).click();
    await expect(on).toBeVisible();

    // On a phone, and with the largest text: nothing is wider than the page.
    for (const width of [360, 280]) {
      await page.setViewportSize({ width, height: 740 });
      if (width === 280)
        await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
      const scroll = settings.locator('.scroll');
      await expect.poll(() => scroll.evaluate((all) => all.scrollWidth - all.clientWidth)).toBe(0);
      await alice.shot(`notices-${width}`);
    }
  });

  test('a browser whose time zone nobody knows: its user is here all the same, and chooses quiet hours', {
    tag: '@soak',
  }, async ({ alice, site }) => {
    const { page } = alice;
    const inZone = (zone: string) =>
      page.addInitScript((timeZone) => {
        const { resolvedOptions } = Intl.DateTimeFormat.prototype;
        Intl.DateTimeFormat.prototype.resolvedOptions = function (this: Intl.DateTimeFormat) {
          return { ...resolvedOptions.call(this), timeZone };
        };
      }, zone);
    const asked = new Map<string, string>();
    const done: string[] = [];
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => {
        const [, id, name] = /^42(\d+)\["([\w:]+)"/.exec(String(payload)) ?? [];
        if (id !== undefined && name !== undefined) asked.set(id, name);
      });
      socket.on('framereceived', ({ payload }) => {
        const [, id = ''] = /^43(\d+)\[\{"ok":true/.exec(String(payload)) ?? [];
        done.push(asked.get(id) ?? '');
      });
    });
    // The first one is newer than the server, the second one is what browsers say that do not know theirs.
    for (const zone of ['Europe/New', 'Etc/Unknown']) {
      await inZone(zone);
      done.length = 0;
      await page.reload();
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await expect.poll(() => done).toContain('client:active');
    }
    const settings = page.getByRole('region', { name: 'Settings' });
    await settings.getByRole('switch', { name: 'Quiet hours' }).click();
    const quiet = () => asUser(site, 'alice', async (ask) => (await ask('notify:get', {})).quiet);
    await expect.poll(quiet).toBeNull();
    await settings.getByRole('switch', { name: 'Quiet hours' }).click();
    await expect.poll(quiet).toMatchObject({ from: '22:00', to: '07:00' });
  });

  test('an offer of mails stands once under a message that was sent; the client says that its user is here', {
    tag: '@soak',
  }, async ({ alice, site }) => {
    const { page } = alice;
    await asUser(site, 'alice', (ask) => ask('notify:set', { mail: 'off' }));
    const frames: string[] = [];
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => frames.push(String(payload))));
    await page.reload();
    await alice.open('board');
    await alice.write('Is stall 12 still free?');
    const card = page.getByRole('group', { name: 'Notifications' });
    await expect(card).toContainText('Get notified when someone replies?');
    await expect(card.getByRole('button')).toHaveText(['Email me', '']);
    await expect(alice.timeline.locator('.group.own + .offer')).toBeVisible();
    expect(await faultsIn(page, '.main')).toEqual([]);
    await alice.shot('offer-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await faultsIn(page, '.main')).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    await alice.shot('offer-360-dark');
    // A room that is shown alone has no list beside it, nor a way back to one: the settings have their cross.
    const chat = page.locator('php-chat');
    await chat.evaluate((element) => {
      element.setAttribute('room', 'board');
      element.setAttribute('single', '');
    });
    await card.getByRole('button', { name: 'Email me' }).click();
    await expect(page.getByText('Saved.', { exact: true })).toBeVisible();
    await expect(card).toHaveCount(0);
    expect(await asUser(site, 'alice', (ask) => ask('notify:get', {}))).toMatchObject({ mail: 15 });
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    const settings = page.getByRole('region', { name: 'Settings' });
    await expect(settings.getByRole('switch').first()).toBeChecked();
    await settings.getByRole('button', { name: 'Close settings' }).click();
    await expect(alice.timeline).toBeVisible();
    await expect(alice.field).toBeFocused();
    await chat.evaluate((element) => {
      for (const name of ['single', 'room']) element.removeAttribute(name);
    });

    const said = frames.filter((frame) => frame.includes('"client:active"'));
    expect(said).toHaveLength(1);
    const zone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
    expect(said[0]).toContain(JSON.stringify({ zone, lang: 'en' }));

    // It is over: even for somebody who has neither again.
    await asUser(site, 'alice', (ask) => ask('notify:set', { mail: 'off' }));
    await page.reload();
    await alice.write('I take it.');
    await expect(alice.message('I take it.').getByText(stored)).toBeVisible();
    await alice.write('And the next one.');
    await expect(alice.message('And the next one.').getByText(stored)).toBeVisible();
    await expect(card).toHaveCount(0);
  });

  test('push: blocked by the browser, from the Home Screen of an iPhone alone, refused, on; other devices can be removed', {
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
    // Chromium of the tests reaches no push service: the test stands for it, and for the answer of the user.
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
            options: { applicationServerKey: Uint8Array.from(bytes, (one) => one.charCodeAt(0)) },
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
    await expect(push.getByText('Last used today')).toBeVisible();
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
    // The notifications of an open page are on: with a push there would be two of one message.
    const ofPage = (on?: boolean) =>
      page.evaluate((on) => {
        const key = Object.keys(localStorage).find((one) => one.endsWith('/notifications')) ?? '';
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
    // This device is not among the others.
    await expect(push.getByRole('listitem')).toHaveCount(2);
    await alice.shot('push-on');
    await push.getByRole('button', { name: 'Remove' }).click();
    await expect(push.getByRole('listitem')).toHaveCount(1);
    await expect.poll(devices).toHaveLength(1);
    await on.click();
    await expect(on).not.toBeChecked();
    await expect.poll(devices).toEqual([]);

    // The offer leads to the same answers.
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
});
