import { startTicketSite } from '../helpers/ticket-site.ts';
import { asUser } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, Person, stored, test } from './fixtures.ts';

test.use({ guests: true, roles: true });

test('a visitor without a login', async ({ alice, visitor, site }) => {
  const { page } = visitor;
  const host = (tag: string) =>
    site.host(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
    <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
    <style>body { margin: 0 } php-chat { height: 100dvh }</style>
    <script type="module" src="${site.chat.url}/php-chat.js"></script>${tag}`);
  const url = host('<php-chat></php-chat>');
  const heading = page.getByRole('heading', { name: 'Join the chat' });

  await test.step('is asked for a name, and may log in instead', async () => {
    await page.goto(url);
    await expect(heading).toBeVisible();
    await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
    await page.getByRole('button', { name: 'Continue as guest' }).click();
    await expect(heading).toBeVisible();
    await visitor.shot('guest-card');
    await page.getByRole('textbox', { name: 'Your name' }).fill('Eve');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('region', { name: 'garden' })).toBeVisible();
  });

  await test.step('writes in a guest room, and cannot see other rooms', async () => {
    await visitor.write('Do you ship to Malta?');
    await expect(visitor.message('Do you ship to Malta?')).toBeVisible();
    const rooms = page.getByRole('navigation', { name: 'Rooms' }).getByRole('listitem');
    await expect(rooms).toHaveText([/garden/]);
    await expect(page.getByRole('button', { name: 'Attach', exact: true })).toBeHidden();
    await visitor.shot('guest');
  });

  await test.step('looks like a guest to users', async () => {
    await alice.open('garden');
    await expect(alice.message('Do you ship to Malta?')).toHaveAccessibleName(/^Guest Eve,/);
    await alice.timeline.getByText('Guest Eve', { exact: true }).click();
    const card = alice.page.getByRole('dialog', { name: 'Guest Eve' });
    await expect(card).toBeVisible();
    await expect(card.getByRole('button', { name: 'Write to' })).toBeHidden();
    await expect(card.getByRole('link')).toHaveCount(0);
    await alice.page.keyboard.press('Escape');
  });

  await test.step('stays the same guest after a reload', async () => {
    await page.reload();
    await alice.write('Yes, we do.');
    await expect(visitor.message('Yes, we do.')).toBeVisible();
    await expect(heading).toBeHidden();
  });

  await test.step('is asked to log in by an invite link', async () => {
    const token = await asUser(site, 'alice', async (ask) => {
      const made = { name: 'Shed', kind: 'private' as const, clientId: 'shed' };
      const { room } = await ask('room:create', made);
      return (await ask('invite:create', { room: room.id })).token;
    });
    host('<php-chat history="hash" login-url="/login"></php-chat>');
    // Without this, only the fragment of the page's address would change.
    await page.goto('about:blank');
    await page.goto(`${url}#join=${token}`);
    await expect(page.getByRole('heading', { name: 'Log in to join' })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
    await visitor.shot('guest-invite');
    expect(await faultsIn(page)).toEqual([]);
    await page.getByRole('button', { name: 'Not now' }).click();
    await expect(page.getByRole('region', { name: 'garden' })).toBeVisible();
    host('<php-chat></php-chat>');
    await page.goto('about:blank');
    await page.goto(url);
  });

  await test.step('sees the number of unread messages on other pages', async () => {
    host('<php-chat-badge></php-chat-badge>');
    await page.goto(url);
    await alice.write('By ship.');
    await expect(alice.message('By ship.')).toBeVisible();
    await page.reload();
    await expect(page.locator('php-chat-badge')).toContainText(/[1-9] unread/);
    host('<php-chat></php-chat>');
    await page.goto(url);
  });

  await test.step('forgets the guest of a shared computer', async () => {
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('button', { name: 'Forget me on this device' }).click();
    await expect(heading).toBeVisible();
    await page.getByRole('textbox', { name: 'Your name' }).fill('Ida');
    await page.keyboard.press('Enter');
    await visitor.write('I am Ida');
    await expect(alice.message('I am Ida')).toHaveAccessibleName(/^Guest Ida,/);
  });

  await test.step('becomes a user at a login, and is not a guest after the logout', async () => {
    const value = await site.login('carol');
    await page.context().addCookies([{ name: 'PHPSESSID', value, domain: '127.0.0.1', path: '/' }]);
    await page.goto(url);
    await visitor.open('garden');
    await visitor.write('Carol here');
    await expect(alice.message('Carol here')).toHaveAccessibleName(/^Carol,/);
    await page.context().clearCookies();
    await page.reload();
    await expect(heading).toBeVisible();
  });
});

test('a visitor of a site with tickets', { tag: '@soak' }, async ({ window }) => {
  const env = { CHAT_GUESTS: 'write', CHAT_GUEST_ROOMS: 'lobby' };
  const site = await startTicketSite({ seconds: 600, env });
  const visitor = new Person(await window('visitor'));
  const { page } = visitor;

  await test.step('may enter as a guest', async () => {
    await page.goto(site.url);
    await page.getByRole('textbox', { name: 'Your name' }).fill('Eve');
    await page.keyboard.press('Enter');
    await visitor.write('hello as a guest');
    await expect(visitor.message('hello as a guest').getByText(stored)).toBeVisible();
  });

  await test.step('is the user after a login', async () => {
    await page.goto(`${site.url}/login?as=ann`);
    await page.goto(site.url);
    await visitor.write('hello as a user');
    await expect(visitor.message('hello as a user').getByText(stored)).toBeVisible();
    await expect(visitor.message('hello as a user')).toHaveAccessibleName(/^You,/);
    await expect(visitor.message('hello as a guest')).toHaveAccessibleName(/^Guest Eve,/);
  });

  await page.goto('about:blank');
  await site.stop();
});
