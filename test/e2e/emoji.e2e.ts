import AxeBuilder from '@axe-core/playwright';
import { privateRoom } from './as-user.ts';
import { expect, test } from './fixtures.ts';

test('beyond the six there is a grid: by keyboard, by name, with a tone of skin that stays', async ({
  alice,
  site,
}) => {
  await privateRoom(site, 'alice', 'emoji', []);
  await alice.open('emoji');
  await alice.write('What a day.');
  await expect(alice.message('What a day.')).toHaveAttribute('aria-posinset', /\d/);
  const { page } = alice;
  const grid = page.getByRole('dialog', { name: 'Emoji' });
  const field = grid.getByRole('searchbox', { name: 'Find emoji' });
  const row = alice.timeline.getByRole('group', { name: 'Reactions' });
  const open = async () => {
    await alice.message('What a day.').focus();
    await page.keyboard.press('+');
    await page.getByRole('menuitem', { name: 'More emoji' }).click();
    await expect(field).toBeFocused();
  };
  await open();
  await expect(grid.getByRole('tab', { selected: true })).toHaveAccessibleName('Smileys');
  await page.keyboard.press('ArrowDown');
  await expect(grid.getByRole('button', { name: 'thumbs up' }).first()).toBeFocused();
  await page.keyboard.press('ArrowRight');
  await expect(grid.getByRole('button', { name: 'red heart' }).first()).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(field).toBeFocused();
  await field.fill('rocket');
  await expect(grid.locator('.grid button').first()).toHaveText('🚀');
  // Of few: to examine hundreds of buttons takes long.
  const { violations } = await new AxeBuilder({ page }).include('php-chat').analyze();
  expect(violations).toEqual([]);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(grid).toHaveCount(0);
  await expect(row.getByRole('button', { name: '🚀 1', pressed: true })).toBeVisible();

  await open();
  await field.fill('waving');
  await grid.getByRole('button', { name: 'waving hand' }).click({ button: 'right' });
  await grid.getByRole('button', { name: '👋🏽' }).click();
  await expect(row.getByRole('button', { name: '👋🏽 1', pressed: true })).toBeVisible();
  await open();
  await field.fill('waving');
  await expect(grid.locator('.grid button').first()).toHaveText('👋🏽');
  await field.fill('no such thing');
  await expect(grid).toContainText('No emoji found');
  await page.keyboard.press('Escape');
  await expect(grid).toHaveCount(0);
});
