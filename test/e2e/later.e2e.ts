import type { Page, Route } from '@playwright/test';
import { expect, test } from './fixtures.ts';

/** Holds up the code that comes after the first messages, until it is let go. */
async function holdUp(page: Page): Promise<{ asked: Promise<unknown>; letGo(): void }> {
  const free = Promise.withResolvers<void>();
  await page.route(/\/assets\/(panels|dialogs)-/, async (route) => {
    await free.promise;
    await route.continue();
  });
  return { asked: page.waitForRequest(/\/assets\/panels-/), letGo: () => free.resolve() };
}

const menu = (page: Page) => page.getByRole('button', { name: 'Room menu' });

test('the code of menus, people and dialogs comes by itself, after the first messages', async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  await visitor.login(site.php.url, 'alice');
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
  // Now that all is here, no press waits for anything.
  await page.context().setOffline(true);
  await menu(page).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await expect(page.getByRole('alertdialog')).toBeVisible();
});

test('what is pressed before its code has come opens when it has', async ({ visitor, site }) => {
  const { page } = visitor;
  await visitor.login(site.php.url, 'alice');
  const held = await holdUp(page);
  await page.reload();
  await held.asked;
  await menu(page).click();
  held.letGo();
  await expect(page.getByRole('menuitem').first()).toBeFocused();
});

test('code that cannot be had: Try again opens what was pressed', async ({ visitor, site }) => {
  const { page } = visitor;
  await page.setViewportSize({ width: 700, height: 700 });
  await visitor.login(site.php.url, 'alice');
  let fails = true;
  const some = /\/assets\/(panels|dialogs)-/;
  await page.route(some, (route: Route) => (fails ? route.abort() : route.continue()));
  const failed = page.waitForEvent('requestfailed');
  await page.reload();
  await failed;
  // Nobody has asked for it yet.
  await expect(visitor.field).toBeVisible();
  await expect(page.getByText('That did not work. Please try again.')).toHaveCount(0);
  await menu(page).click();
  const again = page.getByRole('button', { name: 'Try again' });
  await expect(again).toBeVisible();
  fails = false;
  await again.click();
  // A browser that does not ask twice in the same page gets the page anew.
  await expect(async () => {
    if (!(await page.getByRole('menu').isVisible())) await menu(page).click();
    await expect(page.getByRole('menuitem', { name: 'Leave room' })).toBeVisible({ timeout: 500 });
  }).toPass();
});

test('the card of a guest cannot be had: it says so, and Try again shows it', async ({ visitor, site }) => {
  const { page } = visitor;
  let fails = true;
  await page.route(/\/assets\/panels-/, (route) => (fails ? route.abort() : route.continue()));
  await page.goto(`${site.chat.url}/`);
  await expect(page.getByRole('status').getByText('The chat could not be loaded.')).toBeVisible();
  fails = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('heading', { name: 'Please log in' })).toBeVisible();
});
