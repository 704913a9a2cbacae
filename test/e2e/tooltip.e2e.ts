import { expect, test } from './fixtures.ts';

test('a button that is only a picture says its name: pointed at, after half a second; by keyboard at once; Esc takes it away', async ({
  alice,
}) => {
  const { page } = alice;
  const tip = page.getByRole('tooltip');
  const menu = page.getByRole('button', { name: 'Room menu' });
  // Their code loads with that of the people.
  await expect(page.getByRole('complementary', { name: 'People' })).toBeVisible();
  await page.clock.install();
  // Otherwise it continues by itself, on a slow machine for longer than this waits.
  await page.clock.pauseAt(Date.now() + 60_000);
  await menu.hover();
  await page.clock.runFor(400);
  await expect(tip).toHaveCount(0);
  await page.clock.runFor(200);
  await expect(tip).toHaveText('Room menu');
  await alice.shot('tooltip');
  const [box, button, app] = await Promise.all(
    [tip, menu, page.locator('php-chat .app')].map((part) => part.boundingBox()),
  );
  expect(Number(box?.y)).toBeGreaterThan(Number(button?.y) + Number(button?.height));
  expect(Number(box?.x) + Number(box?.width)).toBeLessThanOrEqual(Number(app?.x) + Number(app?.width));
  await page.mouse.move(600, 600);
  await page.clock.runFor(100);
  await expect(tip).toHaveCount(0);

  await alice.field.focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.clock.runFor(100);
  await expect(tip).toHaveText('Record a voice message');
  await page.keyboard.press('Escape');
  await page.clock.runFor(100);
  await expect(tip).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Record a voice message' })).toBeFocused();

  // The menu that a button has opened is label enough.
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.clock.runFor(100);
  await expect(page.getByRole('menu')).toBeVisible();
  await expect(tip).toHaveCount(0);
});
