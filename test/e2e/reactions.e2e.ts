import type { Locator } from '@playwright/test';
import sharp from 'sharp';
import { privateRoom } from './as-user.ts';
import { expect, test } from './fixtures.ts';
import { seed } from './seed.ts';

test('a reaction is given by key, shows at once with everybody, and is taken back by a press', async ({
  alice,
  bob,
  site,
}) => {
  await privateRoom(site, 'alice', 'reactions', ['2']);
  await alice.open('reactions');
  await bob.open('reactions');
  await alice.write('Gate opens at nine.');
  await expect(alice.message('Gate opens at nine.')).toHaveAttribute('aria-posinset', /\d/);
  const row = (person: typeof alice) => person.timeline.getByRole('group', { name: 'Reactions' });
  const offered = bob.page.getByRole('menu', { name: 'Add a reaction' });
  await bob.message('Gate opens at nine.').focus();
  await bob.page.keyboard.press('+');
  await expect(offered.getByRole('menuitem')).toHaveText(['👍', '❤️', '😂', '😮', '😢', '🎉', '']);
  await bob.page.keyboard.press('ArrowRight');
  await bob.page.keyboard.press('Enter');
  await expect(offered).toHaveCount(0);
  await expect(bob.messages.first()).toBeFocused();
  const hearts = { name: '❤️ 1' };
  await expect(row(bob).getByRole('button', { ...hearts, pressed: true })).toBeVisible();
  await expect(row(alice).getByRole('button', { ...hearts, pressed: false })).toBeVisible();
  await expect(alice.page.getByRole('status').filter({ hasText: 'Bob reacted with ❤️' })).toBeAttached();

  await row(alice).getByRole('button', hearts).click();
  await expect(row(bob).getByRole('button', { name: '❤️ 2', pressed: true })).toBeVisible();
  await row(bob).getByRole('button', { name: '❤️ 2' }).hover();
  await expect(bob.page.getByRole('tooltip', { name: 'You and Alice' })).toBeVisible();
  await alice.shot('reactions');
  await row(bob).getByRole('button', { name: '❤️ 2' }).click();
  await row(alice)
    .getByRole('button', { ...hearts, pressed: true })
    .click();
  await expect(row(bob)).toHaveCount(0);
});

test('with a finger: offered on top of the sheet; a long press on a reaction says whose it is', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  await privateRoom(site, 'alice', 'fingers', ['2']);
  await alice.open('fingers');
  await bob.page.locator('php-chat').evaluate((chat) => chat.toggleAttribute('touch', true));
  await bob.open('fingers');
  await alice.write('Bring a **rake**.');
  const message = bob.messages.filter({ hasText: 'Bring a rake.' });
  await expect(message).toBeVisible();
  /** A long press of a finger. */
  const press = async (target: Locator) => {
    const box = await target.boundingBox();
    const at = { clientX: Number(box?.x) + 5, clientY: Number(box?.y) + 5, pointerType: 'touch' };
    await target.dispatchEvent('pointerdown', at);
    return () => target.dispatchEvent('pointerup', at);
  };
  const lift = await press(message.locator('.bubble'));
  const sheet = bob.page.getByRole('menu', { name: 'Message actions' });
  await expect(sheet).toBeVisible();
  await lift();
  await expect(sheet).toContainText('Bring a rake.');
  await expect(sheet.getByRole('menuitem').first()).toHaveText('👍');
  await sheet.getByRole('menuitem').first().focus();
  await bob.page.keyboard.press('Enter');
  const thumb = bob.timeline.getByRole('button', { name: '👍 1' });
  await expect(thumb).toHaveAttribute('aria-pressed', 'true');
  const liftAgain = await press(thumb);
  await expect(bob.page.getByRole('tooltip', { name: 'You' })).toBeVisible();
  await liftAgain();
  await thumb.dispatchEvent('click');
  await expect(thumb).toHaveAttribute('aria-pressed', 'true');
  await expect(sheet).toBeHidden();
});

test('the emoji of reactions and those to choose first are in colour, as all others to choose from are', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'alice', 'faces', []);
  await seed(site, 'alice', room, ['how nice']);
  await alice.open('faces');
  await alice.message('how nice').focus();
  await page.keyboard.press('+');
  const first = page.getByRole('menu').getByText('😂', { exact: true });
  /** How much more red than blue it is. */
  const colour = async (emoji: Locator) => {
    const [red, , blue] = (await sharp(await emoji.screenshot()).stats()).channels;
    return (red?.mean ?? 0) - (blue?.mean ?? 0);
  };
  expect(await colour(first)).toBeGreaterThan(20);
  await first.click();
  const reaction = alice.timeline.locator('.react > span').first();
  await expect(reaction).toHaveText('😂');
  expect(await colour(reaction)).toBeGreaterThan(20);
});
