import type { Page, Route } from '@playwright/test';
import { io } from 'socket.io-client';
import { asUser, privateRoom } from './as-user.ts';
import { expect, stored, test } from './fixtures.ts';
import { ownUser } from './own-user.ts';

/** Code that is loaded after the first messages. */
const code = /\/assets\/(panels|dialogs)-/;

/** Holds this code back until it is released. */
async function holdUp(page: Page, which = code): Promise<{ asked: Promise<unknown>; letGo(): void }> {
  const free = Promise.withResolvers<void>();
  await page.route(which, async (route) => {
    await free.promise;
    await route.continue();
  });
  return { asked: page.waitForRequest(which), letGo: () => free.resolve() };
}

const menu = (page: Page) => page.getByRole('button', { name: 'Room menu' });

/** Whatever is due to be drawn has been drawn. */
const drawn = (page: Page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

test('the code of menus, people and dialogs comes by itself, after the first messages', async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  await visitor.login(site.php.chatPage, 'alice');
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const held = await holdUp(page);
  await page.reload();
  await held.asked;
  await expect(visitor.field).toBeVisible();
  await expect(page.getByRole('complementary', { name: 'People' })).toHaveCount(0);
  held.letGo();
  await expect(page.getByRole('complementary', { name: 'People' })).toContainText('Alice');
  await expect.poll(() => asked.some((path) => path.includes('/assets/dialogs-'))).toBe(true);
  // Everything is loaded now, so no click waits for anything.
  await page.context().setOffline(true);
  await menu(page).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await expect(page.getByRole('alertdialog')).toBeVisible();
});

test('buttons say their names when that code has come, though nothing else is drawn then', {
  tag: '@soak',
}, async ({ visitor, site }) => {
  const { page } = visitor;
  await page.setViewportSize({ width: 700, height: 700 });
  await visitor.login(site.php.chatPage, 'alice');
  const held = await holdUp(page);
  await page.reload();
  await held.asked;
  await expect(visitor.field).toBeVisible();
  const come = page.waitForEvent('requestfinished', (request) => request.url().includes('/assets/panels-'));
  held.letGo();
  await come;
  await menu(page).hover();
  await expect(page.getByRole('tooltip', { name: 'Room menu' })).toBeVisible();
});

test('a button that is pressed before its code is loaded opens it afterwards', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  await visitor.login(site.php.chatPage, 'alice');
  const held = await holdUp(page);
  await page.reload();
  await held.asked;
  await menu(page).click();
  await expect(page.getByRole('menu')).toHaveCount(0);
  held.letGo();
  await expect(page.getByRole('menuitem').first()).toBeFocused();
  await expect(page.getByRole('menuitem', { name: 'Leave room' })).toBeVisible();
});

test('a menu whose code comes when another room is shown does not open', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  await visitor.login(site.php.chatPage, 'alice');
  const held = await holdUp(page);
  await page.reload();
  await held.asked;
  await menu(page).click();
  await visitor.open('garden');
  held.letGo();
  await expect(page.getByRole('complementary', { name: 'People' })).toBeVisible();
  await drawn(page);
  await expect(page.getByRole('menu')).toHaveCount(0);
});

test('a dialog whose code comes when its room is lost does not open', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  const room = await privateRoom(site, 'bob', 'lost', ['1']);
  await visitor.login(site.php.chatPage, 'alice');
  await visitor.open('lost');
  await visitor.write('the code is 7391');
  await expect(page.getByText(stored)).toBeVisible();
  const held = await holdUp(page, /\/assets\/dialogs-/);
  await page.reload();
  await held.asked;
  await visitor.open('lost');
  await visitor.message('the code is 7391').focus();
  await page.keyboard.press('Delete');
  await asUser(site, 'bob', (ask) => ask('room:remove', { room, user: '1' }));
  await expect(page.getByRole('button', { name: /^lost/ })).toHaveCount(0);
  held.letGo();
  // Another dialog of the same code opens.
  await menu(page).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await expect(page.getByRole('alertdialog')).toContainText('Leave');
  await expect(page.getByRole('alertdialog')).toHaveCount(1);
});

test('a key that is pressed on a message before its code is there opens the menu when it is', {
  tag: '@soak',
}, async ({ visitor, site }) => {
  const { page } = visitor;
  await visitor.login(site.php.chatPage, 'alice');
  await visitor.write('pressed early');
  await expect(page.getByText(stored)).toBeVisible();
  const held = await holdUp(page);
  await page.reload();
  await held.asked;
  await visitor.message('pressed early').focus();
  await page.keyboard.press('Enter');
  held.letGo();
  await expect(page.getByRole('menuitem', { name: 'Add a reaction' })).toBeFocused();
});

