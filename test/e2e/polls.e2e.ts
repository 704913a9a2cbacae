import { readFileSync } from 'node:fs';
import type { Locator } from '@playwright/test';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';

test('asks in a poll, and replaces a vote with one click or key', async ({ alice, bob, site }) => {
  await privateRoom(site, 'alice', 'lunch', ['2']);
  await alice.open('lunch');
  await bob.open('lunch');
  const { page } = alice;
  const create = async (what: string) => {
    await page.getByRole('button', { name: 'Attach', exact: true }).click();
    await page.getByRole('menuitem', { name: what, exact: true }).click();
  };
  await create('New event');
  const fields = page.getByRole('dialog', { name: 'New event' });
  await expect(fields.locator('.label')).toHaveText(['Name', 'Start', 'End · optional', 'Place · optional']);
  await page.keyboard.press('Escape');
  await create('New poll');
  const dialog = page.getByRole('dialog', { name: 'New poll' });
  await dialog.getByLabel('Question').fill('What shall we eat?');
  // Enter leads to the next field, also when the poll could be sent already.
  await page.keyboard.press('Enter');
  await expect(dialog.getByLabel('Option 1')).toBeFocused();
  await dialog.getByLabel('Option 1').fill('Pizza');
  await dialog.getByLabel('Option 2').fill('Pizza');
  await expect(dialog.getByText('Same as option 1')).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Send' })).toHaveAttribute('aria-disabled', 'true');
  await dialog.getByLabel('Option 2').fill('Soup');
  await page.keyboard.press('Enter');
  await expect(dialog.getByLabel('Option 3')).toBeFocused();
  await dialog.getByLabel('Option 3').fill('A salad with everything that the garden has today');
  await expect(dialog.getByLabel('Option 4')).toBeVisible();
  expect(await faultsIn(page, '.dialog')).toEqual([]);
  await alice.shot('poll-dialog');
  await expect(dialog.getByLabel('Ends').locator('option:checked')).toHaveText('Never');
  await dialog.getByLabel('Ends').selectOption('day');
  await dialog.getByRole('button', { name: 'Send' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(alice.message('What shall we eat?')).toBeFocused();

  const asked = bob.message('What shall we eat?');
  const option = (name: string) => asked.getByRole('button', { name });
  await option('Soup').click();
  await expect(option('Soup 1')).toHaveAttribute('aria-pressed', 'true');
  await expect(alice.message('What shall we eat?').getByRole('button', { name: 'Soup 1' })).toHaveAttribute(
    'aria-pressed',
    'false',
  );
  await option('Pizza').focus();
  await bob.page.keyboard.press('Enter');
  await expect(option('Pizza 1')).toHaveAttribute('aria-pressed', 'true');
  await expect(option('Soup 0')).toHaveAttribute('aria-pressed', 'false');
  await expect(asked.getByText(/^1 vote · Ends: /)).toBeVisible();
  // Votes are not shown as reactions.
  await expect(asked.getByRole('group', { name: 'Reactions' })).toHaveCount(0);

  const own = alice.message('What shall we eat?');
  await own.getByRole('button', { name: 'Pizza' }).click();
  await expect(option('Pizza 2')).toBeVisible();
  await own.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Edit' })).toHaveCount(0);
  await page.getByRole('menuitem', { name: 'End now' }).click();
  await expect(asked.getByText('2 votes · Ended')).toBeVisible();
  await option('Soup').click({ force: true });
  await expect(option('Soup 0')).toHaveAttribute('aria-disabled', 'true');
  expect(await faultsIn(page)).toEqual([]);
});

test('says why an event cannot be sent', { tag: '@soak' }, async ({ alice, site }) => {
  await privateRoom(site, 'alice', 'plans', []);
  await alice.open('plans');
  const { page } = alice;
  await page.getByRole('button', { name: 'Attach', exact: true }).click();
  await page.getByRole('menuitem', { name: 'New event' }).click();
  const dialog = page.getByRole('dialog', { name: 'New event' });
  await dialog.getByLabel('Name').fill('Summer party');
  await dialog.getByLabel('Start').fill('2027-06-12T15:00');
  const end = dialog.getByLabel('End');
  await end.fill('2027-06-12T14:00');
  await expect(end).toHaveAccessibleDescription('The end is before the start.');
  const send = dialog.getByRole('button', { name: 'Send' });
  await expect(send).toHaveAttribute('aria-disabled', 'true');
  expect(await faultsIn(page, '.dialog')).toEqual([]);
  await end.fill('2027-06-12T16:00');
  await send.click();
  await expect(alice.message('Summer party')).toContainText('15:00–16:00');
});

test('shows polls and events on phones, in the dark and from right to left', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'plans', ['2', '3']);
  // In the zone of the browser, which is this one.
  const start = new Date(2027, 5, 12, 15).getTime();
  const utc = (at: number) => new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room });
    const send = (text: string, poll: object) =>
      ask('message:send', { room, text, clientId: text.replaceAll(/\W/g, '-'), poll });
    await send('Which day?', {
      options: ['Monday', 'Tuesday', 'Wednesday'],
      multiple: true,
      anonymous: true,
    });
    await send('Summer party', {
      event: { start, end: start + 3 * 3_600_000, place: 'Garden, gate 2; bring a chair' },
    });
    await send('Short call', { event: { start } });
    await ask('poll:vote', { room, seq: 2, choice: [1] });
  });
  for (const [user, choices] of Object.entries({ bob: [[1, 3], [3]], carol: [[3], [1]] }))
    await asUser(site, user, async (ask) => {
      await ask('room:join', { room });
      for (const [n, choice] of choices.entries()) await ask('poll:vote', { room, seq: n + 1, choice });
    });
  await alice.open('plans');
  const { page } = alice;
  const day = alice.message('Which day?');
  await day.getByRole('button', { name: 'Wednesday' }).click();
  await expect(day.getByRole('button', { name: 'Wednesday 3' })).toHaveAttribute('aria-pressed', 'true');
  await day.getByRole('button', { name: 'Monday' }).click();
  await expect(day.getByText('5 votes · Several answers · Anonymous')).toBeVisible();
  const party = alice.message('Summer party');
  await expect(party.getByRole('button', { name: 'Coming 2', exact: true })).toHaveAttribute(
    'aria-pressed',
    'true',
  );
  const saved = page.waitForEvent('download');
  await party.getByRole('button', { name: 'Add to calendar' }).click();
  const file = readFileSync(await (await saved).path(), 'utf8');
  expect(file).toContain('SUMMARY:Summer party\r\nLOCATION:Garden\\, gate 2\\; bring a chair\r\n');
  expect(file).toContain(`DTSTART:${utc(start)}\r\nDTEND:${utc(start + 3 * 3_600_000)}\r\n`);
  const call = alice.message('Short call');
  const top = async (part: Locator) => (await part.boundingBox())?.y ?? 0;
  expect(await top(call.getByRole('button', { name: 'Add to calendar' }))).toBeGreaterThan(
    (await top(call.getByText('12 Jun 2027'))) + 10,
  );
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await alice.shot(`polls-${width}-${colorScheme}`);
    }
    expect(await faultsIn(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'light' });
    const chat = page.locator('php-chat');
    await chat.evaluate((element) => Object.assign(element, { lang: 'ar', dir: 'rtl' }));
    await expect(page.getByText('سأحضر').first()).toBeVisible();
    await alice.shot(`polls-${width}-arabic`);
    // No option is wider than the chat.
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await chat.evaluate((element) => Object.assign(element, { lang: 'en', dir: 'ltr' }));
    await expect(page.getByText('Not coming').first()).toBeVisible();
  }
});
