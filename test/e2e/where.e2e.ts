import type { Page } from '@playwright/test';
import { expect, test } from './fixtures.ts';
import { ownUser } from './own-user.ts';

const field = (page: Page, room: string) =>
  page.getByRole('textbox', { name: `Message to ${room}`, exact: true });
const rooms = (page: Page) => page.getByRole('navigation', { name: 'Rooms' });

test('Back and Forward on a phone move between the rooms, the room and its overlays', async ({
  page,
  site,
}) => {
  await page.setViewportSize({ width: 360, height: 720 });
  await ownUser(site, page.context());
  await page.goto('about:blank');
  await page.goto(site.chat.url);
  await expect(field(page, 'announcements')).toBeVisible();
  await page.getByRole('button', { name: /^Here now/ }).click();
  const people = page.getByRole('complementary', { name: 'Details' });
  await expect(people).toBeVisible();
  await page.goBack();
  await expect(people).toHaveCount(0);
  await expect(field(page, 'announcements')).toBeVisible();
  // Back closes a menu. Closing a menu in another way removes its history entry.
  await page.getByRole('button', { name: 'Room menu' }).click();
  await expect(page.getByRole('menu')).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('menu')).toHaveCount(0);
  await page.getByRole('button', { name: 'Room menu' }).click();
  const popped = page.evaluate(
    () => new Promise((resolve) => addEventListener('popstate', resolve, { once: true })),
  );
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await expect(page.getByRole('alertdialog')).toBeVisible();
  // A second Back before the browser leaves the menu's entry would also leave the room.
  await popped;
  // Waits for the dialog's own history entry, which follows the rendering.
  await page.waitForFunction(() => history.state?.['php-chat']?.above === true);
  await page.goBack();
  await expect(page.getByRole('alertdialog')).toHaveCount(0);
  await expect(field(page, 'announcements')).toBeVisible();
  await page.goBack();
  await expect(rooms(page)).toBeVisible();
  await page.goForward();
  await expect(field(page, 'announcements')).toBeVisible();
  await page.goBack();
  await page.goBack();
  await expect(page).toHaveURL('about:blank');
});
