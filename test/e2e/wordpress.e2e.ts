import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { givenSettings } from '../../server/settings/file.ts';
import { nextChatServer } from '../helpers/chat-server.ts';
import { startWordPress } from '../helpers/wordpress-app.ts';
import { expect, Person, stepInSoak, stored, test } from './fixtures.ts';

/** WordPress may hash passwords and render pages slowly on a busy machine. */
const answered = { timeout: 60_000 };

async function fillLogin(page: Page, user: string, password: string): Promise<void> {
  const [name, secret] = [
    page.getByLabel('Username or Email Address'),
    page.getByLabel('Password', { exact: true }),
  ];
  // Shortly after loading, the page moves the focus to the first field, and with it the typed text.
  await expect(async () => {
    await name.fill(user);
    await secret.fill(password);
    expect([await name.inputValue(), await secret.inputValue()]).toEqual([user, password]);
  }).toPass();
  await page.getByRole('button', { name: 'Log In' }).click();
}

test('the chat follows WordPress logins on several devices until their logout', async ({ window }) => {
  const wordpress = await startWordPress();
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  const file = join(folder, 'settings');
  // `npm run init` writes `CHAT_` settings of its environment to the file, here to let users find each other.
  const program = ['server/command/main.ts', 'init', wordpress.folder, '--yes', '--settings', file];
  execFileSync(process.execPath, program, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CHAT_FIND_PEOPLE: 'all' },
  });
  const chat = await nextChatServer(givenSettings(file, {}).env);

  const { user, password } = wordpress.admin;
  const own = 'another long password 2026';
  const [, sofia = '', noor = ''] = wordpress.addUsers(
    [
      ['mia', 'Mia & Söhne'],
      ['sofia.m', 'Sofía Márquez'],
      ['noor', 'Noor & Partners'],
    ],
    own,
  );
  expect(sofia).not.toBe(noor);
  const form = `${wordpress.url}/wp-login.php`;
  /** Opens the chat in a browser with the cookies of a login. */
  const device = async (name: string, login: string, pwd: string) => {
    const page = await window(name);
    const answer = await page.context().request.post(form, { form: { log: login, pwd }, maxRedirects: 0 });
    expect(answer.status()).toBe(302);
    await page.goto(chat.url);
    const person = new Person(page);
    await expect(person.field).toBeVisible();
    return { page, person };
  };
  const secretsOf = async (page: Page) =>
    (await page.context().cookies())
      .filter(({ name }) => name.startsWith('wordpress_logged_in'))
      .flatMap(({ value }) => decodeURIComponent(value).split('|').slice(1));
  const loggedOut = ({ page }: Person) => page.getByRole('heading', { name: 'You’re logged out' });
  const desk = await device('alice', user, password);
  const phone = await device('bob', user, password);
  const mia = await device('page', 'mia', own);
  const secrets = (await Promise.all([desk, phone, mia].map(({ page }) => secretsOf(page)))).flat();
  expect(secrets.length).toBeGreaterThan(8);

  await test.step("shows a message on the user's other device", async () => {
    await desk.person.write('Hello from the desk');
    await expect(phone.person.message('Hello from the desk')).toBeVisible();
    await desk.person.shot('wordpress-chat');
  });

  await stepInSoak('shows a display name changed in WordPress in the open chat', async () => {
    await mia.person.write('Hello from Mia');
    await expect(desk.person.message('Hello from Mia')).toBeVisible();
    await expect(desk.page.getByText('Mia & Söhne').first()).toBeVisible();
    const profile = await mia.page.context().newPage();
    await profile.goto(`${wordpress.url}/wp-admin/profile.php`);
    await profile.getByLabel('Display name').selectOption('mia');
    await profile.getByRole('button', { name: 'Update Profile' }).click();
    await expect(profile.getByText('Profile updated')).toBeVisible(answered);
    await profile.close();
    const people = desk.page.getByRole('button', { name: /^Here now/ });
    await people.click();
    await expect(desk.page.getByText('mia', { exact: true }).first()).toBeVisible();
    await people.click();
  });

  await test.step('finds a member who never opened the chat by name and sends a message', async () => {
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
    await expect(page.getByRole('heading', { name: 'Sofía Márquez', exact: true })).toBeVisible();
    await mia.person.write('Welcome, Sofía');
    await expect(mia.person.message('Welcome, Sofía').getByText(stored)).toBeVisible();
  });

  await stepInSoak("opens a direct room from a site's button by ID", async () => {
    const { page } = mia;
    for (const [id, shows] of [
      [noor, page.getByRole('heading', { name: 'Noor & Partners', exact: true })],
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

  const admin = await desk.page.context().newPage();
  await test.step('ends the other device at once after Log Out Everywhere Else', async () => {
    await admin.goto(`${wordpress.url}/wp-admin/profile.php`);
    await admin.getByRole('button', { name: 'Log Out Everywhere Else' }).click();
    await expect(loggedOut(phone.person)).toBeVisible();
    await desk.person.write('Still here');
    await expect(desk.person.message('Still here').getByText(stored)).toBeVisible();
  });

  await test.step('shows the message at the first login of its recipient', async () => {
    await phone.page.context().clearCookies();
    const { page, person } = await device('bob', 'sofia.m', own);
    await page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^mia/i }).click();
    await expect(person.message('Welcome, Sofía')).toBeVisible();
    await person.shot('wordpress-first-login');
  });

  await test.step('leads back to the chat from the WordPress login after a logout', async () => {
    await admin.goto(`${form}?action=logout`);
    await admin.getByRole('link', { name: 'log out' }).click();
    await expect(loggedOut(desk.person)).toBeVisible();
    await desk.page.getByRole('button', { name: 'Log in again' }).click();
    await fillLogin(desk.page, user, password);
    await expect(desk.person.field).toBeVisible(answered);
    expect(new URL(desk.page.url()).origin).toBe(chat.url);
  });

  await test.step('does not log secrets of a cookie', () => {
    for (const secret of secrets) expect(chat.output()).not.toContain(secret);
  });

  for (const { page } of [desk, phone, mia]) await page.goto('about:blank');
  await chat.stop();
  rmSync(folder, { recursive: true });
  await wordpress.remove();
});
