import { setTimeout } from 'node:timers/promises';
import type { Locator } from '@playwright/test';
import sharp from 'sharp';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { examined, expect, type Person, stepInSoak, test } from './fixtures.ts';

const openSettings = async ({ page }: Person) => {
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Room settings' }).click();
};
const tileInList = ({ page }: Person): Locator =>
  page
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name: /^lab\b/ })
    .locator('.tile');
const banner = `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="600">
  <path d="M380 90h140v170l150 250H230l150-250z" fill="#111"/><circle cx="450" cy="430" r="60" fill="#fff"/></svg>`;
const color = (tile: Locator) => tile.evaluate((element) => getComputedStyle(element).backgroundImage);

test("shows a room's colour and emoji to others immediately and after a reload", { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  await privateRoom(site, 'alice', 'lab', ['2']);
  for (const person of [alice, bob]) await person.open('lab');
  await openSettings(alice);
  const { page } = alice;
  const colors = page.getByRole('group', { name: 'Colour' });
  await expect(colors.getByRole('radio', { name: 'Automatic' })).toBeChecked();

  await colors.getByRole('radio', { name: 'Blue' }).check();
  await page.keyboard.press('ArrowLeft');
  await expect(colors.getByRole('radio', { name: 'Teal' })).toBeChecked();
  await expect(tileInList(bob)).toHaveClass(/\bh4\b/);
  const settings = page.getByRole('tabpanel', { name: 'Settings' });
  // The grid finds what is typed as soon as it is open, also if the names of emoji load slowly.
  await page.route(/\/words-en-/, (route) => setTimeout(500).then(() => route.continue()));
  await settings.getByRole('button', { name: 'Emoji', exact: true }).press('Enter');
  await page.getByRole('searchbox', { name: 'Find emoji' }).fill('test tube');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const button = settings.getByRole('button', { name: 'Emoji: 🧪' });
  await expect(button).toBeFocused();
  for (const person of [alice, bob]) await expect(tileInList(person)).toHaveText('🧪');
  const header = (person: Person) => person.page.getByRole('heading', { name: 'lab' }).locator('.tile');
  await expect(header(bob).first()).toHaveText('🧪');
  await expect
    .poll(async () => (await color(tileInList(bob))) === (await color(tileInList(alice))))
    .toBe(true);

  // Checks a desktop and the narrowest phone, in light, dark and forced colours.
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    expect(await faultsIn(page, '.about-room')).toEqual([]);
    await alice.shot(`room-look-${scheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  expect(await settings.evaluate((panel) => panel.scrollWidth <= panel.clientWidth)).toBe(true);
  await alice.shot('room-look-phone-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await alice.shot('room-look-phone');
  await page.emulateMedia({ forcedColors: 'active' });
  await expect(page.locator('.card-top .tile')).toHaveCSS('border-top-width', '1px');
  await alice.shot('room-look-forced');
  await page.emulateMedia({ forcedColors: 'none' });
  await page.setViewportSize({ width: 1280, height: 800 });
  // In a wide window the chat goes back from the history entry that the panel has on a phone. That would abort a
  // reload.
  await page.waitForFunction(() => history.state?.['php-chat']?.above === undefined);

  const chosen = await color(tileInList(bob));
  for (const person of [alice, bob]) {
    await person.page.reload();
    await expect(tileInList(person)).toHaveText('🧪');
    expect(await color(tileInList(person))).toBe(chosen);
  }

  await openSettings(alice);
  await settings.getByRole('button', { name: 'Emoji: Remove' }).press('Enter');
  await expect(settings.getByRole('button', { name: 'Emoji', exact: true })).toBeFocused();
  await expect(tileInList(bob)).toHaveText('L');
  expect(await color(tileInList(bob))).toBe(chosen);
});

test('shows a new picture of a room to others immediately, and removes it', { tag: '@soak' }, async ({
  alice,
  bob,
  visitor,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'lab', ['2']);
  for (const person of [alice, bob]) await person.open('lab');
  await openSettings(alice);
  const { page } = alice;
  const settings = page.getByRole('tabpanel', { name: 'Settings' });
  const loaded = (tile: Locator) =>
    tile.locator('img').evaluateAll(([image]) => (image as HTMLImageElement | undefined)?.naturalWidth ?? 0);
  const choose = async (name: string, buffer: Buffer) => {
    const chosen = page.waitForEvent('filechooser');
    await settings.getByRole('button', { name: 'Choose a picture' }).press('Enter');
    await (await chosen).setFiles({ name, mimeType: 'image/png', buffer });
  };
  // A transparent picture, wide as a banner.
  const mark = await sharp(Buffer.from(banner)).png().toBuffer();
  await choose('flask.png', mark);
  for (const person of [alice, bob]) await expect.poll(() => loaded(tileInList(person)), examined).toBe(256);
  await expect.poll(() => loaded(bob.page.locator('h2 .tile'))).toBe(256);
  const source = await tileInList(bob).locator('img').getAttribute('src');

  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    expect(await faultsIn(page, '.about-room')).toEqual([]);
    await alice.shot(`room-picture-${scheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  expect(await settings.evaluate((panel) => panel.scrollWidth <= panel.clientWidth)).toBe(true);
  await alice.shot('room-picture-phone-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 800 });

  await test.step('a file that is not a picture changes nothing', async () => {
    await choose('broken.png', Buffer.from('words'));
    await expect(page.getByText('This kind of file isn’t allowed.')).toBeVisible(examined);
    await expect(tileInList(bob).locator('img')).toHaveAttribute('src', source ?? '');
    await expect.poll(() => loaded(settings.locator('.sign .tile'))).toBe(256);
  });

  await stepInSoak('an invite link shows the picture', async () => {
    const { token } = await asUser(site, 'alice', (ask) => ask('invite:create', { room }));
    await visitor.enter(site, 'carol');
    await visitor.page.goto('about:blank');
    await visitor.page.goto(`${site.php.chatPage}#join=${token}`);
    await expect(visitor.page.getByRole('heading', { name: 'lab' })).toBeVisible();
    await expect.poll(() => loaded(visitor.page.locator('.landing .tile'))).toBe(256);
    await visitor.shot('room-picture-invite');
  });

  await stepInSoak('another topic keeps the picture in the settings', async () => {
    const topic = settings.getByRole('textbox', { name: 'Topic' });
    await topic.fill('flasks');
    await topic.press('Enter');
    await expect(bob.page.getByRole('heading', { name: 'lab flasks' })).toBeVisible();
    expect(await loaded(settings.locator('.sign .tile'))).toBe(256);
  });

  await stepInSoak('a picture that did not load is requested again after a reconnect', async () => {
    const { page: bobs } = bob;
    const pictures = '**/files/**';
    await bobs.route(pictures, (route) => route.abort());
    const failed = bobs.waitForEvent('requestfailed', (request) => request.url().includes('/files/'));
    await bobs.reload();
    await failed;
    await expect(tileInList(bob).locator('svg')).toBeVisible();
    await expect(tileInList(bob).locator('img')).toHaveCount(0);
    await bobs.unroute(pictures);
    await bobs.context().setOffline(true);
    await expect(bob.banner).toContainText('You’re offline');
    await bobs.context().setOffline(false);
    await expect.poll(() => loaded(tileInList(bob)), examined).toBe(256);
  });

  await test.step('another picture has another address', async () => {
    await choose(
      'red.png',
      await sharp({ create: { width: 40, height: 30, channels: 3, background: '#c22' } })
        .png()
        .toBuffer(),
    );
    await expect.poll(() => loaded(tileInList(bob)), examined).toBe(40);
    expect(await tileInList(bob).locator('img').getAttribute('src')).not.toBe(source);
  });

  await stepInSoak('the dialog that finds rooms shows the picture', async () => {
    // It omits the open room.
    await bob.open('lobby');
    await bob.page.keyboard.press('Control+k');
    await bob.page.getByRole('combobox').fill('la');
    await expect.poll(() => loaded(bob.page.getByRole('option', { name: 'lab' }).locator('.tile'))).toBe(40);
    await bob.page.keyboard.press('Escape');
  });

  await settings.getByRole('button', { name: 'Picture: Remove' }).press('Enter');
  await expect(settings.getByRole('button', { name: 'Choose a picture' })).toBeFocused();
  for (const person of [alice, bob]) await expect(tileInList(person).locator('img')).toHaveCount(0);
  await expect(tileInList(bob).locator('svg')).toBeVisible();
});
