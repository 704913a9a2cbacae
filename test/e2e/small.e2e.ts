import type { Locator, Page } from '@playwright/test';
import { asUser, privateRoom } from './as-user.ts';
import { expect, type Site, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';
import { shot } from './shot.ts';

const LONG = 'a room with a name that nobody can remember';

/** The chat page, opened by a user whom no other test knows. */
async function visit(site: Site, page: Page, joined: string[] = []): Promise<string> {
  const firstname = 'Nobody With Such A Long Name That It Needs Several Lines';
  const user = await ownUser(site, page.context(), { firstname });
  for (const room of joined) await join(site, user, room);
  await page.goto(site.chat.url);
  await expect(page.getByRole('textbox', { name: /^Message to/ })).toBeVisible();
  return user.id;
}

const rooms = (page: Page) => page.getByRole('navigation', { name: 'Rooms' });

test('in the smallest element a dialog keeps its buttons visible, and its content scrolls', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 280, height: 320 });
  await visit(site, page);
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await page.getByRole('button', { name: 'New room or message' }).click();
  await page.getByRole('menuitem', { name: 'New room' }).click();
  const dialog = page.getByRole('dialog', { name: 'New room' });
  await expect(dialog.getByRole('button', { name: 'Create room' })).toBeInViewport({ ratio: 1 });
  await dialog.getByRole('combobox').focus();
  await expect(dialog.getByRole('combobox')).toBeInViewport({ ratio: 1 });
  await expect(dialog.getByRole('heading', { name: 'New room' })).toBeInViewport({ ratio: 1 });
  // Names below the edge would not be seen.
  await dialog.getByRole('combobox').fill('an-exact-id');
  await expect(dialog.getByRole('option').first()).toBeInViewport({ ratio: 0.9 });
  await expect(dialog.getByRole('combobox')).toBeInViewport({ ratio: 1 });
});

test('a long name is cut: of a room in the field to write in, one’s own below the rooms', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  const id = await visit(site, page);
  const field = page.getByRole('textbox', { name: /^Message to/ });
  const height = async () => (await field.boundingBox())?.height;
  const before = await height();
  const name = `${LONG} ${id}`;
  await privateRoom(site, 'bob', name, [id]);
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  const own = page.locator('php-chat .me b');
  expect((await own.boundingBox())?.height).toBeLessThan(30);
  await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
  await expect(page.getByRole('textbox', { name: `Message to ${name}` })).toBeVisible();
  expect(await height()).toBe(before);
  // Browsers end it with an ellipsis only then: the placeholder's own rule is not enough.
  await expect(field).toHaveCSS('text-overflow', 'ellipsis');
});

for (const [hand, hasTouch] of [
  ['a finger', true],
  ['a mouse', false],
] as const)
  test(`a menu that is higher than the element scrolls, with ${hand}`, {
    tag: hasTouch ? [] : ['@soak'],
  }, async ({ browser, site }) => {
    const context = await browser.newContext({ viewport: { width: 320, height: 200 }, hasTouch });
    const page = await context.newPage();
    await visit(site, page);
    await page.getByRole('button', { name: 'Room menu' }).click();
    const menu = page.getByRole('menu', { name: 'Room menu' });
    await expect(menu).toBeInViewport({ ratio: 0.98 });
    for (const item of await menu.getByRole('menuitem').all()) {
      await item.focus();
      await expect(item).toBeInViewport({ ratio: 0.98 });
    }
    await context.close();
  });

