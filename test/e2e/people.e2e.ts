import type { Locator, Page } from '@playwright/test';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, type Site, test } from './fixtures.ts';

const rooms = ({ page }: Person) => page.getByRole('navigation', { name: 'Rooms' });
const people = ({ page }: Person) => page.getByRole('complementary', { name: 'People' });
const person = (who: Person, name: string) =>
  people(who).getByRole('button', { name: new RegExp(`^${name}`) });
/** The names below a heading, from top to bottom. */
const under = (who: Person, heading: string) =>
  people(who).locator('h3', { hasText: heading }).locator('xpath=following-sibling::ul[1]').locator('bdi');

/** The names of the rules of axe that the part breaks. */
const wrongIn = async (page: Page, part: string) => (await faultsIn(page, part)).map(({ id }) => id);

/** Adds members who have never been here, by the PHP application. */
async function add(site: Site, room: string, count: number): Promise<void> {
  const members = Array.from({ length: count }, (_, index) => ({
    id: `m${index}`,
    name: `Member ${String(index).padStart(3, '0')}`,
  }));
  const answer = await fetch(`${site.chat.url}/api/rooms/${room}/members`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${site.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ add: members }),
  });
  expect(answer.ok).toBe(true);
}

test('present people are above the others, by name, and move when that changes', { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  const { page } = alice;
  const moved = Promise.withResolvers<void>();
  await asUser(site, 'carol', async () => {});
  await privateRoom(site, 'alice', 'orchard', ['2', '3']);
  await alice.open('orchard');
  await bob.open('orchard');
  await expect(under(alice, 'Here now')).toHaveText(['Alice', 'Bob']);
  await expect(under(alice, 'Others')).toHaveText(['Carol']);
  await expect(alice.page.getByRole('button', { name: 'Here now: 2' })).toBeVisible();
  await expect(person(alice, 'Alice')).toContainText(/owner.*you/);
  await asUser(site, 'carol', async () => {
    await expect(under(alice, 'Here now')).toHaveText(['Alice', 'Bob', 'Carol']);
    await expect(people(alice).getByRole('heading', { name: 'Others' })).toHaveCount(0);
    await page.route('**/person-card-*.js', async (route) => {
      await moved.promise;
      await route.continue();
    });
    await person(alice, 'Carol').click();
  });
  await expect(under(alice, 'Others')).toHaveText(['Carol']);
  // The code of the card comes after that.
  moved.resolve();
  await expect(page.getByRole('dialog', { name: 'Carol' })).toBeInViewport({ ratio: 1 });
  await page.keyboard.press('Escape');
  await expect(person(alice, 'Carol')).toBeFocused();
  await alice.shot('people-1-panel');
});

test('the card of a person: a direct message, the profile, moderator and back', async ({
  alice,
  bob,
  site,
}) => {
  const { page } = alice;
  await privateRoom(site, 'alice', 'committee', ['2']);
  await alice.open('committee');
  await bob.open('committee');
  await person(alice, 'Bob').click();
  const card = page.getByRole('dialog', { name: 'Bob' });
  const items = card.getByRole('menuitem');
  await expect(card).toContainText('Here now');
  await expect(card.locator('.quick > *')).toHaveText(['Message', 'Mention', 'Profile']);
  const acts = ['Make moderator', 'Mute…', 'Ban…', 'Remove from room', 'Block Bob'];
  await expect(items).toHaveText(acts);
  await expect(card.getByRole('button', { name: 'Message' })).toBeFocused();
  await page.keyboard.press('Shift+Tab');
  await expect(items.last()).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(card.getByRole('button', { name: 'Message' })).toBeFocused();
  expect(await wrongIn(page, '.person-card')).toEqual([]);
  await alice.shot('people-2-card');
  await page.keyboard.press('Escape');
  await expect(person(alice, 'Bob')).toBeFocused();

  await page.keyboard.press('Enter');
  await items.getByText('Make moderator').click();
  await expect(person(alice, 'Bob')).toContainText('moderator');
  await expect(person(bob, 'Bob')).toContainText('moderator');
  // A moderator may not act on the owner.
  await person(bob, 'Alice').click();
  await expect(bob.page.getByRole('dialog', { name: 'Alice' }).locator('.card-top')).toHaveText(
    /owner.*Here now/,
  );
  await expect(bob.page.getByRole('menuitem')).toHaveText(['Block Alice']);
  await bob.page.keyboard.press('Escape');
  await person(alice, 'Bob').click();
  await items.getByText('Remove as moderator').click();
  await expect(person(alice, 'Bob')).not.toContainText('moderator');

  const opened = page.context().waitForEvent('page');
  await person(alice, 'Bob').click();
  await card.getByRole('link', { name: 'Profile' }).click();
  const profile = await opened;
  await expect.poll(() => profile.url()).toBe(`${site.php.url}/people/2`);
  await profile.close();

  await person(alice, 'Bob').click();
  await card.getByRole('button', { name: 'Message' }).click();
  await expect(page.getByRole('region', { name: 'Bob' })).toBeVisible();
  await expect(alice.field).toBeFocused();
  await expect(page.getByRole('button', { name: /^Here now/ })).toHaveCount(0);
});

