import sharp from 'sharp';
import { upload } from '../helpers/files.ts';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

test('the list of pinned messages is gone with its room: Esc there leaves what is written', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const market = await privateRoom(site, 'bob', 'market', ['1']);
  const shed = await privateRoom(site, 'bob', 'shed', ['1']);
  await seed(site, 'bob', market, numbered(2));
  await seed(site, 'bob', shed, ['here']);
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room: market });
    for (const seq of [1, 2]) await ask('message:pin', { room: market, seq });
  });
  await alice.open('market');
  await page.getByRole('button', { name: 'All 2 pinned messages' }).press('Enter');
  const list = page.getByRole('dialog', { name: 'Pinned messages' });
  await expect(list.getByRole('button', { name: 'Close' })).toBeFocused();
  // To the room above or below.
  await page.keyboard.press('Control+K');
  await page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^shed/ }).press('Enter');
  await alice.message('here').press('r');
  const strip = page.getByRole('button', { name: 'Cancel reply' });
  await expect(strip).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(strip).toHaveCount(0);
  await page
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name: /^market/ })
    .press('Enter');
  await expect(page.getByRole('button', { name: 'All 2 pinned messages' })).toBeVisible();
  await expect(list).toHaveCount(0);
});

test('pinned messages stand in a bar that leads from one to the next; unpinning can be undone; one alone is hidden here', {
  tag: '@soak',
}, async ({ alice, site }) => {
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
  // The first Escape closes the tooltip of the button, if that has come by then.
  await expect(async () => {
    await page.keyboard.press('Escape');
    await expect(bar.getByRole('button', { name: 'All 3 pinned messages' })).toBeFocused({ timeout: 100 });
  }).toPass();

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

  // From here on it is unread, until the room is opened again.
  const last = alice.message('message 60');
  await last.hover();
  await last.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Mark as unread' }).click();
  const row = page.getByRole('navigation').getByRole('button', { name: /^spring market/ });
  await expect(row).toHaveAccessibleName(/2 unread/);
  await expect(alice.timeline.getByRole('separator', { name: 'New' })).toBeVisible();
  await alice.open('announcements');
  await expect(row).toHaveAccessibleName(/2 unread/);
  await alice.open('spring market');
  await expect(row).not.toHaveAccessibleName(/unread/);
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Mark as unread' }).click();
  await expect(row).toHaveAccessibleName(/1 unread/);
});

test('the name of the room opens its details: people, pictures by month, files, links and pinned messages; arrow keys change the tab, which is kept', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const market = await privateRoom(site, 'alice', 'spring market', ['2']);
  const cookie = `PHPSESSID=${await site.login('bob')}`;
  const headers = { origin: site.php.url };
  const files: { id: string }[] = [];
  for (let n = 0; n < 40; n++) {
    const hue = { background: { r: 6 * n, g: 120, b: 90 }, width: 40, height: 30, channels: 3 as const };
    const picture = await sharp({ create: hue }).png().toBuffer();
    const { file } = await upload(site.chat.url, cookie, picture, {
      room: market,
      name: `${n}.png`,
      headers,
    });
    files.push({ id: file.id });
  }
  const name = 'spring-market-layout.txt';
  const { file } = await upload(site.chat.url, cookie, 'the plan', { room: market, name, headers });
  const seeds = [
    ...files.map((one, n) => ({ text: n % 10 === 0 ? `picture ${n}` : '', files: [one] })),
    { text: 'the layout', files: [{ id: file.id }] },
    { text: 'see https://weather.example/orchard-lane and https://p\u0430y.example' },
  ];
  await seed(site, 'bob', market, seeds);
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room: market });
    await ask('message:pin', { room: market, seq: 41 });
  });
  await alice.open('spring market');
  const title = page.getByRole('button', { name: 'spring market', exact: true });
  await title.click();
  const details = page.getByRole('complementary', { name: 'Details' });
  const tab = (name: RegExp) => details.getByRole('tab', { name });
  await expect(page.getByRole('complementary', { name: 'People' })).toHaveCount(0);
  await expect(tab(/^People 2$/)).toBeFocused();
  await expect(details.getByRole('button', { name: /^Bob/ })).toBeVisible();
  expect(await faultsIn(page, '.about-room')).toEqual([]);

  await page.keyboard.press('ArrowRight');
  await expect(tab(/^Files$/)).toBeFocused();
  const colour = await tab(/^Files$/).evaluate((element) => getComputedStyle(element).color);
  await tab(/^Files$/).hover();
  await expect(tab(/^Files$/)).toHaveCSS('color', colour);
  const pictures = details.locator('.pics button');
  await expect(pictures.first().locator('img')).toBeVisible();
  expect(await pictures.count()).toBeGreaterThanOrEqual(30);
  await pictures.last().scrollIntoViewIfNeeded();
  await expect(pictures).toHaveCount(40);
  await pictures.first().scrollIntoViewIfNeeded();
  await alice.shot('details files');
  expect(await faultsIn(page, '.about-room')).toEqual([]);
  await details.getByRole('button', { name: 'Links' }).click();
  const links = details.getByRole('link');
  await expect(links).toHaveText([/^https:\/\/weather.example/, /^https:\/\/p\u0430y.example/]);
  // Its address may be cut before the end of the host.
  await expect(links.first()).toHaveAttribute('title', 'weather.example');
  await expect(links.last()).toHaveAttribute('title', /^xn--/);
  await details.getByRole('button', { name: 'Files' }).click();
  await expect(details.getByRole('link', { name })).toBeVisible();
  // A message that comes, or is deleted, changes the list.
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room: market });
    await ask('message:delete', { room: market, seq: 41 });
  });
  await expect(details.getByText('No files yet')).toBeVisible();

  await tab(/^Files$/).focus();
  await page.keyboard.press('ArrowRight');
  await expect(details.getByText('This message was deleted.')).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await details.getByRole('button', { name: 'Mentions' }).click();
  await expect(details.getByRole('button', { name: 'Mentions' })).toHaveAttribute('aria-pressed', 'true');
  expect(await faultsIn(page, '.about-room')).toEqual([]);
  await page.keyboard.press('Escape');
  await expect(title).toBeFocused();

  // On a phone it stands in place of the room; the tab is kept.
  await page.setViewportSize({ width: 360, height: 640 });
  await page.reload();
  await title.click();
  await expect(tab(/^Settings$/)).toHaveAttribute('aria-selected', 'true');
  await tab(/^People/).click();
  await alice.shot('details 360');
  await details.getByRole('button', { name: 'Close details' }).click();
  await expect(details).toHaveCount(0);
});
