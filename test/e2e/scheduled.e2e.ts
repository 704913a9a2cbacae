import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';

test('schedules a text by mouse and keyboard, lists it, changes it and sends it', { tag: '@soak' }, async ({
  alice,
  bob,
}) => {
  const { page } = alice;
  for (const person of [alice, bob]) await person.open('garden');
  const later = page.getByRole('button', { name: 'Send later' });
  await expect(later).toHaveCount(0);
  await alice.field.fill('Water the tomatoes');
  await later.click();
  const menu = page.getByRole('menu', { name: 'Send later' });
  await expect(menu.getByRole('menuitem')).toContainText([/:/, 'Tomorrow, 09:00', 'Choose a time…']);
  await alice.shot('scheduled-menu');
  expect(await faultsIn(page, '[role="menu"]')).toEqual([]);
  await menu.getByRole('menuitem', { name: 'Tomorrow, 09:00' }).click();
  await expect(alice.field).toHaveValue('');
  const line = page.getByText('Scheduled messages · 1');
  await expect(line).toBeVisible();

  // A right-click or a long press on the send button opens the same menu.
  await alice.field.fill('Harvest the beans');
  await page.getByRole('button', { name: 'Send', exact: true }).click({ button: 'right' });
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Send later' });
  const field = dialog.getByLabel('Choose a time…');
  await field.fill('2020-01-01T10:00');
  await expect(dialog.getByRole('button', { name: 'Send later' })).toHaveAttribute('aria-disabled', 'true');
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  const next = `${new Date().getFullYear() + 1}-01-15T10:30`;
  await field.fill(next);
  await alice.shot('scheduled-time');
  expect(await faultsIn(page, '[role="dialog"], dialog')).toEqual([]);
  await page.keyboard.press('Enter');
  await expect(page.getByText('Scheduled messages · 2')).toBeVisible();

  await page.getByRole('button', { name: 'Show', exact: true }).click();
  const list = page.getByRole('dialog', { name: 'Scheduled messages' });
  await expect(list.getByRole('listitem')).toContainText(['Water the tomatoes', 'Harvest the beans']);
  await alice.shot('scheduled-list');
  expect(await faultsIn(page, '[role="dialog"], dialog')).toEqual([]);
  const row = (text: string) => list.getByRole('listitem').filter({ hasText: text });
  await row('Harvest the beans').getByRole('button', { name: 'Edit' }).click();
  const form = page.getByRole('dialog', { name: 'Edit message' });
  await expect(form.getByLabel('Choose a time…')).toHaveValue(next);
  await form.getByRole('textbox', { name: 'Edit message' }).fill('Harvest the peas');
  await alice.shot('scheduled-edit');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(list.getByRole('listitem')).toContainText(['Water the tomatoes', 'Harvest the peas']);
  const close = list.getByRole('button', { name: 'Close' });
  const place = await close.boundingBox();
  await row('Water the tomatoes').getByRole('button', { name: 'Send now' }).click();
  await expect(row('Water the tomatoes')).toHaveCount(0);
  await row('Harvest the peas').getByRole('button', { name: 'Delete' }).click();
  await expect(list.getByText('No scheduled messages.')).toBeVisible();
  expect(await close.boundingBox()).toEqual(place);
  await close.click();
  await expect(bob.message('Water the tomatoes')).toBeVisible();
  await expect(page.getByText(/^Scheduled messages ·/)).toHaveCount(0);

  // A reminder of the sent message, by keyboard and in all forms.
  await alice.message('Water the tomatoes').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Remind me' }).press('Enter');
  const times = page.getByRole('menu', { name: 'Remind me' });
  await expect(times.getByRole('menuitem', { name: 'In 20 minutes' })).toBeFocused();
  expect(await faultsIn(page, '[role="menu"]')).toEqual([]);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByText(/^Reminder set: /)).toBeVisible();
  await alice.message('Water the tomatoes').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Remind me' }).click();
  await page.getByRole('menuitem', { name: 'Reminders' }).click();
  await expect(row('Water the tomatoes').getByRole('button', { name: 'Show' })).toBeVisible();
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await faultsIn(page, '[role="dialog"], dialog')).toEqual([]);
  }
});

test('fits a phone in light and dark, and in Arabic', { tag: '@soak' }, async ({ alice }) => {
  const { page } = alice;
  await alice.open('garden');
  await page.setViewportSize({ width: 360, height: 720 });
  const chat = page.locator('php-chat');
  await alice.field.fill('Water the tomatoes, and do not forget the beans behind the shed');
  // The text is above the buttons, which would leave little space next to it.
  await expect.poll(async () => (await alice.field.boundingBox())?.width).toBeGreaterThan(300);
  await page.getByRole('button', { name: 'Send later' }).click();
  await alice.shot('scheduled-360-menu');
  await page.getByRole('menuitem', { name: 'Tomorrow, 09:00' }).click();
  await expect(page.getByText('Scheduled messages · 1')).toBeVisible();
  await alice.field.fill('More');
  await alice.shot('scheduled-360-line');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await expect(page.getByRole('dialog')).toContainText('Water the tomatoes');
  await alice.shot('scheduled-360-list');
  expect(await faultsIn(page)).toEqual([]);
  await page.keyboard.press('Escape');
  // A change of the language closes dialogs.
  await chat.evaluate((element) => Object.assign(element, { lang: 'ar' }));
  await expect(page.getByRole('textbox', { name: /^رسالة إلى/ })).toBeVisible();
  await page.locator('php-chat .context .link').click();
  const dialog = page.getByRole('dialog', { name: 'الرسائل المجدولة' });
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    await expect(dialog).toContainText('Water the tomatoes');
    await alice.shot(`scheduled-360-list-ar-${colorScheme}`);
    expect(await faultsIn(page)).toEqual([]);
  }
  const [scrolled, visible] = await dialog.evaluate(({ scrollWidth, clientWidth }) => [
    scrollWidth,
    clientWidth,
  ]);
  expect(scrolled).toBe(visible);
  await dialog.getByRole('button', { name: 'تعديل' }).click();
  await page.emulateMedia({ colorScheme: 'dark' });
  await alice.shot('scheduled-360-edit-ar-dark');
  await page.setViewportSize({ width: 1280, height: 800 });
  await alice.shot('scheduled-1280-edit-ar-dark');
  expect(await faultsIn(page)).toEqual([]);
});
