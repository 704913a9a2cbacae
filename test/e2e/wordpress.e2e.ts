import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { givenSettings } from '../../server/settings/file.ts';
import { nextChatServer } from '../helpers/chat-server.ts';
import { startWordPress, type WordPressApp } from '../helpers/wordpress-app.ts';
import { expect, Person, stored, test } from './fixtures.ts';

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

test('WordPress from the first login to the last', async ({ window }) => {
  const wordpress = await startWordPress();
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  const file = join(folder, 'settings');
  // The settings of `npm run init` let everybody be found.
  const program = ['server/command/main.ts', 'init', wordpress.folder, '--yes', '--settings', file];
  execFileSync(process.execPath, program, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CHAT_FIND_PEOPLE: 'all' },
  });
  const chat = await nextChatServer(givenSettings(file, {}).env);

  /** A browser in which somebody logs in to WordPress, and a second tab with the chat. */
  const device = async (name: string, user: string, password: string) => {
    const admin = await window(name);
    await logIn(admin, wordpress, user, password);
    const person = new Person(await admin.context().newPage());
    await person.page.goto(chat.url);
    await expect(person.field).toBeVisible();
    const cookies = (await admin.context().cookies()).filter(({ name }) =>
      name.startsWith('wordpress_logged_in'),
    );
    const secrets = cookies.flatMap(({ value }) => decodeURIComponent(value).split('|').slice(1));
    return { admin, person, page: person.page, secrets };
  };
  const loggedOut = ({ page }: Person) => page.getByRole('heading', { name: 'You’re logged out' });
  const { user, password } = wordpress.admin;
  const desk = await device('alice', user, password);
  const phone = await device('bob', user, password);
  const own = 'another long password 2026';

  await test.step('what is written on one device shows on the other', async () => {
    await desk.person.write('Hello from the desk');
    await expect(phone.person.message('Hello from the desk')).toBeVisible();
    await desk.person.shot('wordpress-chat');
  });

  await test.step('a user who was just added is in the chat', async () => {
    await desk.admin.goto(`${wordpress.url}/wp-admin/user-new.php`);
    await desk.admin.getByLabel('Username').fill('mia');
    await desk.admin.getByRole('textbox', { name: 'Email' }).fill('mia@example.org');
    await desk.admin.getByLabel('First Name').fill('Mia & Söhne');
    await fillPassword(desk.admin, own);
    await desk.admin.getByLabel('Role').selectOption('subscriber');
    await desk.admin.getByRole('button', { name: 'Add New User' }).click();
    await expect(desk.admin.getByText('New user created')).toBeVisible(answered);
  });
  const mia = await device('page', 'mia', own);

  await test.step('a new display name, by the form of WordPress, shows in the open chat', async () => {
    await mia.person.write('Hello from Mia');
    await expect(desk.person.message('Hello from Mia')).toBeVisible();
    await mia.admin.goto(`${wordpress.url}/wp-admin/profile.php`);
    await mia.admin.getByLabel('Nickname').fill('Mia the <b>First</b> & Only');
    await mia.admin.getByLabel('Display name').selectOption({ label: 'Mia & Söhne' });
    await mia.admin.getByRole('button', { name: 'Update Profile' }).click();
    await expect(mia.admin.getByText('Profile updated')).toBeVisible(answered);
    await expect(desk.page.getByText('Mia & Söhne').first()).toBeVisible();
  });

  const [sofia = '', noor = ''] = wordpress.addUsers(
    [
      ['sofia.m', 'Sofía Márquez'],
      ['noor', 'Noor & Partners'],
    ],
    own,
  );
  expect(sofia).not.toBe(noor);

  await test.step('a member who has not opened the chat is found by name, and gets a message', async () => {
    const { page } = mia;
    await page.getByRole('button', { name: 'New room or message' }).click();
    await page.getByRole('menuitem', { name: 'Message someone' }).click();
    const dialog = page.getByRole('dialog', { name: 'Message someone' });
    const search = dialog.getByRole('combobox');
    await search.fill('Sofia Nobody');
    await expect(search).toHaveAccessibleDescription('Nobody found.');
    await search.fill('márq');
    await expect(dialog.getByRole('option')).toHaveText([/Sofía Márquez$/]);
    await mia.person.shot('wordpress-found');
    await search.press('Enter');
    await expect(page.getByRole('heading', { name: 'Sofía Márquez' })).toBeVisible();
    await mia.person.write('Welcome, Sofía');
    await expect(mia.person.message('Welcome, Sofía').getByText(stored)).toBeVisible();
  });

  await test.step('a button of the site names a member by the ID alone', async () => {
    const { page } = mia;
    for (const [id, shows] of [
      [noor, page.getByRole('heading', { name: 'Noor & Partners' })],
      ['999', page.getByText('This site has no user with this ID.')],
    ] as const) {
      await page.evaluate((id) => {
        const button = document.createElement('button');
        button.dataset.chatWith = id;
        document.body.append(button);
        button.click();
      }, id);
      await expect(shows).toBeVisible();
    }
  });

  await test.step('Log Out Everywhere Else ends the other device at once, and not this one', async () => {
    await desk.admin.goto(`${wordpress.url}/wp-admin/profile.php`);
    await desk.admin.getByRole('button', { name: 'Log Out Everywhere Else' }).click();
    await expect(loggedOut(phone.person)).toBeVisible();
    await desk.person.write('Still here');
    await expect(desk.person.message('Still here').getByText(stored)).toBeVisible();
  });

  await test.step('a new password by an administrator ends the user’s devices', async () => {
    await desk.admin.goto(`${wordpress.url}/wp-admin/users.php`);
    await desk.admin.getByRole('link', { name: 'mia', exact: true }).click();
    // A click before the page’s script is ready does nothing.
    await expect(async () => {
      await desk.admin.getByRole('button', { name: 'Set New Password' }).click();
      await expect(desk.admin.locator('#pass1')).toBeVisible({ timeout: 2000 });
    }).toPass();
    await fillPassword(desk.admin, 'a third long password 2026');
    await desk.admin.getByRole('button', { name: 'Update User' }).click();
    await expect(loggedOut(mia.person)).toBeVisible();
  });

  await test.step('the message is there at the first login of its recipient', async () => {
    await phone.admin.context().clearCookies();
    await logIn(phone.admin, wordpress, 'sofia.m', own);
    await phone.page.goto(chat.url);
    await phone.person.open('Mia & Söhne');
    await expect(phone.person.message('Welcome, Sofía')).toBeVisible();
    await phone.person.shot('wordpress-first-login');
  });

  await test.step('after a logout the login of WordPress leads back to the chat', async () => {
    await desk.admin.goto(`${wordpress.url}/wp-login.php?action=logout`);
    await desk.admin.getByRole('link', { name: 'log out' }).click();
    await expect(loggedOut(desk.person)).toBeVisible();
    await desk.page.getByRole('button', { name: 'Log in again' }).click();
    await fillLogin(desk.page, user, password);
    await expect(desk.person.field).toBeVisible(answered);
    expect(new URL(desk.page.url()).origin).toBe(chat.url);
  });

  await test.step('the log contains no secret of a cookie', () => {
    const secrets = [...desk.secrets, ...phone.secrets, ...mia.secrets];
    expect(secrets.length).toBeGreaterThan(8);
    for (const secret of secrets) expect(chat.output()).not.toContain(secret);
  });

  for (const { page, admin } of [desk, phone, mia]) {
    await page.close();
    await admin.goto('about:blank');
  }
  await chat.stop();
  rmSync(folder, { recursive: true });
  await wordpress.remove();
});
