import { asUser, privateRoom } from './as-user.ts';
import { expect, Person, stored, test } from './fixtures.ts';

/** All text in the page and its storage. */
const everything = (person: Person) =>
  person.page.evaluate(() => {
    const shadow = document.querySelector('php-chat')?.shadowRoot;
    const values = [...(shadow?.querySelectorAll('textarea') ?? [])].map((field) => field.value);
    return [shadow?.textContent ?? '', ...values, JSON.stringify(localStorage), document.title].join('\n');
  });

test('a logout in one tab ends every tab, and nothing of it stays', async ({ alice, site }) => {
  await alice.open('logout');
  await alice.write('a secret');
  await expect(alice.page.getByText(stored)).toBeVisible();
  const context = alice.page.context();
  const tabs = [new Person(await context.newPage()), new Person(await context.newPage())];
  for (const tab of tabs) {
    await tab.page.goto(site.php.chatPage);
    await tab.open('logout');
    await expect(tab.message('a secret')).toBeVisible();
    await tab.field.fill('an unfinished secret');
  }
  await alice.page.getByRole('button', { name: 'Log out' }).click();
  for (const [index, tab] of tabs.entries()) {
    // At once, even while it is not yet known whether the session was only renewed.
    await expect(tab.message('a secret')).toHaveCount(0);
    await expect(tab.page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
    // The storage, when it is certain that no session follows.
    await expect.poll(() => everything(tab), { timeout: 30_000 }).not.toContain('secret');
    expect(await everything(tab)).not.toContain('Alice');
    await tab.shot(`logout-tab-${index + 1}`);
  }
  const [tab] = tabs;
  await tab?.page.getByRole('button', { name: 'Log in again' }).click();
  await expect(tab?.page.getByLabel('User name') ?? alice.page.locator('none')).toBeVisible();
});

test('a link to a message and an invite link lead there after the login', async ({ page, window, site }) => {
  const den = await privateRoom(site, 'bob', 'after the login', []);
  const [seq, token] = await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room: 'garden' });
    const { message } = await ask('message:send', { room: 'garden', text: 'the linked one', clientId: 'l' });
    const { token } = await ask('invite:create', { room: den });
    return [message.seq, token];
  });
  const logIn = async (one: typeof page, password: string) => {
    await one.getByLabel('User name').fill('carol');
    await one.getByLabel('Password').fill(password);
    await one.getByRole('button', { name: 'Log in' }).click();
  };
  await page.goto(`${site.php.chatPage}#m=garden/${seq}`);
  await logIn(page, 'wrong');
  await expect(page.getByRole('alert')).toBeVisible();
  await logIn(page, 'carol');
  await expect(page.getByRole('article').filter({ hasText: 'the linked one' })).toBeFocused();
  await expect(page).toHaveURL(`${site.php.chatPage}#m=garden`);

  const guest = await window('guest');
  await guest.goto(`${site.php.chatPage}#join=${token}`);
  await logIn(guest, 'carol');
  await expect(guest.getByRole('heading', { name: 'after the login' })).toBeFocused();
});

test('an invite link that a user has looked at is nothing to the next user of the page', async ({
  visitor,
  site,
}) => {
  const den = await privateRoom(site, 'bob', 'before the logout', []);
  const { token } = await asUser(site, 'bob', (ask) => ask('invite:create', { room: den }));
  const { page } = visitor;
  await visitor.enter(site, 'carol');
  await page.goto('about:blank');
  await page.goto(`${site.php.chatPage}#join=${token}`);
  await expect(page.getByRole('heading', { name: 'before the logout' })).toBeFocused();
  const { value } = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID') ?? {};
  await site.memcached.delete(`sessions/${value}`);
  await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  // The chat waits no more for Carol to come back.
  const kept = () => page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('/3/')));
  await expect.poll(kept, { timeout: 30_000 }).toEqual([]);
  // The page stays where it is: the next user logs in in another tab.
  const cookie = { name: 'PHPSESSID', value: await site.login('dimitri'), httpOnly: true };
  await page.context().addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
  await expect(async () => {
    await page.evaluate(() => dispatchEvent(new Event('focus')));
    await expect(page.getByText('Connected', { exact: true })).toBeVisible({ timeout: 500 });
  }).toPass();
  await expect(visitor.timeline).toBeVisible();
  expect(await everything(visitor)).not.toContain('before the logout');
});

test('a draft does not outlive the logout of the only tab', async ({ alice }) => {
  await alice.open('logout');
  await alice.field.fill('an unfinished secret');
  await expect.poll(() => alice.page.evaluate(() => JSON.stringify(localStorage))).toContain('unfinished');
  await alice.page.getByRole('button', { name: 'Log out' }).click();
  await expect(alice.page.getByLabel('User name')).toBeVisible();
  expect(await alice.page.evaluate(() => localStorage.length)).toBe(0);
});

test('a renewed session id goes on without a card', async ({ alice, site }) => {
  await alice.open('tabs');
  await alice.write('before the renewal');
  await expect(alice.page.getByText(stored)).toBeVisible();
  await alice.field.fill('half a sentence');
  const context = alice.page.context();
  const cookie = (await context.cookies()).find(({ name }) => name === 'PHPSESSID');
  if (cookie === undefined) throw new Error('no session cookie');
  const record = await site.memcached.ask(`get sessions/${cookie.value}\r\n`);
  const bytes = record.split('\r\n')[1] ?? '';
  await site.memcached.set('sessions/renewed-by-php', Buffer.from(bytes, 'latin1'));
  await context.addCookies([{ ...cookie, value: 'renewed-by-php' }]);
  const again = alice.page.waitForEvent('websocket');
  await site.memcached.delete(`sessions/${cookie.value}`);

  await again;
  await expect(alice.message('before the renewal')).toBeVisible();
  await expect(alice.field).toHaveValue('half a sentence');
  await expect(alice.field).toBeFocused();
  await alice.page.keyboard.type(', and the other');
  await expect(alice.field).toHaveValue('half a sentence, and the other');
  await alice.write('and after it');
  await expect(alice.texts).toHaveText(['before the renewal', 'and after it']);
});

test('another user in the same session takes over nothing', async ({ alice, site }) => {
  await alice.open('board');
  await alice.write('for Alice’s eyes');
  await expect(alice.page.getByText(stored)).toBeVisible();
  await alice.field.fill('unfinished');
  const cookie = (await alice.page.context().cookies()).find(({ name }) => name === 'PHPSESSID');
  await site.memcached.set(
    `sessions/${cookie?.value}`,
    JSON.stringify({ user_id: 99, firstname: 'Mallory' }),
  );
  await expect(alice.page.getByRole('heading', { name: 'Someone else is logged in' })).toBeVisible();
  expect(await everything(alice)).not.toMatch(/eyes|unfinished/);
  await alice.shot('user-changed');
});

test('a session store that is silent is no logout', { tag: '@soak' }, async ({ alice, site }) => {
  await alice.open('lobby');
  site.memcached.signal('SIGSTOP');
  try {
    await alice.page.goto(site.chat.url);
    await expect(alice.banner).toContainText(/The login service isn’t responding/);
    // It is not reported as a chat server that is down either.
    await alice.page.waitForTimeout(2500);
    await expect(alice.banner).toContainText(/The login service isn’t responding/);
    await alice.shot('store-silent');
  } finally {
    site.memcached.signal('SIGCONT');
  }
  await expect(alice.page.getByText('Connected', { exact: true })).toBeVisible();
});
