import type { Page, Route } from '@playwright/test';
import { expect, test } from './fixtures.ts';

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
