import { asUser } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, Person, test } from './fixtures.ts';

test.use({ roles: true, hold: true });

test('a message that waits is shown to its author alone, then to all; a rejected one says why, and is sent anew', async ({
  site,
  window,
}) => {
  const [carol, dimitri] = [new Person(await window('carol')), new Person(await window('dimitri'))];
  await carol.enter(site, 'carol');
  await dimitri.enter(site, 'dimitri');
  for (const one of [carol, dimitri]) await one.open('lobby');
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
  // Another device of hers has them, too.
  const phone = new Person(await window('phone'));
  await phone.enter(site, 'carol');
  await phone.open('lobby');
  await phone.page.setViewportSize({ width: 360, height: 640 });
  await expect(phone.messages).toHaveCount(2);
  await asUser(site, 'bob', async (ask) => {
    const { held } = await ask('held:list', {});
    const idOf = (text: string) => held.find((one) => one.text === text)?.id;
    await ask('held:approve', { id: idOf('May I bring my dog?') });
    await ask('held:reject', { id: idOf('Forty pallets, cheap'), reason: 'No advertising' });
  });
  await expect(dimitri.messages).toContainText(['May I bring my dog?']);
  const rejected = carol.messages.filter({ hasText: 'pallets' });
  await expect(rejected).toContainText('Not approved: “No advertising”');
  await expect(carol.message('May I bring my dog?')).not.toContainText('Waiting');
  await phone.shot('held-2-rejected-360');
  // It is there after a reload, and its words come back into the field.
  await carol.page.reload();
  await rejected.getByRole('button', { name: 'Edit' }).click();
  await expect(carol.field).toHaveValue('Forty pallets, cheap');
  await expect(rejected).toHaveCount(0);
  await carol.field.fill('See you on Saturday');
  await carol.field.press('Enter');
  await expect(dimitri.messages).toContainText(['May I bring my dog?', 'See you on Saturday']);
  await expect(phone.messages).toHaveCount(2);
  expect(await asUser(site, 'carol', async (ask) => (await ask('held:list', { mine: true })).held)).toEqual(
    [],
  );
});
