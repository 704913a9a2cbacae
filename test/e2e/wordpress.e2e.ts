import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, test as base, expect, type Page } from '@playwright/test';
import { givenSettings } from '../../server/settings/file.ts';
import { type ChatServer, nextChatServer } from '../helpers/chat-server.ts';
import { startWordPress, type WordPressApp } from '../helpers/wordpress-app.ts';
import { Person } from './fixtures.ts';

/** A WordPress with a chat server that has the settings of `npm run init`, which lets everybody be found. */
const test = base.extend<object, { site: { wordpress: WordPressApp; chat: ChatServer } }>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from it
    async ({}, use) => {
      const wordpress = await startWordPress();
      const folder = mkdtempSync(join(tmpdir(), 'settings-'));
      const file = join(folder, 'settings');
      const program = ['server/command/main.ts', 'init', wordpress.folder, '--yes', '--settings', file];
      execFileSync(process.execPath, program, {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, CHAT_FIND_PEOPLE: 'all' },
      });
      const chat = await nextChatServer(givenSettings(file, {}).env);
      await use({ wordpress, chat });
      await chat.stop();
      rmSync(folder, { recursive: true });
      await wordpress.remove();
    },
    { scope: 'worker' },
  ],
});

/** WordPress makes a hash of a password and all of its page by one process, which takes long on a busy machine. */
const answered = { timeout: 60_000 };

async function logIn(page: Page, { url }: WordPressApp, user: string, password: string): Promise<void> {
  await page.goto(`${url}/wp-login.php`);
  await fillLogin(page, user, password);
  await page.waitForURL(/wp-admin/);
}

async function fillLogin(page: Page, user: string, password: string): Promise<void> {
  const [name, secret] = [
    page.getByLabel('Username or Email Address'),
    page.getByLabel('Password', { exact: true }),
  ];
  // A moment after it is loaded, the page takes the focus to the first field, and what is being typed with it.
  await expect(async () => {
    await name.fill(user);
    await secret.fill(password);
    expect([await name.inputValue(), await secret.inputValue()]).toEqual([user, password]);
  }).toPass();
  await page.getByRole('button', { name: 'Log In' }).click();
}

/** WordPress puts a password of its own there once it has loaded all that it needs for that. */
async function fillPassword(page: Page, password: string): Promise<void> {
  const field = page.locator('#pass1');
  await expect(field).not.toHaveValue('');
  await field.fill(password);
}

/** A browser of its own in which somebody has logged in to WordPress, and a second tab with the chat. */
async function device(
  browser: Browser,
  site: { wordpress: WordPressApp; chat: ChatServer },
  user: string,
  password: string,
) {
  const context = await browser.newContext();
  const admin = await context.newPage();
  await logIn(admin, site.wordpress, user, password);
  const person = new Person(await context.newPage());
  await person.page.goto(site.chat.url);
  await expect(person.field).toBeVisible();
  const cookies = (await context.cookies()).filter(({ name }) => name.startsWith('wordpress_logged_in'));
  const secrets = cookies.flatMap(({ value }) => decodeURIComponent(value).split('|').slice(1));
  return { admin, person, secrets, close: () => context.close() };
}

