import sharp from 'sharp';
import { drawable } from '../../client/src/views/emoji/drawable.ts';
import { privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';

test('adds an emoji from the grid as a reaction and to a text', {
  tag: '@soak',
}, async ({ alice, site }) => {
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
  // The emoji is in colour, although the text font has a black and white one.
  const face = await grid.getByRole('button', { name: 'grinning face', exact: true }).screenshot();
  const [red, , blue] = (await sharp(face).stats()).channels;
  expect((red?.mean ?? 0) - (blue?.mean ?? 0)).toBeGreaterThan(20);
  await page.keyboard.press('ArrowDown');
  await expect(grid.getByRole('button', { name: 'thumbs up' }).first()).toBeFocused();
  await page.keyboard.press('ArrowRight');
  await expect(grid.getByRole('button', { name: 'red heart' }).first()).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(field).toBeFocused();
  await field.fill('rocket');
  await expect(grid.locator('.grid button').first()).toHaveText('🚀');
  // Only a few emoji are shown, because axe examines hundreds of buttons slowly.
  expect(await faultsIn(page)).toEqual([]);
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

  // The button inserts several emoji at the caret, and Esc returns to the text.
  await alice.field.fill('Well  done');
  await alice.field.evaluate((text: HTMLTextAreaElement) => text.setSelectionRange(5, 5));
  await page.getByRole('button', { name: 'Emoji', exact: true }).click();
  await expect(field).toBeFocused();
  await field.fill('rocket');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await expect(alice.field).toHaveValue('Well 🚀🚀 done');
  await expect(grid.getByRole('button', { name: 'rocket' }).first()).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(alice.field).toBeFocused();
  // A name after a colon also finds emoji.
  const list = page.getByRole('listbox', { name: 'Emoji' });
  await alice.field.fill('');
  await page.keyboard.type('At 10:30 :w');
  await expect(list).toHaveCount(0);
  await page.keyboard.type('aving');
  await expect(list.getByRole('option').first()).toHaveText(/👋🏽\s*waving hand/);
  // A skin tone needs a larger size than initials to be recognisable.
  await expect(list.getByText('👋🏽', { exact: true })).toHaveCSS('font-size', '17px');
  await page.keyboard.press('Escape');
  await expect(list).toHaveCount(0);
  await page.keyboard.type('x :rocke');
  await expect(list.getByRole('option', { selected: true })).toHaveText(/rocket/);
  await page.keyboard.press('Tab');
  await expect(alice.field).toHaveValue('At 10:30 :wavingx 🚀 ');
  await expect(alice.field).toBeFocused();
  // An exact match is first, even after the beginning of a mention.
  await alice.field.fill('');
  await page.keyboard.type('@Bob has the :key');
  await expect(list.getByRole('option').first()).toHaveText(/🔑\s*key/);
});

test('offers only emoji that the browser draws as one glyph in colour', async ({ page }) => {
  const tried = ['😀', '☺️', '👩🏽‍🚀', '✔️', '🇫🇷', '🡐', 'A', '\u{10fffd}', '👍🏽👍🏽'];
  expect(await page.evaluate(`(${drawable})(${JSON.stringify(tried)})`)).toEqual(tried.slice(0, 5));
});
