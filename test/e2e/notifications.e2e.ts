import { asUser, privateRoom } from './as-user.ts';
import { expect, type Person, test } from './fixtures.ts';
import { seed } from './seed.ts';

interface Shown {
  title: string;
  body: string;
  tag: string;
  silent: boolean;
}

/** Playwright's pages do not control the focus of the window and the notifications of the system. */
declare global {
  interface Window {
    focused: boolean;
    shown: (Shown & { onclick?: () => void })[];
    asked: number;
  }
}

/** Before the page is opened: notifications are recorded in a list, and the test sets the focus of the window. */
async function prepare({ page }: Pick<Person, 'page'>): Promise<void> {
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

const focus = ({ page }: Pick<Person, 'page'>, focused: boolean) =>
  page.evaluate((now) => {
    window.focused = now;
    dispatchEvent(new Event(now ? 'focus' : 'blur'));
  }, focused);

const shown = ({ page }: Pick<Person, 'page'>): Promise<Shown[]> =>
  page.evaluate(() => window.shown.map(({ title, body, tag, silent }) => ({ title, body, tag, silent })));

test('notifications: asked by a press, shown once while no page has the focus, and lead to the message', async ({
  alice,
  site,
}) => {
  const { page } = alice;
  await prepare(alice);
  await page.reload();
  await alice.open('board');
  const card = page.getByRole('group', { name: 'Notifications' });
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

  // A page that has the focus shows none, and no other page does.
  const other = { page: await page.context().newPage() };
  await prepare(other);
  await other.page.goto(site.php.chatPage);
  await expect(other.page.getByText('Connected', { exact: true })).toBeVisible();
  // The focus is reported by code that loads later.
  await expect(other.page.locator('.side')).toBeVisible();
  await focus(alice, false);
  await seed(site, 'bob', 'board', ['seen in the other page']);
  await expect(other.page.locator('.room', { hasText: 'seen in the other page' })).toBeVisible();
  await expect(page.locator('.room', { hasText: 'seen in the other page' })).toBeVisible();
  expect([...(await shown(alice)), ...(await shown(other))]).toEqual([]);

  await focus(other, false);
  await seed(site, 'bob', 'board', [`**Bring** a rake ${'x'.repeat(200)}`]);
  await expect.poll(async () => [...(await shown(alice)), ...(await shown(other))].length).toBe(1);
  for (const one of [page, other.page])
    await expect(one.locator('.room', { hasText: 'Bring a rake' })).toBeVisible();
  const [first, ...more] = [...(await shown(alice)), ...(await shown(other))];
  expect(more).toEqual([]);
  expect(first).toMatchObject({ title: 'Bob · board', silent: true });
  // A notification of a room that is not open contains only the beginning of the message.
  expect(first?.body).toMatch(/^Bring a rake x+$/);
  const shows = (await shown(alice)).length === 1 ? page : other.page;
  await shows.evaluate(() => window.shown[0]?.onclick?.());
  const found = shows.getByRole('log').getByRole('article').filter({ hasText: 'Bring a rake' });
  await expect(found).toBeVisible();
  expect([...(await shown(alice)), ...(await shown(other))]).toEqual([]);

  // The title counts the mention.
  await focus(alice, false);
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room: 'lobby' });
    const mentions = [{ user: '1', start: 0, length: 6 }];
    await ask('message:send', { room: 'lobby', text: '@Alice, look', mentions, clientId: 'look' });
  });
  const titles = async () => [...(await shown(alice)), ...(await shown(other))].map(({ title }) => title);
  await expect.poll(titles).toEqual(['Bob mentioned you in lobby']);

  // The owner of the page may omit private texts.
  await other.page.close();
  await focus(alice, true);
  await page.locator('php-chat').evaluate((chat) => chat.setAttribute('notify-text', 'off'));
  const den = await privateRoom(site, 'bob', 'den', ['1']);
  await expect(page.getByRole('button', { name: /^den\b/ })).toBeVisible();
  await focus(alice, false);
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room: den });
    await ask('message:send', { room: den, text: 'a secret', clientId: 'secret' });
  });
  await expect.poll(() => shown(alice)).toMatchObject([{ title: 'Bob · den', body: '' }]);
  // Notifications of a room are removed when the user is removed from it, or looks at the page again.
  await asUser(site, 'bob', (ask) => ask('room:remove', { room: den, user: '1' }));
  await expect.poll(() => shown(alice)).toEqual([]);
  await seed(site, 'bob', 'board', ['and again']);
  await expect.poll(async () => (await shown(alice)).length).toBe(1);
  await focus(alice, true);
  expect(await shown(alice)).toEqual([]);
});

test('whether to notify is asked at the third visit, and not again for thirty days', {
  tag: '@soak',
}, async ({ alice }) => {
  const { page } = alice;
  await prepare(alice);
  const card = page.getByRole('group', { name: 'Notifications' });
  /** Comes back after this time. */
  const visit = async (days: number) => {
    // The panels' code counts visits.
    await expect(page.locator('.side')).toBeVisible();
    await page.evaluate((ms) => {
      for (const key of Object.keys(localStorage).filter((name) => name.endsWith('/notifications'))) {
        const kept = JSON.parse(localStorage.getItem(key) ?? '{}');
        const earlier = { ...kept, at: kept.at - ms, ...(kept.later && { later: kept.later - ms }) };
        localStorage.setItem(key, JSON.stringify(earlier));
      }
    }, days * 86_400_000);
    await page.reload();
    await expect(page.locator('.side')).toBeVisible();
  };
  for (let visits = 1; visits < 3; visits++) {
    await expect(card).toBeHidden();
    await visit(1);
  }
  await expect(card).toContainText('Get notified when someone writes while this page is in the background.');
  await alice.shot('notifications');
  await card.getByRole('button', { name: 'Not now' }).click();
  await expect(card).toBeHidden();
  await visit(29);
  await expect(card).toBeHidden();
  await visit(2);
  await card.getByRole('button', { name: 'Turn on' }).click();
  await expect(card).toBeHidden();
  expect(await page.evaluate(() => window.asked)).toBe(1);
});

test('whether to notify is asked after the first mention, too', { tag: '@soak' }, async ({ alice, site }) => {
  await prepare(alice);
  await alice.page.reload();
  await alice.open('board');
  const card = alice.page.getByRole('group', { name: 'Notifications' });
  await expect(alice.page.locator('.side')).toBeVisible();
  await expect(card).toBeHidden();
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room: 'board' });
    const mentions = [{ user: '1', start: 0, length: 6 }];
    await ask('message:send', { room: 'board', text: '@Alice, look', mentions, clientId: 'look' });
  });
  await expect(card).toBeVisible();
});