test('on a phone a room that was left, or that one was taken out of, leads to the rooms', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  const id = await visit(site, page);
  const room = await privateRoom(site, 'bob', `attic ${id}`, [id]);
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await rooms(page)
    .getByRole('button', { name: /^attic/ })
    .click();
  await expect(page.getByRole('textbox', { name: `Message to attic ${id}` })).toBeVisible();
  await page.getByRole('button', { name: /^Here now/ }).click();
  await expect(page.getByRole('complementary', { name: 'Details' })).toBeVisible();
  await asUser(site, 'bob', (ask) => ask('room:remove', { room, user: id }));
  await expect(page.getByText(`You’re no longer in attic ${id}.`)).toBeVisible();
  await expect(rooms(page)).toBeVisible();
  await expect(rooms(page).getByRole('button', { name: /^attic/ })).toHaveCount(0);
  await expect(page.getByRole('complementary', { name: 'Details' })).toHaveCount(0);

  // It was the last one, so there is none to show in its place.
  await rooms(page)
    .getByRole('button', { name: /^announcements/ })
    .click();
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Leave room' }).click();
  await expect(rooms(page)).toBeVisible();
  await expect(rooms(page).locator('.room[tabindex="0"]')).toBeFocused();
  await page.setViewportSize({ width: 800, height: 640 });
  await expect(page.getByRole('heading', { name: 'No room is open' })).toBeVisible();
  await expect(page.locator('php-chat .bone')).toHaveCount(0);
  // Neither a new connection nor another visit brings the user back there.
  const left = rooms(page).getByRole('button', { name: 'announcements , not joined' });
  await page.context().setOffline(true);
  await expect(page.getByText('Connection lost', { exact: true })).toBeVisible();
  await page.context().setOffline(false);
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'No room is open' })).toBeVisible();
  await expect(left).toBeVisible();
  await page.reload();
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'No room is open' })).toBeVisible();
  await left.click();
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  await expect(page.getByRole('textbox', { name: 'Message to announcements' })).toBeFocused();
  await page.reload();
  await expect(page.getByRole('textbox', { name: 'Message to announcements' })).toBeVisible();
});