test('a menu and a card stay within the chat when that becomes smaller, and no notice covers them', {
  tag: '@soak',
}, async ({ alice }) => {
  const { page } = alice;
  await alice.open('lobby');
  await alice.write('hello');
  const inside = async (part: Locator) => {
    await expect(part).toBeInViewport({ ratio: 1 });
    await page.setViewportSize({ width: 700, height: 700 });
    await expect(part).toBeInViewport({ ratio: 1 });
    const notice = page.locator('php-chat .toast');
    await page
      .locator('php-chat')
      .evaluate((chat) => (chat as HTMLElement & { openRoom(id: string): void }).openRoom('nowhere'));
    await expect(notice).toBeVisible();
    const depth = (one: Locator) => one.evaluate((element) => Number(getComputedStyle(element).zIndex));
    expect(await depth(part)).toBeGreaterThan(await depth(page.locator('php-chat .toasts')));
    await page.keyboard.press('Escape');
    await expect(part).toHaveCount(0);
    await page.setViewportSize({ width: 1280, height: 800 });
  };
  await page.getByRole('button', { name: 'Room menu' }).click();
  await inside(page.getByRole('menu', { name: 'Room menu' }));
  await page
    .getByRole('complementary', { name: 'People' })
    .getByRole('button', { name: /^Alice/ })
    .click();
  await inside(page.getByRole('dialog', { name: 'Alice' }));
});

test('a name, a picture and a mention in the timeline open the card, which says when somebody was last here', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'alice', 'cards', ['2', '3']);
  const mentions = [{ user: '2', start: 3, length: 4 }];
  const said = { room, text: 'Hi @Bob', mentions, clientId: 'hi' };
  await asUser(site, 'bob', (ask) => ask('room:join', { room }));
  await asUser(site, 'carol', async (ask) => {
    await ask('room:join', { room });
    await ask('message:send', said);
  });
  await alice.open('cards');
  const card = (name: string) => page.getByRole('dialog', { name });
  const name = alice.timeline.getByRole('button', { name: 'Carol' });
  await name.click();
  await expect(card('Carol').locator('.card-top')).toHaveText(/Last here (today|yesterday), /);
  await expect(card('Carol').getByRole('menuitem')).toHaveText([
    'Make moderator',
    'Mute…',
    'Ban…',
    'Remove from room',
    'Report',
    'Block Carol',
  ]);
  await alice.shot('people-4-card');
  await page.emulateMedia({ colorScheme: 'dark' });
  await alice.shot('people-4-card-dark');
  expect(await wrongIn(page, '.person-card')).toEqual([]);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.keyboard.press('Escape');
  await expect(name).toBeFocused();
  await alice.timeline.locator('.group > .avatar').click();
  await card('Carol').getByRole('menuitem', { name: 'Report' }).click();
  await expect(page.getByRole('dialog', { name: 'Report this message' })).toBeVisible();
  await page.keyboard.press('Escape');

  const mention = alice.message('Hi @Bob').getByRole('button', { name: '@Bob' });
  await mention.click();
  await expect(card('Bob')).toContainText('Last here');
  await expect(card('Bob').getByRole('menuitem', { name: 'Report' })).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(mention).toBeFocused();
  await page.keyboard.press('Enter');
  await card('Bob').getByRole('button', { name: 'Mention' }).click();
  await expect(alice.field).toHaveValue(/@Bob/);
  // By keyboard, from the menu of the message.
  await alice.message('Hi @Bob').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'About Carol' }).click();
  await expect(card('Carol')).toBeVisible();
  await page.setViewportSize({ width: 360, height: 640 });
  await page.keyboard.press('Escape');
  await name.click();
  const { width } = (await card('Carol').boundingBox()) ?? {};
  expect(width).toBe(360);
  await expect(card('Carol')).toContainText('Last here');
  await alice.shot('people-4-card-360');
  await page.emulateMedia({ colorScheme: 'dark' });
  await alice.shot('people-4-card-360-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await wrongIn(page, '.person-card')).toEqual([]);
  await page.keyboard.press('Escape');
  await page.setViewportSize({ width: 1280, height: 800 });

  // On her own card: nobody learns of her last visit, until she shows it again.
  await person(alice, 'Alice').click();
  const hide = card('Alice').getByRole('menuitem', { name: 'Hide my last visit and what I’ve seen' });
  await hide.click();
  await expect(page.getByText('Others no longer see when you were last here,')).toBeVisible();
  await person(alice, 'Alice').click();
  await expect(
    card('Alice').getByRole('menuitem', { name: 'Show my last visit and what I’ve seen' }),
  ).toBeVisible();
});

