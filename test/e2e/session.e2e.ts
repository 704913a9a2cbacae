import { asUser, privateRoom } from './as-user.ts';
import { expect, Person, stored, test } from './fixtures.ts';
import { tellKept } from './kept-page.ts';

const heading = ({ page }: Person, name: string) => page.getByRole('heading', { name, exact: true });

/** All text in the page and its storage. */
const everything = (person: Person) =>
  person.page.evaluate(() => {
    const shadow = document.querySelector('php-chat')?.shadowRoot;
    const values = [...(shadow?.querySelectorAll('textarea') ?? [])].map((field) => field.value);
    return [shadow?.textContent ?? '', ...values, JSON.stringify(localStorage), document.title].join('\n');
  });

async function sessionCookie({ page }: Person) {
  const cookie = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID');
  if (cookie === undefined) throw new Error('no session cookie');
  return cookie;
}

/** Focuses the page until the chat is connected. */
async function lookAgain({ page }: Person): Promise<void> {
  await expect(async () => {
    await page.evaluate(() => dispatchEvent(new Event('focus')));
    await expect(page.getByText('Connected', { exact: true })).toBeVisible({ timeout: 500 });
  }).toPass();
}

async function submitLogin(person: Person, user: string, password = user): Promise<void> {
  await person.page.getByLabel('User name').fill(user);
  await person.page.getByLabel('Password').fill(password);
  await person.page.getByRole('button', { name: 'Log in', exact: true }).click();
}