/** Blocks everything that is loaded after the first messages, while `fails` is true. */
async function cutOff(page: Page): Promise<{ fails: boolean }> {
  const wire = { fails: true };
  await page.route(code, (route: Route) => (wire.fails ? route.abort() : route.continue()));
  return wire;
}

test('code that cannot be loaded: Try again opens it, and at the second time reloads the page', {
  tag: '@soak',
}, async ({ visitor, site }) => {
  const { page } = visitor;
  await page.setViewportSize({ width: 700, height: 700 });
  await visitor.login(site.php.chatPage, 'alice');
  const wire = await cutOff(page);
  const failed = page.waitForEvent('requestfailed');
  await page.clock.install();
  await page.reload();
  await failed;
  // Nobody has requested it yet.
  await expect(visitor.field).toBeVisible();
  await expect(page.getByText('Something went wrong. Please try again.')).toHaveCount(0);
  let loads = 0;
  page.on('load', () => loads++);
  await menu(page).click();
  const again = page.getByRole('button', { name: 'Try again' });
  const refused = page.waitForEvent('requestfailed');
  await again.click();
  await refused;
  await expect(again).toBeVisible();
  // It stays as long as the user needs to see it.
  await page.clock.fastForward(8000);
  await expect(again).toBeVisible();
  // Loads that the visitor did not ask for do not count: only now is it time for the page.
  expect(loads).toBe(0);
  await Promise.all([page.waitForEvent('load'), again.click()]);
  await expect(visitor.field).toBeVisible();
  await menu(page).click();
  await expect(again).toBeVisible();
  wire.fails = false;
  await again.click();
  await expect(page.getByRole('menuitem', { name: 'Leave room' })).toBeVisible();
  expect(loads).toBe(1);
});

test('code that failed to load is requested again when its part takes the place of a room', {
  tag: '@soak',
}, async ({ browser, site }) => {
  const context = await browser.newContext({ viewport: { width: 700, height: 700 } });
  const { id, session } = await ownUser(site, context);
  const page = await context.newPage();
  const wire = await cutOff(page);
  const failed = page.waitForEvent('requestfailed');
  await page.goto(site.chat.url);
  await failed;
  await expect(page.getByRole('textbox', { name: 'Message to announcements' })).toBeVisible();
  const again = page.getByRole('button', { name: 'Try again' });
  await expect(again).toHaveCount(0);
  // From another device.
  const socket = io(site.chat.url, {
    transports: ['websocket'],
    extraHeaders: { cookie: `PHPSESSID=${session}` },
  });
  await new Promise((resolve) => socket.on('session:ready', resolve));
  await socket.emitWithAck('room:remove', { room: 'announcements', user: id });
  socket.disconnect();
  await expect(again).toBeVisible();
  wire.fails = false;
  await again.click();
  await expect(page.getByRole('heading', { name: 'No room is open' })).toBeVisible();
  await context.close();
});

test('the sheets that come with dialogs and emoji move nothing that is there already', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  await asUser(site, 'alice', (ask) =>
    ask('room:create', {
      name: 'plot',
      topic: 'Rows of beans',
      kind: 'private',
      members: [],
      clientId: 'plot',
    }),
  );
  await alice.open('plot');
  await expect(page.getByRole('complementary', { name: 'People' })).toContainText('Alice');
  await alice.write('hello');
  await expect(page.getByText(stored)).toBeVisible();
  // The button that has the focus again says its name after a moment.
  const places = () =>
    page.locator('php-chat').evaluate(({ shadowRoot }) =>
      Array.from(shadowRoot?.querySelectorAll('.app :not(.tip)') ?? [], (element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return `${element.nodeName} ${element.getAttribute('class')} ${[x, y, width, height]}`;
      }),
    );
  const sheets = () =>
    page.locator('php-chat').evaluate(({ shadowRoot }) => shadowRoot?.adoptedStyleSheets.length);
  const [before, count = 0] = [await places(), await sheets()];
  await menu(page).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await expect(page.getByRole('alertdialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Emoji', exact: true }).click();
  await expect(page.getByRole('dialog', { name: 'Emoji' })).toBeVisible();
  await page.keyboard.press('Escape');
  expect(await sheets()).toBe(count + 2);
  expect(await places()).toEqual(before);
});

test('a guest is asked to log in even if no more code can be loaded', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  await cutOff(page);
  await page.goto(`${site.chat.url}/`);
  await expect(page.getByRole('heading', { name: 'Please log in' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
});