test('WordPress: log in, chat on two devices, rename, log out everywhere else, change the password', async ({
  browser,
  site,
}) => {
  const { wordpress, chat } = site;
  const { user, password } = wordpress.admin;
  const [desk, phone] = [
    await device(browser, site, user, password),
    await device(browser, site, user, password),
  ];
  await desk.person.write('Hello from the desk');
  await expect(phone.person.message('Hello from the desk')).toBeVisible();
  await desk.person.shot('wordpress-chat');

  await desk.admin.goto(`${wordpress.url}/wp-admin/user-new.php`);
  await desk.admin.getByLabel('Username').fill('mia');
  await desk.admin.getByRole('textbox', { name: 'Email' }).fill('mia@example.org');
  await desk.admin.getByLabel('First Name').fill('Mia & Söhne');
  await fillPassword(desk.admin, 'another long password 2026');
  await desk.admin.getByLabel('Role').selectOption('subscriber');
  await desk.admin.getByRole('button', { name: 'Add New User' }).click();
  await expect(desk.admin.getByText('New user created')).toBeVisible(answered);
  const mia = await device(browser, site, 'mia', 'another long password 2026');
  await mia.person.write('Hello from Mia');
  await expect(desk.person.message('Hello from Mia')).toBeVisible();

  // A new display name, by the form of WordPress, shows in the open chat.
  await mia.admin.goto(`${wordpress.url}/wp-admin/profile.php`);
  await mia.admin.getByLabel('Nickname').fill('Mia the <b>First</b> & Only');
  await mia.admin.getByLabel('Display name').selectOption({ label: 'Mia & Söhne' });
  await mia.admin.getByRole('button', { name: 'Update Profile' }).click();
  await expect(mia.admin.getByText('Profile updated')).toBeVisible(answered);
  await expect(desk.person.page.getByText('Mia & Söhne').first()).toBeVisible();

  // Elsewhere it ends at once; here it goes on.
  await desk.admin.goto(`${wordpress.url}/wp-admin/profile.php`);
  await desk.admin.getByRole('button', { name: 'Log Out Everywhere Else' }).click();
  await expect(phone.person.page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  await desk.person.write('Still here');
  await expect(mia.person.message('Still here')).toBeVisible();

  // A new password by somebody else ends all devices.
  await desk.admin.goto(`${wordpress.url}/wp-admin/users.php`);
  await desk.admin.getByRole('link', { name: 'mia', exact: true }).click();
  // A press before the page’s script is ready does nothing.
  await expect(async () => {
    await desk.admin.getByRole('button', { name: 'Set New Password' }).click();
    await expect(desk.admin.locator('#pass1')).toBeVisible({ timeout: 2000 });
  }).toPass();
  await fillPassword(desk.admin, 'a third long password 2026');
  await desk.admin.getByRole('button', { name: 'Update User' }).click();
  await expect(mia.person.page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();

  await desk.admin.goto(`${wordpress.url}/wp-login.php?action=logout`);
  await desk.admin.getByRole('link', { name: 'log out' }).click();
  await expect(desk.person.page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  // The login that the settings name leads back to the page of the chat.
  await desk.person.page.getByRole('button', { name: 'Log in again' }).click();
  await fillLogin(desk.person.page, user, password);
  await expect(desk.person.field).toBeVisible(answered);
  expect(new URL(desk.person.page.url()).origin).toBe(chat.url);
  const secrets = [...desk.secrets, ...phone.secrets, ...mia.secrets];
  expect(secrets.length).toBeGreaterThan(8);
  for (const secret of secrets) expect(chat.output()).not.toContain(secret);
  for (const { close } of [desk, phone, mia]) await close();
});

test('WordPress: members who have not opened the chat are found by name, get a message, and see it at their first login', async ({
  browser,
  site,
}) => {
  const password = 'a password of a member 2026';
  const [ben = '', sofia = '', noor = ''] = site.wordpress.addUsers(
    [
      ['ben', 'Ben Ortega'],
      ['sofia.m', 'Sofía Márquez'],
      ['noor', 'Noor & Partners'],
    ],
    password,
  );
  expect(new Set([ben, sofia, noor]).size).toBe(3);
  const { person, close } = await device(browser, site, 'ben', password);
  const { page } = person;
  await page.getByRole('button', { name: 'New room or message' }).click();
  await page.getByRole('menuitem', { name: 'Message someone' }).click();
  const dialog = page.getByRole('dialog', { name: 'Message someone' });
  const field = dialog.getByRole('combobox');
  await field.fill('Sofia Nobody');
  await expect(field).toHaveAccessibleDescription('Nobody found.');
  await expect(dialog.getByRole('option')).toHaveCount(0);
  await field.fill('márq');
  await expect(dialog.getByRole('option')).toHaveText([/Sofía Márquez$/]);
  await person.shot('wordpress-found');
  await page.setViewportSize({ width: 360, height: 740 });
  await person.shot('wordpress-found-360');
  await page.setViewportSize({ width: 1280, height: 720 });
  await field.press('Enter');
  await expect(page.getByRole('heading', { name: 'Sofía Márquez' })).toBeVisible();
  await person.write('Welcome, Sofía');
  await expect(person.message('Welcome, Sofía')).toBeVisible();

  // A button of the site names a member by the ID alone.
  await page.evaluate((user) => {
    const button = Object.assign(document.createElement('button'), { textContent: 'Message the shop' });
    button.dataset.chatWith = user;
    button.style.cssText = 'position: fixed; inset-block-start: 0; inset-inline-start: 50%; z-index: 9';
    document.body.append(button);
  }, noor);
  await page.getByRole('button', { name: 'Message the shop' }).click();
  await expect(page.getByRole('heading', { name: 'Noor & Partners' })).toBeVisible();
  await person.shot('wordpress-chat-with');
  await page.evaluate(() => {
    for (const button of document.querySelectorAll<HTMLElement>('[data-chat-with]'))
      button.dataset.chatWith = '999';
  });
  await page.getByRole('button', { name: 'Message the shop' }).click();
  await expect(page.getByText('This site has no user with this ID.')).toBeVisible();
  await close();

  const other = await device(browser, site, 'sofia.m', password);
  await other.person.open('Ben Ortega');
  await expect(other.person.message('Welcome, Sofía')).toBeVisible();
  await other.person.shot('wordpress-first-login');
  await other.close();
});
