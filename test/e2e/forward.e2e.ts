import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';

test('a message is forwarded by keyboard into chats that are searched for, after a note; a refusal can be tried again', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await privateRoom(site, 'bob', 'den', ['1']);
  const closed = await privateRoom(site, 'bob', 'notices', ['1']);
  const market = await privateRoom(site, 'bob', 'market', ['1']);
  const cafe = await privateRoom(site, 'bob', 'Café Nord', ['1']);
  const write = (room: string, who: 'all' | 'moderators') =>
    asUser(site, 'bob', (ask) => ask('room:update', { room, write: who }));
  await write(closed, 'moderators');
  await bob.open('lobby');
  await bob.write('Gate opens at half past six.');
  await alice.open('lobby');
  await alice.message('Gate opens at half past six.').focus();
  await page.keyboard.press('f');
  const dialog = page.getByRole('dialog', { name: 'Forward' });
  await expect(dialog.getByText('Gate opens at half past six.')).toBeVisible();
  const find = dialog.getByRole('searchbox', { name: 'Find a chat' });
  await expect(find).toBeFocused();
  await expect(dialog.getByRole('checkbox', { name: /^notices/ })).toBeDisabled();
  await expect(dialog.getByText('read-only')).toBeVisible();
  // With nothing chosen the button does nothing.
  await dialog.getByRole('button', { name: 'Forward', exact: true }).click();
  // Typed and pressed before the list is drawn again.
  await find.evaluate((field: HTMLInputElement) => {
    field.value = 'den';
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
  });
  await expect(dialog.getByRole('checkbox', { name: 'den' })).toBeChecked();
  // As in the list of rooms, accents need not be typed.
  await find.fill('CAFE');
  await expect(dialog.getByRole('checkbox')).toHaveCount(1);
  await expect(dialog.getByRole('checkbox', { name: 'Café' })).toBeVisible();
  await find.fill('');
  await dialog.getByRole('checkbox', { name: 'market' }).check();
  await dialog.getByRole('checkbox', { name: 'Café' }).check();
  await dialog.getByRole('textbox', { name: /^Add a note/ }).fill('For Saturday');
  expect(await faultsIn(page)).toEqual([]);
  await alice.shot('forward');
  await page.setViewportSize({ width: 360, height: 640 });
  expect(await faultsIn(page)).toEqual([]);
  await alice.shot('forward-360');
  await page.setViewportSize({ width: 1280, height: 800 });
  await write(market, 'moderators');
  await write(cafe, 'moderators');
  await dialog.getByRole('textbox', { name: /^Add a note/ }).press('Enter');
  await expect(dialog).toHaveCount(0);

  await bob.open('den');
  await expect(bob.messages).toHaveCount(2);
  await expect(bob.texts.first()).toHaveText('For Saturday');
  // From a public room the author is named.
  await expect(bob.messages.last()).toHaveAccessibleDescription(
    'Forwarded from Bob Gate opens at half past six.',
  );
  await expect(bob.messages.last().getByText('Forwarded from Bob')).toBeVisible();
  await expect(
    page.getByText(/^Couldn’t be forwarded to (market and Café Nord|Café Nord and market)\.$/),
  ).toBeVisible();
  await write(market, 'all');
  await write(cafe, 'all');
  await page.getByRole('button', { name: 'Try again' }).click();
  for (const room of ['Café Nord', 'market']) {
    await bob.open(room);
    await expect(bob.texts).toHaveText(['For Saturday', 'Gate opens at half past six.']);
  }

  // A copy of a message of a private room names nobody, and cannot be edited.
  await bob.write('between us');
  await alice.open('market');
  await alice.message('between us').focus();
  await page.keyboard.press('f');
  await dialog.getByRole('checkbox', { name: 'den' }).check();
  await dialog.getByRole('button', { name: 'Forward to 1' }).click();
  await alice.open('den');
  await expect(alice.messages).toHaveCount(3);
  await expect(alice.messages.last()).toHaveAccessibleDescription('Forwarded between us');
  expect(await faultsIn(page)).toEqual([]);
  await alice.shot('forwarded');
  await alice.messages.last().focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Forward' })).toBeVisible();
  await expect(page.getByRole('menuitem', { name: 'Edit' })).toHaveCount(0);
  await page.keyboard.press('Escape');

  // Without a connection it waits, and arrives once.
  await page.context().setOffline(true);
  await expect(alice.banner).toBeVisible();
  await alice.message('For Saturday').focus();
  await page.keyboard.press('f');
  await dialog.getByRole('checkbox', { name: 'lobby' }).check();
  await dialog.getByRole('button', { name: 'Forward to 1' }).click();
  await expect(dialog).toHaveCount(0);
  await page.context().setOffline(false);
  await bob.open('lobby');
  await expect(bob.messages).toHaveCount(2);
  await expect(bob.message('For Saturday')).toHaveCount(1);
});

test('a room into which one has forwarded a message is not new any more, on no device and at no later visit', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const row = (room: string) =>
    page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: new RegExp(`^${room}\\b`) });
  await alice.open('lobby');
  await alice.write('Gate opens at half past six.');
  await expect(alice.messages.last()).toContainText('Gate opens');
  // Now that the first visit has begun: at its beginning nothing is new.
  const attic = await privateRoom(site, 'bob', 'attic', ['1']);
  await privateRoom(site, 'bob', 'shed', ['1']);
  await expect(row('attic')).toHaveAccessibleName(/, New/);
  await expect(row('shed')).toHaveAccessibleName(/, New/);
  await alice.messages.last().focus();
  await page.keyboard.press('f');
  const dialog = page.getByRole('dialog', { name: 'Forward' });
  await dialog.getByRole('checkbox', { name: 'shed' }).check();
  await dialog.getByRole('button', { name: 'Forward to 1' }).click();
  await expect(row('shed')).toHaveAccessibleName(/^shed , private \d/);
  // The same on another device.
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room: attic });
    await ask('message:send', { room: attic, text: 'from afar', clientId: 'from-afar' });
  });
  await expect(row('attic')).toHaveAccessibleName(/^attic , private \d/);
  await page.reload();
  await expect(row('shed')).toHaveAccessibleName(/^shed , private \d/);
  await expect(row('attic')).toHaveAccessibleName(/^attic , private \d/);
});
