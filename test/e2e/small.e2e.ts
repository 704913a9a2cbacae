import type { Page } from '@playwright/test';
import { asUser } from './as-user.ts';
import { expect, Person, stepInSoak, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';
import { numbered, seed } from './seed.ts';

const rooms = (page: Page) => page.getByRole('navigation', { name: 'Rooms' });
const field = (page: Page, room: string) => page.getByRole('textbox', { name: `Message to ${room}` });
const back = (page: Page) => page.getByRole('button', { name: /^Back to rooms/ });

test('the chat’s own page works on a phone', async ({ page, site }) => {
  const firstname = 'Nobody With Such A Long Name That It Needs Several Lines';
  const user = await ownUser(site, page.context(), { firstname });
  for (const room of ['lobby', 'garden']) await join(site, user, room);
  await page.setViewportSize({ width: 360, height: 640 });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: true });
  await page.goto(site.chat.url);
  await expect(field(page, 'announcements')).toBeVisible();

  await test.step('goes Back from the room to the rooms and keeps the page’s history state', async () => {
    await expect(page).toHaveURL(/#m=announcements$/);
    await page.evaluate(() => history.replaceState({ ...history.state, site: 1 }, ''));
    await page.goBack();
    await expect(rooms(page)).toBeVisible();
    await expect(page).toHaveURL(`${site.chat.url}/`);
    await page.evaluate(() => history.replaceState({ site: 2 }, ''));
    await rooms(page)
      .getByRole('button', { name: /^lobby/ })
      .click();
    await expect(field(page, 'lobby')).toBeVisible();
    await expect(page).toHaveURL(/#m=lobby$/);
    expect(await page.evaluate(() => history.state.site)).toBe(2);
    // The chat's own button does the same.
    await back(page).click();
    await expect(rooms(page)).toBeVisible();
    await expect(page).toHaveURL(`${site.chat.url}/`);
    expect(await page.evaluate(() => history.state.site)).toBe(2);
    await page.goForward();
    await expect(field(page, 'lobby')).toBeVisible();
  });

  await stepInSoak('goes Back to the rooms after a reload and from the URL of a room', async () => {
    await page.reload();
    await expect(field(page, 'lobby')).toBeVisible();
    await page.goBack();
    await expect(rooms(page)).toBeVisible();
    // Back works before the code of the chat and of the panels is loaded.
    const wanted = Promise.withResolvers<void>();
    await page.route(/\/assets\/chat-app-/, async (route) => {
      await wanted.promise;
      await route.continue();
    });
    await page.route(/\/assets\/panels-/, () => {});
    await page.goto(`${site.chat.url}/?again#m=garden`);
    await page.goBack();
    wanted.resolve();
    await expect(rooms(page)).toBeVisible();
    await page.goForward();
    await expect(field(page, 'garden')).toBeVisible();
    // Clicks both before the browser goes back.
    await page.locator('php-chat').evaluate(({ shadowRoot }) => {
      const click = (selector: string) => shadowRoot?.querySelector<HTMLElement>(selector)?.click();
      click('.main > .bar button');
      click('.room[data-key="lobby"]');
    });
    await expect(page).toHaveURL(/#m=lobby$/);
    await expect(field(page, 'lobby')).toBeVisible();
    await page.unroute(/\/assets\/panels-/);
    await page.reload();
  });

  await stepInSoak(
    'opens the same room at the messages that arrived while the rooms were shown',
    async () => {
      const line = page.getByRole('separator', { name: 'New' });
      const bar = page.getByRole('region', { name: 'Catch up' });
      const lobby = rooms(page).getByRole('button', { name: /^lobby/ });
      await expect(field(page, 'lobby')).toBeVisible();
      for (const round of ['first', 'second']) {
        await back(page).click();
        await seed(site, 'bob', 'lobby', [...numbered(40, round), `Who has the key of the ${round}?`]);
        await expect(lobby).toHaveAccessibleName(/41 unread/);
        await lobby.click();
        await expect(line).toBeInViewport();
        await expect(page.getByText(`${round} 1`, { exact: true })).toBeInViewport();
        await expect(bar.getByRole('button', { name: `key of the ${round}` })).toBeVisible();
        // Without news, the reader continues at the same place.
        await page.getByText(`${round} 20`, { exact: true }).scrollIntoViewIfNeeded();
        await back(page).click();
        await lobby.click();
        await expect(page.getByText(`${round} 20`, { exact: true })).toBeInViewport();
        await page.getByRole('button', { name: /^Jump to latest/ }).click();
        await expect(
          page.getByText(`Who has the key of the ${round}?`, { exact: true }).last(),
        ).toBeInViewport();
        await join(site, user, 'lobby');
      }
    },
  );

  const long = 'a room with a name that nobody can remember, nor read at one glance';
  await test.step('cuts long names in the field and the list, but shows them in the details', async () => {
    const height = async () =>
      (await page.getByRole('textbox', { name: /^Message to/ }).boundingBox())?.height;
    const before = await height();
    const topic = `House rules, opening times and more. ${'And more. '.repeat(10)}The end.`;
    await asUser(site, 'bob', (ask) =>
      ask('room:create', { name: long, topic, kind: 'private', members: [user.id], clientId: 'long' }),
    );
    await back(page).click();
    expect((await page.locator('php-chat .me b').boundingBox())?.height).toBeLessThan(30);
    const bar = await page.locator('php-chat .rooms .bar').boundingBox();
    await rooms(page)
      .getByRole('button', { name: new RegExp(`^${long}`) })
      .click();
    await expect(field(page, long)).toHaveCSS('text-overflow', 'ellipsis');
    expect(await height()).toBe(before);
    const cut = (parts: Element[]) =>
      parts.map((part) => part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight);
    const title = page.getByRole('heading', { name: long }).getByRole('button');
    await expect.poll(() => title.locator('bdi, small').evaluateAll(cut)).toEqual([true, true]);
    // With its topic the name has one line, so that it does not touch the edges of the bar.
    expect((await title.locator('bdi').boundingBox())?.height).toBeLessThan(30);
    await title.click();
    const details = page.getByRole('complementary', { name: 'Details' });
    await expect(details.getByRole('heading', { name: long })).toBeInViewport({ ratio: 1 });
    // All panes have the same bar, so that nothing jumps between them.
    for (const pane of ['.main', '.side'])
      expect(await page.locator(`php-chat ${pane} > .bar`).boundingBox()).toEqual(bar);
    await expect(details.getByText('The end.')).toBeInViewport({ ratio: 1 });
    expect(await details.locator('.card-top > :not(.tile)').evaluateAll(cut)).not.toContain(true);
  });

  await test.step('shows the search in the full width', async () => {
    await page.getByRole('button', { name: 'Close details' }).first().click();
    await page.getByRole('button', { name: 'Room menu' }).click();
    await page.getByRole('menuitem', { name: 'Search in this room' }).click();
    const panel = page.getByRole('complementary', { name: 'Search' });
    await expect(panel).toHaveCSS('width', '360px');
    await page.getByRole('button', { name: 'Close search' }).click();
  });

  await test.step('shows the shortcuts while nothing has the focus', async () => {
    await page.locator('php-chat').evaluate(({ shadowRoot }) => {
      (shadowRoot?.activeElement as HTMLElement | null)?.blur();
    });
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await expect(dialog.locator('kbd').first()).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
  });

  await test.step('returns to the rooms after the user is removed from the room', async () => {
    await asUser(site, 'bob', async (ask) => {
      const { rooms } = await ask('room:list', {});
      const room = rooms.find(({ name }) => name === long)?.id;
      await ask('room:remove', { room, user: user.id });
    });
    await expect(page.getByText(`You’re no longer in ${long}.`)).toBeVisible();
    await expect(rooms(page)).toBeVisible();
    await expect(page.getByRole('complementary', { name: 'Details' })).toHaveCount(0);
  });

  await test.step('does not cover a menu with a notice', async () => {
    await rooms(page)
      .getByRole('button', { name: /^garden/ })
      .click();
    await expect(field(page, 'garden')).toBeVisible();
    await page
      .locator('php-chat')
      .evaluate((chat) => (chat as HTMLElement & { openRoom(id: string): void }).openRoom('nowhere'));
    const notice = page.locator('php-chat .toast');
    await expect(notice).toBeVisible();
    await page.getByRole('button', { name: 'Room menu' }).click();
    await expect(page.getByRole('menu', { name: 'Room menu' })).toBeVisible();
    const { x = 0, y = 0, width = 0, height = 0 } = (await notice.boundingBox()) ?? {};
    expect(width).toBeGreaterThan(0);
    const isOnTop = await page
      .locator('php-chat')
      .evaluate(({ shadowRoot }, [x, y]) => shadowRoot?.elementFromPoint(x, y)?.closest('.toast') !== null, [
        x + width / 2,
        y + height / 2,
      ] as const);
    expect(isOnTop).toBe(false);
    await page.keyboard.press('Escape');
  });

  await test.step('does not cut the bar, and keeps names in lists readable, at 200 % text size', async () => {
    await page.evaluate(() => {
      document.documentElement.style.fontSize = '200%';
    });
    const cut = () =>
      page.locator('php-chat').evaluate(({ shadowRoot }) => {
        const parts = '.bar > *, .bar .titles > bdi, .l1 bdi, .who bdi';
        return [...(shadowRoot?.querySelectorAll<HTMLElement>(parts) ?? [])]
          .filter((part) => part.checkVisibility())
          .filter((part) => {
            const at = part.getBoundingClientRect();
            const around = (part.closest('.bar, .room, .person') ?? part).getBoundingClientRect();
            const isOutside =
              at.bottom > around.bottom + 1 || at.right > around.right + 1 || at.left < around.left - 1;
            const isShort = part.localName === 'bdi' && at.width < 120;
            return isOutside || (isShort && part.scrollWidth > part.clientWidth + 1);
          })
          .map((part) => part.outerHTML.slice(0, 60));
      });
    for (const width of [360, 800, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      await expect(page.locator('php-chat .titles bdi')).toBeVisible();
      await expect.poll(cut, `${width}`).toEqual([]);
      if (width > 360) continue;
      await back(page).click();
      await expect.poll(cut, 'rooms').toEqual([]);
      await rooms(page)
        .getByRole('button', { name: /^garden/ })
        .click();
    }
    await new Person(page).shot('large-text');
    await page.setViewportSize({ width: 360, height: 800 });
    await page.locator('php-chat .titles').focus();
    await page.keyboard.press('?');
    const keys = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    const isCut = (list: Element) => list.scrollWidth > list.clientWidth;
    expect(await keys.locator('.body').evaluate(isCut)).toBe(false);
    await page.keyboard.press('Escape');
    await page.evaluate(() => {
      document.documentElement.style.fontSize = '';
    });
  });

  await test.step('scrolls a menu that is higher than the window', async () => {
    await page.setViewportSize({ width: 320, height: 200 });
    await page.getByRole('button', { name: 'Room menu' }).click();
    const menu = page.getByRole('menu', { name: 'Room menu' });
    await expect(menu).toBeInViewport({ ratio: 0.98 });
    for (const item of await menu.getByRole('menuitem').all()) {
      await item.focus();
      await expect(item).toBeInViewport({ ratio: 0.98 });
    }
    await page.keyboard.press('Escape');
  });

  await test.step('keeps the buttons of a dialog visible in the smallest element', async () => {
    await page.setViewportSize({ width: 280, height: 320 });
    await back(page).click();
    await page.getByRole('button', { name: 'New room or message' }).click();
    await page.getByRole('menuitem', { name: 'New room' }).click();
    const dialog = page.getByRole('dialog', { name: 'New room' });
    const people = dialog.getByRole('combobox');
    await expect(dialog.getByRole('button', { name: 'Create room' })).toBeInViewport({ ratio: 1 });
    await people.focus();
    await expect(people).toBeInViewport({ ratio: 1 });
    await expect(dialog.getByRole('heading', { name: 'New room' })).toBeInViewport({ ratio: 1 });
    // Names below the edge would be hidden.
    await people.fill('bob');
    await expect(dialog.getByRole('option').first()).toBeInViewport({ ratio: 0.9 });
    await expect(people).toBeInViewport({ ratio: 1 });
  });
});

test('a right-click, the menu key and a long press on a room open its menu', async ({ alice, site }) => {
  const { page } = alice;
  await alice.open('garden');
  await alice.open('lobby');
  const garden = rooms(page).getByRole('button', { name: /^garden/ });
  const item = (name: string) => page.getByRole('menuitem', { name });
  await seed(site, 'bob', 'garden', ['news']);
  await expect(garden).toHaveAccessibleName(/1 unread/);
  await garden.click({ button: 'right' });
  await item('Mark as read').click();
  await expect(garden).not.toHaveAccessibleName(/unread/);
  await garden.press('Shift+F10');
  await item('Add to favourites').press('Enter');
  await expect(garden).toHaveAccessibleName(/favourite/);
  await expect(field(page, 'lobby')).toBeVisible();

  await page.setViewportSize({ width: 360, height: 640 });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: true });
  await back(page).click();
  const { x = 0, y = 0 } = (await garden.boundingBox()) ?? {};
  const touchPoints = [{ x: x + 60, y: y + 20 }];
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints });
  await expect(item('Archive')).toBeVisible();
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)));
  // Lifting the finger does not open the room.
  await expect(item('Archive')).toBeVisible();
  await alice.shot('room-menu-in-list');
  await item('Turn notifications off').click();
  await item('For 1 hour').click();
  await expect(garden).toHaveAccessibleName(/notifications off/);
  await garden.click();
  await expect(page.getByRole('heading', { name: /^garden ?, notifications off$/ })).toBeVisible();
  await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: false });
});

test('says below the messages that a member who has never opened the chat is not notified', async ({
  page,
  site,
}) => {
  await ownUser(site, page.context());
  const id = 'never-here';
  const registered = await fetch(`${site.chat.url}/api/users`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${site.apiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ users: [{ id, name: 'Zoe' }] }),
  });
  expect(registered.ok).toBe(true);
  await page.goto(site.chat.url);
  await expect(field(page, 'announcements')).toBeVisible();
  await page.evaluate(
    (user) =>
      document.querySelector<HTMLElement & { openDirect(id: string): void }>('php-chat')?.openDirect(user),
    id,
  );
  await field(page, 'Zoe').fill('Welcome');
  const line = page.getByText('Zoe hasn’t opened the chat yet and won’t be notified.');
  await expect(line).toBeHidden();
  await page.keyboard.press('Enter');
  await expect(line).toBeVisible();
});
