import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

test('pinned messages stand in a bar that leads from one to the next; unpinning can be undone; one alone is hidden here', async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const market = await privateRoom(site, 'alice', 'spring market', ['2']);
  await seed(site, 'bob', market, ['Stall plan: we have **11** and 12', ...numbered(60)]);
  await seed(site, 'alice', market, ['Gate opens at half past six']);
  await alice.open('spring market');
  const bar = page.getByRole('region', { name: 'Pinned messages' });
  const pin = (text: RegExp) => bar.getByRole('button', { name: text });
  const newest = alice.message('Gate opens at half past six');

  await newest.hover();
  await newest.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Pin to room' }).click();
  await expect(pin(/Alice ?: Gate opens at half past six/)).toBeVisible();
  await expect(alice.timeline.getByText('You pinned a message.')).toBeVisible();
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room: market });
    for (const seq of [1, 20]) await ask('message:pin', { room: market, seq });
  });
  await expect(bar.getByRole('button', { name: 'All 3 pinned messages' })).toBeVisible();
  await expect(bar.locator('.marks i')).toHaveCount(3);
  await alice.shot('pins');

  // A press jumps to it; the next one is older.
  await pin(/Bob ?: message 19/).click();
  await expect(alice.message('message 19')).toBeFocused();
  await pin(/Bob ?: Stall plan: we have 11 and 12/).click();
  await expect(alice.messages.filter({ hasText: 'Stall plan' })).toBeFocused();
  await expect(pin(/Alice ?: Gate opens/)).toBeVisible();

  await bar.getByRole('button', { name: 'All 3 pinned messages' }).click();
  const list = page.getByRole('dialog', { name: 'Pinned messages' });
  await expect(list.getByRole('listitem')).toHaveCount(3);
  await alice.shot('pins list');
  expect(await faultsIn(page)).toEqual([]);
  await list.getByRole('button', { name: 'Unpin' }).nth(1).click();
  await expect(list.getByRole('listitem')).toHaveCount(2);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(list.getByRole('listitem')).toHaveCount(3);
  await expect(list.getByRole('listitem').first()).toContainText('Stall plan');
  await page.keyboard.press('Escape');
  await expect(list).toHaveCount(0);
  await bar.getByRole('button', { name: 'All 3 pinned messages' }).press('Enter');
  await expect(list.getByRole('button', { name: 'Close' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(bar.getByRole('button', { name: 'All 3 pinned messages' })).toBeFocused();

  // The same after a reload: the lines in the flow, too. A deleted message says so.
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room: market });
    await ask('message:delete', { room: market, seq: 1 });
  });
  await page.reload();
  await expect(pin(/Bob ?: This message was deleted/)).toBeVisible();
  await expect(alice.timeline.getByText('You pinned a message.')).toHaveCount(3);
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room: market });
    for (const seq of [20, 62]) await ask('message:unpin', { room: market, seq });
  });
  await bar.getByRole('button', { name: 'Hide' }).click();
  await expect(bar).toHaveCount(0);
  await page.reload();
  await expect(alice.timeline.getByText('You pinned a message.')).toHaveCount(1);
  await expect(bar).toHaveCount(0);
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room: market });
    await ask('message:pin', { room: market, seq: 2 });
  });
  await expect(bar.getByRole('button', { name: 'All 2 pinned messages' })).toBeVisible();
});