test('the author of a message that a moderator deletes is notified of the reason', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const room = await privateRoom(site, 'bob', 'moderated', ['1']);
  await alice.open('moderated');
  await alice.write('buy my watches');
  await expect(alice.message('buy my watches')).toContainText(/Sent|Seen by/);
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    await ask('message:delete', { room, seq: 1, reason: 'no advertising' });
  });
  const told = (reason: string) =>
    alice.page.getByText(`A moderator deleted your message in moderated: ${reason}`);
  await expect(told('no advertising')).toBeVisible();
  // A word of a reason may be as long as the reason.
  const reason = 'x'.repeat(250);
  const errors: string[] = [];
  alice.page.on('pageerror', ({ message }) => errors.push(message));
  // The site may use the name for something else.
  for (const data of [null, { room }, { room, reason }]) {
    await fetch(`${site.chat.url}/api/users/1/push`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${site.apiKey}` },
      body: JSON.stringify({ name: 'deleted', data }),
    });
  }
  await expect(told(reason)).toBeVisible();
  expect((await told(reason).boundingBox())?.width).toBeLessThan(400);
  expect(errors).toEqual([]);
});

test('a hundred and twenty members come by pages, and one is found by name', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const id = await privateRoom(site, 'alice', 'assembly', ['2']);
  await add(site, id, 118);
  await alice.open('assembly');
  await expect(people(alice).getByRole('heading', { name: 'Others' })).toContainText('119');
  await expect(
    people(alice).getByText('and 70 more').or(people(alice).getByText('and 69 more')),
  ).toBeAttached();
  await expect(async () => {
    await people(alice)
      .locator('.scroll')
      .evaluate((list) => list.scrollTo(0, list.scrollHeight));
    await expect(person(alice, 'Member 117')).toBeVisible({ timeout: 100 });
  }).toPass();
  await expect(people(alice).getByText(/^and \d+ more$/)).toHaveCount(0);

  const field = page.getByRole('searchbox', { name: 'Find a person' });
  await field.fill('member 04');
  await expect(people(alice).locator('.person bdi')).toHaveText(
    Array.from({ length: 10 }, (_, index) => `Member 04${index}`),
  );
  await field.fill('zzz');
  await expect(people(alice).getByText('Nothing found')).toBeVisible();
  await field.press('Escape');
  await expect(field).toHaveValue('');
  await expect(person(alice, 'Alice')).toBeVisible();
});

test('while the connection is lost nobody is said to be here', { tag: '@soak' }, async ({ alice, site }) => {
  await asUser(site, 'bob', async () => {});
  await privateRoom(site, 'alice', 'watch', ['2']);
  await privateRoom(site, 'alice', 'lookout', []);
  await alice.open('watch');
  await expect(under(alice, 'Others')).toHaveText(['Bob']);
  await alice.open('lookout');
  await expect(people(alice).getByRole('heading', { name: 'Here now' })).toBeVisible();
  const alone = people(alice).getByText('You’re the only one here');
  await expect(alone).toBeVisible();
  await site.restart('SIGKILL', async () => {
    await expect(alice.banner).toContainText('Connection lost');
    await expect(people(alice).getByRole('heading', { name: 'Last seen here' })).toBeVisible();
    await expect(alone).toBeHidden();
    await expect(rooms(alice).getByText('Connection lost', { exact: true })).toBeVisible();
    await expect(alice.page.getByRole('button', { name: 'Here now: –' })).toBeVisible();
    await alice.shot('people-3-lost');

    // Known people are still shown when the panel is opened again; for a new room nobody is.
    const open = async (name: string) => {
      await rooms(alice)
        .getByRole('button', { name: new RegExp(`^${name}\\b`) })
        .click();
      await expect(alice.page.getByRole('region', { name })).toBeVisible();
    };
    await open('watch');
    await expect(under(alice, 'Last seen here')).toHaveText(['Alice']);
    await expect(person(alice, 'Alice')).toContainText('owner');
    await expect(under(alice, 'Others')).toHaveText(['Bob']);
    await open('garden');
    await expect(people(alice).getByText('Connection lost.')).toBeVisible();
    await expect(people(alice).getByRole('button', { name: 'Try again' })).toBeVisible();
    await alice.shot('people-4-unknown');
    await open('lookout');
  });
  await expect(people(alice).getByRole('heading', { name: 'Here now' })).toBeVisible();
  await expect(alice.page.getByText('Connected', { exact: true })).toBeVisible();
});

test('pictures of people stand over their initials, which stay where there is none; that is asked once an hour', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  await asUser(site, 'bob', async () => {});
  await privateRoom(site, 'alice', 'faces', ['2']);
  const asked: string[] = [];
  const referrers = new Set<string | undefined>();
  const face =
    '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="teal"/></svg>';
  await page.context().route('https://faces.example/**', async (route) => {
    const path = new URL(route.request().url()).pathname;
    asked.push(path);
    referrers.add((await route.request().allHeaders()).referer);
    if (path === '/2') await route.fulfill({ contentType: 'image/svg+xml', body: face });
    else await route.fulfill({ status: 404 });
  });
  const url = site.host(`<!doctype html><html lang="en"><title>Host</title>
    <script type="module" src="${site.chat.url}/php-chat.js"></script>
    <php-chat avatar-url="https://faces.example/{id}"></php-chat>`);
  await page.goto(url);
  await alice.open('faces');
  const avatar = (name: string) => person(alice, name).locator('.avatar');
  const isKnownToFail = () =>
    expect
      .poll(() => page.evaluate(() => Object.keys(localStorage).some((key) => key.endsWith('portraits'))))
      .toBe(true);
  await expect(avatar('Bob').locator('img')).toHaveCSS('opacity', '1');
  await expect(avatar('Bob').locator('img')).toHaveAttribute('alt', '');
  await expect(avatar('Alice')).toHaveText('A');
  await expect(avatar('Alice').locator('img')).toHaveCount(0);
  await alice.shot('people-5-faces');
  await alice.write('Here I am.');
  await alice.write('And here.');
  await expect(alice.message('And here.')).toBeVisible();
  await isKnownToFail();
  // Several pictures may be on the page, and one may be asked for in the moment in which another one's answer comes.
  const times = () => asked.filter((path) => path === '/1').length;
  const first = times();
  await page.reload();
  await expect(avatar('Bob').locator('img')).toHaveCSS('opacity', '1');
  await expect(avatar('Alice')).toHaveText('A');
  await expect(alice.message('And here.')).toBeVisible();
  expect(times()).toBe(first);
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await expect.poll(times).toBeGreaterThan(first);
  await isKnownToFail();
  await expect(avatar('Alice').locator('img')).toHaveCount(0);
  const second = times();
  // Nor at each repaint if the browser keeps nothing.
  await page.evaluate(() => localStorage.clear());
  for (const text of ['Once more.', 'And more.']) {
    await alice.write(text);
    await expect(alice.message(text)).toBeVisible();
  }
  expect(times()).toBe(second);
  expect([...referrers]).toEqual([undefined]);
});

test('the page’s slots are shown, and its own address of profiles takes precedence over the server’s', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  await asUser(site, 'bob', async () => {});
  await privateRoom(site, 'alice', 'slots', ['2']);
  const url = site.host(`<!doctype html><html lang="en"><title>Host</title>
    <script type="module" src="${site.chat.url}/php-chat.js"></script>
    <php-chat profile-url="https://people.example/{id}?from=chat"><b slot="logo">Orchard</b>
    <i slot="header-end">help</i><u slot="foot">beta</u></php-chat>`);
  await page.goto(url);
  await alice.open('slots');
  await expect(page.getByText('Orchard', { exact: true })).toBeVisible();
  await expect(page.getByText('help', { exact: true })).toBeVisible();
  await expect(page.getByText('beta', { exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Chat', exact: true })).toHaveCount(0);
  await page.context().route('https://people.example/**', (route) => route.fulfill({ body: 'a person' }));
  await person(alice, 'Bob').click();
  const opened = page.context().waitForEvent('page');
  await page.getByRole('link', { name: 'Profile' }).click();
  await expect.poll(async () => (await opened).url()).toBe('https://people.example/2?from=chat');

  // The menu of a direct room leads there, too.
  await person(alice, 'Bob').click();
  await page.getByRole('button', { name: 'Message', exact: true }).click();
  await expect(page.getByRole('textbox', { name: 'Message to Bob' })).toBeVisible();
  await page.getByRole('button', { name: 'Room menu' }).click();
  const again = page.context().waitForEvent('page');
  await page.getByRole('menuitem', { name: 'Profile' }).click();
  await expect.poll(async () => (await again).url()).toBe('https://people.example/2?from=chat');
  await alice.open('slots');

  // No script, and no site that could be changed on the way.
  for (const bad of ['javascript:alert(1)', 'http://people.example/{id}']) {
    await page.locator('php-chat').evaluate((chat, to) => chat.setAttribute('profile-url', to), bad);
    await person(alice, 'Bob').click();
    await expect(page.getByRole('button', { name: 'Message', exact: true })).toBeVisible();
    await expect(page.getByRole('link', { name: 'Profile' })).toHaveCount(0);
    await page.keyboard.press('Escape');
  }
});
