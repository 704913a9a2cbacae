import type { Page } from '@playwright/test';
import { expect, test } from './fixtures.ts';

/** Code that is loaded after the first messages. */
const code = /\/assets\/(panels|dialogs)-/;
/** The texts of this code. */
const texts = /\/assets\/late-en-/;

/** Delays this code until `release` is called. */
async function delay(page: Page, which = code): Promise<{ requested: Promise<unknown>; release(): void }> {
  const free = Promise.withResolvers<void>();
  await page.route(which, async (route) => {
    await free.promise;
    await route.continue();
  });
  return { requested: page.waitForRequest(which), release: () => free.resolve() };
}

const menu = (page: Page) => page.getByRole('button', { name: 'Room menu' });

test('loads the code of menus, members and dialogs with its texts after the first messages', async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  await visitor.login(site.php.chatPage, 'alice');
  const paths: string[] = [];
  page.on('request', (request) => paths.push(new URL(request.url()).pathname));
  const delayed = await delay(page);
  const delayedTexts = await delay(page, texts);
  await page.reload();
  await Promise.all([delayed.requested, delayedTexts.requested]);
  await expect(visitor.field).toBeVisible();
  const emoji = page.getByRole('button', { name: 'Emoji' });
  await expect(emoji).toHaveCount(0);
  const loaded = page.waitForEvent('requestfinished', (request) => code.test(request.url()));
  delayed.release();
  await loaded;
  // Late code is not rendered before its texts are loaded.
  await expect(emoji).toHaveCount(0);
  delayedTexts.release();
  await expect(emoji).toBeVisible();
  await expect.poll(() => paths.some((path) => path.includes('/assets/dialogs-'))).toBe(true);
  // Everything is loaded, so clicks work offline.
  await page.context().setOffline(true);
  await menu(page).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await expect(page.getByRole('alertdialog')).toBeVisible();
});

test('offers a retry for code or texts that cannot be loaded, then reloads the page', {
  tag: '@soak',
}, async ({ visitor, site }) => {
  const { page } = visitor;
  await page.setViewportSize({ width: 700, height: 700 });
  await visitor.login(site.php.chatPage, 'alice');
  let failing: RegExp | undefined = code;
  await page.route(/\/assets\//, (route) =>
    failing?.test(route.request().url()) ? route.abort() : route.fallback(),
  );
  const failed = page.waitForEvent('requestfailed');
  await page.clock.install();
  await page.reload();
  await failed;
  // No click has requested the code yet.
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
  // The notice stays longer than usual.
  await page.clock.fastForward(8000);
  await expect(again).toBeVisible();
  // Failed background loads do not count, so the page reloads only now.
  expect(loads).toBe(0);
  failing = texts;
  await Promise.all([page.waitForEvent('load'), again.click()]);
  await expect(visitor.field).toBeVisible();
  await menu(page).click();
  await expect(again).toBeVisible();
  failing = undefined;
  await again.click();
  await expect(page.getByRole('menuitem', { name: 'Leave room' })).toBeVisible();
  expect(loads).toBe(1);
});

test('offers a retry for the card of a login that cannot be loaded, then announces the card', async ({
  page,
  site,
}) => {
  const isPanels = /\/assets\/panels-/;
  await page.route(isPanels, (route) => route.abort());
  await page.goto(
    site.host(`<!doctype html><title>Shop</title><link rel="icon" href="data:,">
      <script type="module" src="${site.chat.url}/php-chat.js"></script><php-chat></php-chat>`),
  );
  const again = page.getByRole('button', { name: 'Try again' });
  await expect(again).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Checking your login…' })).toBeVisible();
  await page.unroute(isPanels);
  await again.click();
  await expect(page.getByRole('heading', { name: 'Please log in' })).toBeVisible();
  await expect(page.locator('php-chat [role="alert"]')).toHaveText('Please log in');
  await expect(again).toHaveCount(0);
});
