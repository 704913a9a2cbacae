import type { Page } from '@playwright/test';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Site, test } from './fixtures.ts';
import { type OwnUser, ownUser } from './own-user.ts';
import { shot } from './shot.ts';

const field = (page: Page, room: string) =>
  page.getByRole('textbox', { name: `Message to ${room}`, exact: true });
const rooms = (page: Page) => page.getByRole('navigation', { name: 'Rooms' });
const message = (page: Page, text: string) => page.getByRole('article').filter({ hasText: text });
const hidden = (page: Page) => page.getByRole('heading', { name: 'You can’t see this message' });

/** Sends messages as Bob. */
async function talk(site: Site, room: string, count = 60): Promise<void> {
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    for (let n = 1; n <= count; n++)
      await ask('message:send', { room, text: `text ${n} of ${room}`, clientId: `t${n}` });
  });
}
const user = (site: Site, page: Page): Promise<OwnUser> => ownUser(site, page.context());

for (const width of [1280, 360]) {
  test(`an address leads to a message, and a link in a text shows its room and time: ${width} px`, {
    tag: '@soak',
  }, async ({ page, site }) => {
    await page.setViewportSize({ width, height: 720 });
    const own = await user(site, page);
    await talk(site, 'garden');
    const den = await privateRoom(site, 'bob', 'the den', [own.id]);
    const secret = await privateRoom(site, 'bob', 'secret', []);
    const at = (room: string, seq: number) => `${site.chat.url}/#m=${room}/${seq}`;
    await asUser(site, 'bob', async (ask) => {
      await ask('room:join', { room: secret });
      await ask('message:send', { room: secret, text: 'nobody knows', clientId: 's' });
      await ask('room:join', { room: den });
      await ask('message:send', {
        room: den,
        text: `see ${at('garden', 5)} and ${at(secret, 1)}`,
        clientId: 'd',
      });
      await ask('room:join', { room: 'garden' });
      await ask('message:delete', { room: 'garden', seq: 7 });
    });

    // A public room is read without joining it.
    await page.goto(at('garden', 5));
    await expect(message(page, 'text 5 of garden')).toBeInViewport();
    await expect(message(page, 'text 5 of garden')).toBeFocused();
    await expect(page).toHaveURL(/#m=garden$/);
    await expect(page.getByText('You can read this room.')).toBeVisible();
    await expect(page.getByRole('textbox', { name: /^Message to/ })).toHaveCount(0);
    await message(page, 'text 5 of garden').press('Enter');
    await expect(page.getByRole('menuitem', { name: 'Reply' })).toHaveCount(0);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('menu')).toHaveCount(0);
    await shot(page, `preview-${width}`);
    expect(await faultsIn(page)).toEqual([]);

    // Its author has deleted it, it is in a room of others, or there is none: the answer is the same.
    for (const [room, seq] of [
      ['garden', 7],
      [secret, 1],
      ['no-such-room', 1],
      ['garden', 999],
    ] as const) {
      await page.evaluate((hash) => {
        location.hash = hash;
      }, `#m=${room}/${seq}`);
      await expect(hidden(page)).toBeFocused();
      await expect(page.getByText('It’s in a room you haven’t joined, or it was deleted.')).toBeVisible();
      if (seq === 999) {
        await shot(page, `hidden-message-${width}`);
        expect(await faultsIn(page)).toEqual([]);
      }
      await page.getByRole('button', { name: 'Go to the chat' }).click();
      await expect(hidden(page)).toHaveCount(0);
    }

    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await expect(field(page, 'garden')).toBeFocused();
    await expect(page.getByText('You can read this room.')).toHaveCount(0);

    // In a text the link has a name only for a room that the reader may read.
    await page.evaluate((hash) => {
      location.hash = hash;
    }, `#m=${den}`);
    await expect(field(page, 'the den')).toBeVisible();
    const link = page.getByRole('link', { name: /^#garden, \d/ });
    // A screen reader hears what is seen.
    await expect(page.getByRole('article').filter({ has: link })).toHaveAccessibleDescription(/#garden, \d/);
    await expect(link).toBeVisible();
    await expect(page.getByRole('link', { name: new RegExp(`#m=${secret}/1$`) })).toBeVisible();
    await shot(page, `message-link-${width}`);
    expect(await faultsIn(page, '.timeline')).toEqual([]);
    await link.click();
    await expect(message(page, 'text 5 of garden')).toBeInViewport();

    // Its own link, by key.
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await message(page, 'text 5 of garden').press('l');
    await expect(page.getByText('Link copied.', { exact: true })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(at('garden', 5));
  });
}

test('on a phone Back closes what lies above the room, then leads to the rooms; Forward leads back', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 720 });
  await user(site, page);
  await page.goto('about:blank');
  await page.goto(site.chat.url);
  await expect(field(page, 'announcements')).toBeVisible();
  await page.getByRole('button', { name: /^Here now/ }).click();
  const people = page.getByRole('complementary', { name: 'Details' });
  await expect(people).toBeVisible();
  await page.goBack();
  await expect(people).toHaveCount(0);
  await expect(field(page, 'announcements')).toBeVisible();
  // A menu is closed, and leaves no entry when it is closed otherwise.
  await page.getByRole('button', { name: 'Room menu' }).click();
  await expect(page.getByRole('menu')).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('menu')).toHaveCount(0);
  await page.getByRole('button', { name: 'Room menu' }).click();
  const popped = page.evaluate(
    () => new Promise((resolve) => addEventListener('popstate', resolve, { once: true })),
  );
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await expect(page.getByRole('alertdialog')).toBeVisible();
  // A second Back, before the browser has left the menu's entry, would leave the room too.
  await popped;
  // Nor may it come before the dialog has an entry of its own, with the drawing that follows.
  await page.waitForFunction(() => history.state?.['php-chat']?.above === true);
  await page.goBack();
  await expect(page.getByRole('alertdialog')).toHaveCount(0);
  await expect(field(page, 'announcements')).toBeVisible();
  await page.goBack();
  await expect(rooms(page)).toBeVisible();
  await page.goForward();
  await expect(field(page, 'announcements')).toBeVisible();
  await page.goBack();
  await page.goBack();
  await expect(page).toHaveURL('about:blank');
});

