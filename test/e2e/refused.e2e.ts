import type { Locator } from '@playwright/test';
import { asUser, privateRoom } from './as-user.ts';
import { expect, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';
import { Wire } from './wire.ts';

const refused = { ok: false, error: { code: 'storage_unavailable', message: 'for this test' } };

test('a later page of links that is refused takes nothing away; tried again, the focus goes on with the new ones', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const shed = await privateRoom(site, 'bob', 'shed', ['1']);
  await seed(site, 'bob', shed, numbered(40, 'https://garden.example/plan'));
  const wire = await Wire.of(page.context());
  await page.reload();
  await alice.open('shed');
  await page.getByRole('button', { name: 'shed', exact: true }).click();
  const details = page.getByRole('complementary', { name: 'Details' });
  // While nothing has come there is a sign of it, after a moment.
  wire.held.add('room:files');
  await details.getByRole('tab', { name: /^Files$/ }).click();
  await expect(details.locator('.bone').first()).toBeVisible();
  wire.held.delete('room:files');
  await details.getByRole('button', { name: 'Links' }).click();
  const links = details.locator('.filelist a');
  await expect(links).toHaveCount(30);
  await expect(details.locator('.bone')).toHaveCount(0);
  wire.answers.set('room:files', refused);
  await links.last().focus();
  await expect(details.getByText('This didn’t load.')).toBeVisible();
  await expect(links).toHaveCount(30);
  const again = details.getByRole('button', { name: 'Try again' });
  wire.answers.delete('room:files');
  await again.press('Enter');
  await expect(links).toHaveCount(40);
  await expect(again).toHaveCount(0);
  await expect(links.nth(30)).toBeFocused();
});

test('older results that are refused take nothing away, and the focus stays in the search', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const shed = await privateRoom(site, 'bob', 'shed', ['1']);
  await seed(site, 'bob', shed, numbered(40, 'spanner'));
  const wire = await Wire.of(page.context());
  await page.reload();
  await alice.open('shed');
  await page.getByRole('button', { name: 'Search in this room' }).click();
  const panel = page.getByRole('complementary', { name: 'Search' });
  const field = panel.getByRole('searchbox', { name: 'Search messages' });
  const hits = panel.locator('button.hit');
  const again = panel.getByRole('button', { name: 'Try again' });
  wire.answers.set('message:search', refused);
  await field.fill('spanner');
  await expect(panel.getByText('Search isn’t available right now.')).toBeVisible();
  wire.answers.delete('message:search');
  await again.press('Enter');
  await expect(hits).toHaveCount(25);
  await expect(field).toBeFocused();
  wire.answers.set('message:search', refused);
  await panel.getByRole('button', { name: 'Older results' }).press('Enter');
  await expect(panel.getByText('Search isn’t available right now.')).toBeVisible();
  await expect(hits).toHaveCount(25);
  wire.answers.delete('message:search');
  await expect(again).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(hits).toHaveCount(40);
  await expect(hits.nth(25)).toBeFocused();
});

test('invite links that are not listed can be asked for again', { tag: '@soak' }, async ({ alice, site }) => {
  const { page } = alice;
  const market = await privateRoom(site, 'alice', 'market', ['2']);
  await asUser(site, 'alice', (ask) => ask('invite:create', { room: market, seconds: 3600, uses: 5 }));
  const wire = await Wire.of(page.context());
  await page.reload();
  await alice.open('market');
  wire.answers.set('invite:list', refused);
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Invite' }).click();
  await page.getByRole('button', { name: 'Create an invite link' }).click();
  const dialog = page.getByRole('dialog', { name: 'Invite link' });
  await expect(dialog.getByRole('alert')).toBeVisible();
  wire.answers.delete('invite:list');
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await expect(dialog.getByRole('listitem')).toHaveText(/Link by you.*0 of 5 joined/);
  await expect(dialog.getByRole('alert')).toHaveCount(0);
  // It is for the list alone.
  wire.answers.set('invite:create', refused);
  await dialog.getByRole('button', { name: 'Create link' }).click();
  await expect(dialog.getByRole('alert')).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Try again' })).toHaveCount(0);
});