test('on a phone Back leads from the room to the rooms, and only then off the page', async ({
  page,
  site,
}) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await visit(site, page, ['lobby', 'garden']);
  const field = (room: string) => page.getByRole('textbox', { name: `Message to ${room}` });
  await expect(page).toHaveURL(/#m=announcements$/);
  await page.evaluate(() => history.replaceState({ ...history.state, site: 1 }, ''));
  await page.goBack();
  await expect(rooms(page)).toBeVisible();
  await expect(page).toHaveURL(`${site.chat.url}/`);
  await page.evaluate(() => history.replaceState({ site: 2 }, ''));
  await rooms(page)
    .getByRole('button', { name: /^lobby/ })
    .click();
  await expect(field('lobby')).toBeVisible();
  await expect(page).toHaveURL(/#m=lobby$/);
  expect(await page.evaluate(() => history.state.site)).toBe(2);
  // The chat's own button does the same.
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await expect(rooms(page)).toBeVisible();
  await expect(page).toHaveURL(`${site.chat.url}/`);
  expect(await page.evaluate(() => history.state.site)).toBe(2);
  await page.goForward();
  await expect(field('lobby')).toBeVisible();
  await page.reload();
  await expect(field('lobby')).toBeVisible();
  await page.goBack();
  await expect(rooms(page)).toBeVisible();
  // The address of a room opens it.
  await page.goto(`${site.chat.url}/?again#m=garden`);
  await expect(field('garden')).toBeVisible();
  await page.goBack();
  await expect(rooms(page)).toBeVisible();
});

test('on a phone Back leads to the rooms before the chat is loaded, and a room that is opened at once stays', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await visit(site, page, ['lobby', 'garden']);
  await expect(page).toHaveURL(/#m=announcements$/);
  const wanted = Promise.withResolvers<void>();
  await page.route(/\/assets\/chat-app-/, async (route) => {
    await wanted.promise;
    await route.continue();
  });
  await page.reload();
  await page.goBack();
  wanted.resolve();
  await expect(rooms(page)).toBeVisible();
  await page.reload();
  await expect(rooms(page)).toBeVisible();
  // The panels are not there yet.
  await page.route(/\/assets\/panels-/, () => {});
  await page.goto(`${site.chat.url}/?again#m=garden`);
  await expect(page.getByRole('textbox', { name: 'Message to garden' })).toBeVisible();
  await page.goBack();
  await expect(rooms(page)).toBeVisible();
  await page.goForward();
  await expect(page.getByRole('textbox', { name: 'Message to garden' })).toBeVisible();
  // Both before the browser has gone back.
  await page.locator('php-chat').evaluate(({ shadowRoot }) => {
    const press = (selector: string) => shadowRoot?.querySelector<HTMLElement>(selector)?.click();
    press('.main > .bar button');
    press('.room[data-key="lobby"]');
  });
  await expect(page).toHaveURL(/#m=lobby$/);
  await expect(page.getByRole('textbox', { name: 'Message to lobby' })).toBeVisible();
});

test('on a phone the search of a room is in its menu; from the rooms it looks in all of them', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await visit(site, page);
  const where = page.getByRole('group', { name: 'Where' });
  await expect(page.getByRole('button', { name: 'Search in this room' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Search in this room' }).click();
  await expect(page.getByRole('searchbox', { name: 'Search messages' })).toBeFocused();
  await expect(where.getByRole('button', { name: 'This room' })).toHaveAttribute('aria-pressed', 'true');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Room menu' })).toBeFocused();
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await page.getByRole('button', { name: 'Search messages' }).click();
  await expect(page.getByRole('searchbox', { name: 'Search messages' })).toBeFocused();
  await expect(where).toHaveCount(0);
});

test('a notice of success does not cover the field', { tag: '@soak' }, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  const id = await visit(site, page);
  await privateRoom(site, 'bob', `pantry ${id}`, [id]);
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await rooms(page)
    .getByRole('button', { name: /^pantry/ })
    .click();
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Invite' }).click();
  await page.getByRole('combobox').fill('guest-to-be');
  await page.getByRole('option', { name: /guest-to-be/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Invite', exact: true }).click();
  await expect(page.getByText('guest-to-be was invited.')).toBeVisible();
  await page.getByRole('textbox', { name: `Message to pantry ${id}` }).fill('welcome');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText('guest-to-be was invited.')).toHaveCount(0);
});

test('a direct room says who reads it', { tag: '@soak' }, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await visit(site, page);
  await page
    .locator('php-chat')
    .evaluate((chat) => (chat as HTMLElement & { openDirect(id: string): void }).openDirect('nobody-yet'));
  await expect(page.getByText('Say hello. Only nobody-yet and you can see it.')).toBeVisible();
  await page.getByRole('textbox', { name: 'Message to nobody-yet' }).fill('hello');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText('This is the start of your messages with nobody-yet.')).toBeVisible();
});

test('a name and a topic that do not fit in are shown as a whole in the details', { tag: '@soak' }, async ({
  browser,
  site,
}) => {
  const context = await browser.newContext({
    viewport: { width: 360, height: 640 },
    hasTouch: true,
    isMobile: true,
  });
  const page = await context.newPage();
  const id = await visit(site, page);
  // Two lines of the bar hold LONG.
  const longer = `${LONG}, nor read at one glance`;
  const topic = `House rules, opening times and the number of the caretaker. ${'And more. '.repeat(10)}The end.`;
  const members = [id];
  await asUser(site, 'bob', (ask) =>
    ask('room:create', { name: longer, topic, kind: 'private', members, clientId: `t-${id}` }),
  );
  await page.getByRole('button', { name: /^Back to rooms/ }).tap();
  await rooms(page)
    .getByRole('button', { name: new RegExp(`^${longer}`) })
    .tap();
  const title = page.getByRole('heading', { name: longer }).getByRole('button');
  const cut = (within: Locator) =>
    within.evaluateAll((parts) =>
      parts.map((part) => part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight),
    );
  await expect.poll(() => cut(title.locator('bdi, small'))).toEqual([true, true]);
  await title.tap();
  const details = page.getByRole('complementary', { name: 'Details' });
  await expect(details.getByRole('heading', { name: longer })).toBeInViewport({ ratio: 1 });
  await expect(details.getByText('The end.')).toBeInViewport({ ratio: 1 });
  expect(await cut(details.locator('.card-top > *'))).not.toContain(true);
  await context.close();
});

test('with text of 200 % nothing of the bar is cut, and names are read in the lists', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  const id = await visit(site, page);
  await privateRoom(site, 'bob', 'spring fair', [id]);
  await asUser(site, 'bob', async (ask) => {
    const { rooms } = await ask('room:list', {});
    const room = rooms.find(({ name }) => name === 'spring fair')?.id;
    await ask('room:join', { room });
    await ask('message:send', { room, text: 'Stalls are free', clientId: 'stalls' });
  });
  await page.evaluate(() => {
    document.documentElement.style.fontSize = '200%';
  });
  const cut = () =>
    page.locator('php-chat').evaluate(({ shadowRoot }) => {
      const parts = [
        ...(shadowRoot?.querySelectorAll<HTMLElement>('.bar > *, .bar .titles > bdi, .l1 bdi, .who bdi') ??
          []),
      ];
      return parts
        .filter((part) => part.checkVisibility())
        .filter((part) => {
          const [at, around] = [part, part.closest('.bar, .room, .person') ?? part].map((one) =>
            one.getBoundingClientRect(),
          );
          if (at === undefined || around === undefined) return true;
          const outside =
            at.bottom > around.bottom + 1 || at.right > around.right + 1 || at.left < around.left - 1;
          return (
            outside || (part.localName === 'bdi' && at.width < 120 && part.scrollWidth > part.clientWidth + 1)
          );
        })
        .map((part) => part.outerHTML.slice(0, 60));
    });
  for (const width of [360, 800, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await rooms(page)
      .or(page.getByRole('button', { name: /^Back to rooms/ }))
      .first()
      .waitFor();
    if (width === 360) await page.getByRole('button', { name: /^Back to rooms/ }).click();
    expect(await cut(), `${width}`).toEqual([]);
    if (width === 360)
      await rooms(page)
        .getByRole('button', { name: /^spring fair/ })
        .click();
    const name = page.locator('php-chat .titles bdi');
    await expect(name).toBeVisible();
    // The buttons move to another line before the name is cut.
    if (width === 360) expect(await name.evaluate((bdi) => bdi.scrollWidth - bdi.clientWidth)).toBe(0);
    expect(await cut(), `${width}`).toEqual([]);
    await shot(page, `large-text-${width}`);
  }
});

test('on a phone a page that opens a room shows it, whatever stood above the room before', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await visit(site, page, ['garden']);
  await page.getByRole('button', { name: /^Here now/ }).click();
  const details = page.getByRole('complementary', { name: 'Details' });
  await expect(details).toBeVisible();
  await page
    .locator('php-chat')
    .evaluate((chat) => (chat as HTMLElement & { openRoom(id: string): void }).openRoom('garden'));
  await expect(page.getByRole('textbox', { name: 'Message to garden' })).toBeInViewport();
  await expect(details).toHaveCount(0);
});

test('on a phone a notice does not cover a menu', { tag: '@soak' }, async ({ browser, site }) => {
  const context = await browser.newContext({ viewport: { width: 360, height: 640 }, hasTouch: true });
  const page = await context.newPage();
  await visit(site, page);
  await page
    .locator('php-chat')
    .evaluate((chat) => (chat as HTMLElement & { openRoom(id: string): void }).openRoom('nowhere'));
  const notice = page.locator('php-chat .toast');
  await expect(notice).toBeVisible();
  await page.getByRole('button', { name: 'Room menu' }).click();
  const menu = page.getByRole('menu', { name: 'Room menu' });
  await expect(menu).toBeVisible();
  const at = await notice.boundingBox();
  if (at === null) throw new Error('no notice');
  const topmost = await page
    .locator('php-chat')
    .evaluate(
      ({ shadowRoot }, [x, y]) => shadowRoot?.elementFromPoint(x, y)?.closest('.menu, .toast')?.className,
      [at.x + at.width / 2, at.y + at.height / 2] as const,
    );
  expect(topmost).toContain('menu');
  await page.keyboard.press('Escape');
  await expect(notice).toBeVisible();
  await context.close();
});
