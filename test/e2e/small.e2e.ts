import type { BrowserContext, Page } from '@playwright/test';
import { privateRoom } from './as-user.ts';
import { expect, type Site, test } from './fixtures.ts';
import { ownUser } from './own-user.ts';

const LONG = 'a room whose name is so long that nobody can remember it';

/** The chat page, as somebody of whom no other test knows. */
async function visit(site: Site, context: BrowserContext): Promise<{ page: Page; id: string }> {
  const firstname = 'Nobody With Such A Long Name That It Needs Several Lines';
  const { id } = await ownUser(site, context, { firstname });
  const page = await context.newPage();
  await page.goto(site.chat.url);
  await expect(page.getByRole('textbox', { name: /^Message to/ })).toBeVisible();
  return { page, id };
}

test('in the smallest element a dialog keeps its buttons in sight, and what it asks scrolls', async ({
  browser,
  site,
}) => {
  const context = await browser.newContext({ viewport: { width: 280, height: 320 } });
  const { page } = await visit(site, context);
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await page.getByRole('button', { name: 'New room or message' }).click();
  await page.getByRole('menuitem', { name: 'New room' }).click();
  const dialog = page.getByRole('dialog', { name: 'New room' });
  await expect(dialog.getByRole('button', { name: 'Create room' })).toBeInViewport({ ratio: 1 });
  await dialog.getByRole('combobox').focus();
  await expect(dialog.getByRole('combobox')).toBeInViewport({ ratio: 1 });
  await expect(dialog.getByRole('heading', { name: 'New room' })).toBeInViewport({ ratio: 1 });
  await context.close();
});

test('a long name is cut: of a room in the field to write in, one’s own below the rooms', async ({
  browser,
  site,
}) => {
  const context = await browser.newContext({ viewport: { width: 360, height: 640 } });
  const { page, id } = await visit(site, context);
  const field = page.getByRole('textbox', { name: /^Message to/ });
  const height = async () => (await field.boundingBox())?.height;
  const before = await height();
  await privateRoom(site, 'bob', LONG, [id]);
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  const own = page.locator('php-chat .me b');
  expect((await own.boundingBox())?.height).toBeLessThan(30);
  await page.getByRole('button', { name: new RegExp(`^${LONG}`) }).click();
  await expect(page.getByRole('textbox', { name: `Message to ${LONG}` })).toBeVisible();
  expect(await height()).toBe(before);
  await context.close();
});