test('a person’s card that did not load keeps the keys while it is tried again', { tag: '@soak' }, async ({
  alice,
  bob,
}) => {
  const { page } = alice;
  await bob.open('lobby');
  await bob.write('Hello from Bob.');
  const wire = await Wire.of(page.context());
  await page.reload();
  wire.answers.set('user:about', refused);
  await alice.open('lobby');
  await expect(alice.message('Hello from Bob.')).toBeVisible();
  await alice.timeline.locator('.by-name').last().click();
  const card = page.getByRole('dialog', { name: 'Bob' });
  const again = card.getByRole('button', { name: 'Try again' });
  await expect(again).toBeVisible();
  wire.answers.delete('user:about');
  await again.press('Enter');
  await expect(card.getByText('Here now')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(card).toHaveCount(0);
});

test('an invite link that cannot be looked at now says so, and is tried again', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const market = await privateRoom(site, 'bob', 'market', []);
  const { token } = await asUser(site, 'bob', (ask) =>
    ask('invite:create', { room: market, seconds: 3600, uses: 5 }),
  );
  const wire = await Wire.of(page.context());
  wire.answers.set('invite:look', refused);
  await page.goto(`${site.chat.url}/#join=${token}`);
  const failed = page.getByRole('heading', { name: 'This didn’t load.' });
  await expect(failed).toBeFocused();
  const again = page.getByRole('button', { name: 'Try again' });
  await again.click();
  await expect(failed).toBeFocused();
  wire.answers.delete('invite:look');
  await again.click();
  await expect(page.getByRole('heading', { name: 'market' })).toBeFocused();
  await page.getByRole('button', { name: 'Join market' }).click();
  await expect(page.getByRole('textbox', { name: 'Message to market' })).toBeVisible();
});

test('while a card, a dialog or the landing of a link waits for its answer, a sign of that comes after a moment alone', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const shed = await privateRoom(site, 'alice', 'shed', ['2']);
  await seed(site, 'alice', shed, ['who has read this']);
  await asUser(site, 'bob', (ask) => ask('read:mark', { room: shed, seq: 1 }));
  const wire = await Wire.of(page.context());
  await page.reload();
  await alice.open('shed');
  const seen = page.getByRole('button', { name: 'Seen by everyone' });
  await expect(seen).toBeVisible();
  const bob = page.getByRole('complementary', { name: 'People' }).getByRole('button', { name: /^Bob/ });
  await expect(bob).toBeVisible();
  await page.clock.install();
  const bones = page.locator('php-chat .bone');
  const late = async (request: string, shown: Locator, open: () => Promise<void>) => {
    wire.held.add(request);
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
    await open();
    await expect(async () => {
      await page.clock.runFor(10);
      await expect(shown).toBeVisible({ timeout: 1 });
    }).toPass();
    await expect(bones).toHaveCount(0);
    await page.clock.runFor(300);
    await expect(bones.first()).toBeVisible();
    await page.clock.resume();
    wire.held.delete(request);
  };
  const dialog = page.getByRole('dialog');
  await late('message:seen', dialog, () => seen.dispatchEvent('click'));
  await alice.shot('bones-seen');
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await late('user:about', dialog, () => bob.dispatchEvent('click'));
  await alice.shot('bones-card');
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Invite' }).click();
  await late('invite:list', page.getByLabel('Works for'), () =>
    dialog.getByRole('button', { name: 'Create an invite link' }).dispatchEvent('click'),
  );
  await alice.shot('bones-links');
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  wire.held.add('invite:look');
  await page.goto(`${page.url().split('#')[0]}#join=${'a'.repeat(22)}`);
  await expect(page.locator('php-chat .landing .bone').first()).toBeVisible();
  await alice.shot('bones-landing');
});