test('follows a login from the first visit to its expiry', async ({ visitor: alice, site }) => {
  const { page } = alice;
  const context = page.context();
  let attempts = 0;
  page.on('websocket', () => attempts++);
  await page.clock.install();

  await test.step('asks a visitor to log in and retries only when the page gets the focus', async () => {
    await page.goto(site.chat.url);
    await expect(heading(alice, 'Please log in')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Log in', exact: true })).toBeVisible();
    // Longer than any reconnect delay.
    await page.clock.runFor('00:10');
    expect(attempts).toBe(1);
    await page.evaluate(() => dispatchEvent(new Event('focus')));
    await expect.poll(() => attempts).toBe(2);
    await expect(heading(alice, 'Please log in')).toBeVisible();
  });

  await test.step('leads from a message link through the login to the message, also in another tab', async () => {
    const { message } = await asUser(site, 'bob', async (ask) => {
      await ask('room:join', { room: 'garden' });
      return ask('message:send', { room: 'garden', text: 'the linked one', clientId: 'l' });
    });
    const other = new Person(await context.newPage());
    await other.page.goto(`${site.php.chatPage}#m=garden/${message.seq}`);
    await submitLogin(other, 'alice', 'wrong');
    await expect(other.page.getByRole('alert')).toBeVisible();
    await submitLogin(other, 'alice');
    await expect(other.message('the linked one')).toBeFocused();
    await expect(other.page).toHaveURL(`${site.php.chatPage}#m=garden`);
    await other.page.close();
    await lookAgain(alice);
  });

  const { value: first, ...cookie } = await sessionCookie(alice);
  const record = await site.memcached.ask(`get sessions/${first}\r\n`);
  const bytes = Buffer.from(record.split('\r\n')[1] ?? '', 'latin1');

  await test.step('keeps the text being written after a new session ID', async () => {
    await alice.open('tabs');
    await alice.write('before the renewal');
    await expect(page.getByText(stored)).toBeVisible();
    await alice.field.fill('half a sentence');
    await site.memcached.set('sessions/renewed-by-php', bytes);
    await context.addCookies([{ ...cookie, value: 'renewed-by-php' }]);
    const again = page.waitForEvent('websocket');
    await site.memcached.delete(`sessions/${first}`);
    await again;
    await expect(alice.message('before the renewal')).toBeVisible();
    await expect(alice.field).toBeFocused();
    await page.keyboard.type(', and the other');
    await expect(alice.field).toHaveValue('half a sentence, and the other');
    await alice.write('and after it');
    await expect(alice.texts).toHaveText(['before the renewal', 'and after it']);
  });

  await test.step('shows a page kept for Back only after the server accepts the user', async () => {
    await alice.field.fill('half a thought');
    await tellKept(page, 'pagehide');
    await expect(alice.messages).toHaveCount(0);
    await tellKept(page, 'pageshow');
    await expect(alice.message('and after it')).toBeVisible();
    await expect(alice.field).toHaveValue('half a thought');
    await tellKept(page, 'pagehide');
    await context.clearCookies();
    await tellKept(page, 'pageshow');
    await expect(heading(alice, 'Please log in')).toBeVisible();
    expect(await everything(alice)).not.toContain('and after it');
  });

  await test.step('keeps the draft through an expired login of the same user', async () => {
    await context.addCookies([{ ...cookie, value: 'renewed-by-php' }]);
    // Writes the session again, as a page view does.
    await site.memcached.set('sessions/renewed-by-php', bytes, 8);
    await lookAgain(alice);
    await alice.open('expiring');
    await alice.field.fill('not sent yet');
    await expect(heading(alice, 'Your login has expired')).toBeVisible({ timeout: 15_000 });
    await expect(page.getByText('Your drafts are saved, Alice.')).toBeVisible();
    await alice.shot('expired');
    await site.memcached.set('sessions/renewed-by-php', bytes);
    await lookAgain(alice);
    await expect(alice.field).toHaveValue('not sent yet');
  });

  await test.step('removes everything when another user takes over the session', async () => {
    await site.memcached.set(
      'sessions/renewed-by-php',
      JSON.stringify({ user_id: 99, firstname: 'Mallory' }),
    );
    await expect(heading(alice, 'Someone else is logged in')).toBeVisible();
    expect(await everything(alice)).not.toMatch(/renewal|not sent yet/);
    await alice.shot('user-changed');
  });
});

test('a logout removes everything before the next user of the browser', async ({ visitor, site }) => {
  const { page } = visitor;
  const context = page.context();
  const den = await privateRoom(site, 'bob', 'the den', []);
  const { token } = await asUser(site, 'bob', (ask) => ask('invite:create', { room: den }));

  await test.step('leads from an invite link through the login to its room', async () => {
    // If another test left this page open, a change of the fragment would not load it.
    await page.goto('about:blank');
    await page.goto(`${site.php.chatPage}#join=${token}`);
    await submitLogin(visitor, 'carol');
    await expect(heading(visitor, 'the den')).toBeFocused();
  });

  await test.step('ends the chat after a logout on another device, with at most five connection attempts', async () => {
    const { value } = await sessionCookie(visitor);
    let attempts = 0;
    page.on('websocket', () => attempts++);
    await page.clock.install();
    // This text is shown for a second, so a check in each frame finds it.
    const checking = page.waitForFunction(() =>
      document.querySelector('php-chat')?.shadowRoot?.textContent?.includes('Checking your login…'),
    );
    await site.memcached.delete(`sessions/${value}`);
    await checking;
    await expect(heading(visitor, 'You’re logged out')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Log in again' })).toBeVisible();
    // For five seconds the same user can still be accepted again.
    const kept = async () => {
      await page.clock.fastForward(1000);
      return page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('/3/')));
    };
    await expect.poll(kept).toEqual([]);
    await page.clock.runFor('00:10');
    expect(attempts).toBeLessThanOrEqual(5);
  });

  await test.step('does not offer the next user the invite link', async () => {
    const cookie = { name: 'PHPSESSID', value: await site.login('dimitri'), httpOnly: true };
    await context.addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
    await lookAgain(visitor);
    await expect(visitor.timeline).toBeVisible();
    expect(await everything(visitor)).not.toContain('the den');
  });

  await test.step('ends every tab after a logout by the site’s button', async () => {
    const tabs = [visitor, new Person(await context.newPage())];
    for (const tab of tabs) await tab.page.goto(site.php.chatPage);
    for (const tab of tabs) {
      await tab.open('logout');
      await tab.field.fill('an unfinished secret');
    }
    await visitor.write('a secret');
    await expect(tabs[1]?.message('a secret') ?? visitor.timeline).toBeVisible();
    await visitor.field.fill('an unfinished secret');
    const [, tab = visitor] = tabs;
    await visitor.page.getByRole('button', { name: 'Log out' }).click();
    await expect(page.getByLabel('User name')).toBeVisible();
    // Immediately, even before it is clear whether the session was only renewed.
    await expect(tab.message('a secret')).toHaveCount(0);
    await expect(heading(tab, 'You’re logged out')).toBeVisible();
    await expect.poll(() => everything(tab), { timeout: 30_000 }).not.toContain('secret');
    expect(await everything(tab)).not.toContain('Dimitri');
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('secret');
    await tab.page.getByRole('button', { name: 'Log in again' }).click();
    await expect(tab.page.getByLabel('User name')).toBeVisible();
  });

  await test.step('hides the site’s link for moderators in every tab', async () => {
    await submitLogin(visitor, 'bob');
    const tab = new Person(await context.newPage());
    for (const { page } of [visitor, tab]) await page.goto(site.php.chatPage);
    const link = tab.page.getByRole('link', { name: 'Moderation' });
    await expect(link).toBeVisible();
    await expect(tab.page.getByText('Connected', { exact: true })).toBeVisible();
    await visitor.page.getByRole('button', { name: 'Log out' }).click();
    await expect(link).toBeHidden();
  });
});
