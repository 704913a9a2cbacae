import { asUser } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, Person, test } from './fixtures.ts';

test.use({ roles: true, hold: true });

test('a message that waits is shown to its author and to a moderator, who decides at its place; a rejected one says why, and is sent anew', async ({
  site,
  window,
}) => {
  const names = ['carol', 'dimitri', 'bob'];
  const [carol, dimitri, bob] = (await Promise.all(
    names.map(async (name) => new Person(await window(name))),
  )) as [Person, Person, Person];
  await carol.enter(site, 'carol');
  await dimitri.enter(site, 'dimitri');
  await bob.enter(site, 'bob');
  for (const one of [carol, dimitri, bob]) await one.open('lobby');
  await carol.write('May I bring my dog?');
  await carol.write('Forty pallets, cheap');
  const said = carol.page.getByRole('status');
  await expect(said.filter({ hasText: 'Waiting for a moderator' })).toHaveCount(1);
  await expect(carol.messages).toContainText([
    /May I bring my dog\?.*Waiting for a moderator/,
    /Forty pallets, cheap.*Waiting for a moderator/,
  ]);
  await expect(carol.messages.first().locator('.bubble')).toHaveCSS('outline-style', 'dashed');
  await expect(dimitri.messages).toHaveCount(0);
  expect((await faultsIn(carol.page, '.timeline')).map(({ id }) => id)).toEqual([]);
  await carol.shot('held-1-waiting');
  await carol.messages.first().focus();
  await carol.page.keyboard.press('Enter');
  await expect(carol.page.getByRole('menuitem')).toHaveText([/^Copy text/, /^Edit/, /^Discard/]);
  await carol.page.keyboard.press('Escape');
  await expect(carol.messages.first()).toBeFocused();
  // Messages of others that come meanwhile stand behind it; the list is the same after a reload.
  await bob.write('The gate is open');
  for (const again of [false, true]) {
    if (again) await bob.page.reload();
    await expect(bob.messages).toContainText([/May I bring my dog\?/, /Forty pallets/, 'The gate is open']);
    await expect(bob.messages.getByText('Waiting for a moderator')).toHaveCount(2);
  }
  expect((await faultsIn(bob.page, '.timeline')).map(({ id }) => id)).toEqual([]);
  await bob.shot('held-2-moderator');
  await bob.message('Forty pallets, cheap').getByRole('button', { name: 'Reject' }).click();
  const dialog = bob.page.getByRole('dialog', { name: 'Reject' });
  await dialog.getByLabel('Reason, shown to Carol').fill('No advertising');
  await bob.shot('held-3-reject');
  await dialog.getByRole('button', { name: 'Reject' }).click();
  await expect(dialog).toHaveCount(0);
  await bob.message('May I bring my dog?').getByRole('button', { name: 'Approve' }).click();
  await expect(bob.messages).toContainText(['The gate is open', 'May I bring my dog?']);
  await expect(bob.messages.getByText('Waiting for a moderator')).toHaveCount(0);
  await expect(dimitri.messages).toContainText(['The gate is open', 'May I bring my dog?']);
  const rejected = carol.messages.filter({ hasText: 'pallets' });
  await expect(rejected).toContainText('Not approved: “No advertising”');
  await expect(carol.message('May I bring my dog?')).not.toContainText('Waiting');
  // It is there after a reload, and its words come back into the field.
  await carol.page.reload();
  await rejected.getByRole('button', { name: 'Edit' }).click();
  await expect(carol.field).toHaveValue('Forty pallets, cheap');
  await expect(rejected).toHaveCount(0);
  await carol.field.fill('See you on Saturday');
  await carol.field.press('Enter');
  await expect(dimitri.messages).toContainText(['May I bring my dog?', 'See you on Saturday']);
  expect(await asUser(site, 'carol', async (ask) => (await ask('held:list', { mine: true })).held)).toEqual(
    [],
  );
});

test('a message that waits is on another device of its author, a phone, where its words can be copied', {
  tag: '@soak',
}, async ({ site, window }) => {
  const [carol, phone] = [new Person(await window('carol')), new Person(await window('phone'))];
  await carol.enter(site, 'carol');
  await carol.open('lobby');
  await carol.write('May I bring my dog?');
  await phone.enter(site, 'carol');
  await phone.open('lobby');
  await phone.page.setViewportSize({ width: 360, height: 640 });
  await expect(phone.messages).toHaveCount(1);
  // Its words can be copied there, too: a long press opens the menu, as on any message.
  const waiting = phone.messages.first();
  const items = phone.page.getByRole('menuitem');
  const devtools = await phone.page.context().newCDPSession(phone.page);
  await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: true });
  await phone.page.reload();
  const { x = 0, y = 0 } = (await waiting.locator('.bubble').boundingBox()) ?? {};
  await devtools.send('Input.dispatchTouchEvent', {
    type: 'touchStart',
    touchPoints: [{ x: x + 9, y: y + 9 }],
  });
  await expect(phone.page.locator('.menu .pick')).toHaveCount(0);
  await expect(items).toHaveText(['Copy text', 'Select text', 'Edit', 'Discard']);
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  expect((await faultsIn(phone.page, '.menu')).map(({ id }) => id)).toEqual([]);
  await phone.shot('held-1-sheet');
  await items.filter({ hasText: 'Select text' }).click();
  await expect(phone.page.getByRole('dialog')).toContainText('May I bring my dog?');
  await phone.page.keyboard.press('Escape');
  await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: false });
});