for (const width of [1280, 360]) {
  test(`an invite link is made and copied, and lets somebody in by a press: ${width} px`, {
    tag: width === 360 ? [] : ['@soak'],
  }, async ({ page, window, site }) => {
    await page.setViewportSize({ width, height: 720 });
    const owner = await user(site, page);
    const name = 'spring market';
    const den = await privateRoom(site, 'bob', name, [owner.id]);
    await asUser(site, 'bob', (ask) => ask('room:update', { room: den, topic: 'Saturday, 9 to 14' }));
    await page.goto(`${site.chat.url}/#m=${den}`);
    await expect(field(page, name)).toBeVisible();
    await page.getByRole('button', { name: 'Room menu' }).click();
    await page.getByRole('menuitem', { name: 'Invite' }).click();
    await shot(page, `invite-${width}`);
    await page.getByRole('button', { name: 'Create an invite link' }).click();
    const dialog = page.getByRole('dialog', { name: 'Invite link' });
    await expect(dialog.getByLabel('Works for')).toHaveValue('7');
    await expect(dialog.getByLabel('For up to')).toHaveValue('50');
    await shot(page, `invite-link-${width}`);
    expect(await faultsIn(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Create link' }).click();
    const address = await dialog.getByRole('textbox', { name: 'Invite link' }).inputValue();
    expect(address).toMatch(new RegExp(`^${site.chat.url}/#join=[\\w-]{32}$`));
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await dialog.getByRole('button', { name: 'Copy' }).click();
    await expect(dialog.getByRole('button', { name: 'Copied' })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(address);
    await dialog.getByRole('button', { name: 'New link' }).click();
    await dialog.getByRole('button', { name: 'Create link' }).click();
    await expect(dialog.getByRole('listitem')).toHaveText(/Link by you.*0 of 50 joined/);
    await shot(page, `invite-links-${width}`);
    expect(await faultsIn(page)).toEqual([]);

    const guest = await window('guest');
    await guest.setViewportSize({ width, height: 720 });
    // Nobody is logged in yet: the token is kept out of the address, and survives the login.
    await guest.goto(address);
    await expect(guest.getByRole('heading', { name: 'Please log in' })).toBeVisible();
    await expect(guest).toHaveURL(`${site.chat.url}/`);
    await user(site, guest);
    await guest.reload();
    await expect(guest.getByRole('heading', { name })).toBeFocused();
    await expect(guest.getByText('Saturday, 9 to 14')).toBeVisible();
    await expect(guest.getByText('2 members, 1 here now')).toBeVisible();
    await shot(guest, `landing-${width}`);
    expect(await faultsIn(guest)).toEqual([]);
    await guest.getByRole('button', { name: 'Not now' }).click();
    await expect(field(guest, 'announcements')).toBeVisible();
    await expect(rooms(guest).getByText(name)).toHaveCount(0);
    await guest.goto('about:blank');
    await guest.goto(address);
    await guest.getByRole('button', { name: `Join ${name}` }).click();
    await expect(field(guest, name)).toBeVisible();
    await expect(guest).toHaveURL(`${site.chat.url}/#m=${den}`);
    // A member goes straight in.
    await guest.goto('about:blank');
    await guest.goto(address);
    await expect(field(guest, name)).toBeVisible();

    await dialog.getByRole('button', { name: 'Turn off' }).click();
    await expect(page.getByText('Nobody will be able to join with it.')).toBeVisible();
    await page.getByRole('button', { name: 'Turn off' }).click();
    await expect(dialog.getByRole('listitem')).toHaveCount(0);
    await user(site, guest);
    await guest.goto('about:blank');
    await guest.goto(address);
    await expect(guest.getByRole('heading', { name: 'This link no longer works' })).toBeFocused();
    await expect(guest.getByText(name)).toHaveCount(0);
    await shot(guest, `link-over-${width}`);
    expect(await faultsIn(guest)).toEqual([]);
    await guest.getByRole('button', { name: 'Go to the chat' }).click();
    await expect(field(guest, 'announcements')).toBeVisible();
    // Pasted into the address of the open page, it stays in no entry of the browser's history either.
    await guest.evaluate((hash) => location.assign(hash), new URL(address).hash);
    await expect(guest.getByRole('heading', { name: 'This link no longer works' })).toBeFocused();
    expect(guest.url()).not.toContain('join');
    await guest.goBack();
    expect(guest.url()).not.toContain('join');
  });
}
