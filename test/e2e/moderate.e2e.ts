import type { Page } from '@playwright/test';
import { asUser } from './as-user.ts';
import { axe } from './axe.ts';
import { expect, idOf, type Site, test } from './fixtures.ts';
import { shot } from './shot.ts';

test.use({ roles: true });

/** Writes a message as a user who connected once. @returns its number */
async function writeAs(site: Site, room: string, name: string, text: string): Promise<number> {
  const id = idOf(name);
  await asUser(site, name, async () => {});
  const answer = await fetch(`${site.chat.url}/api/rooms/${room}/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${site.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user: { id, name }, text, clientId: crypto.randomUUID() }),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { message: { seq: number } }).message.seq;
}

type Reason = 'spam' | 'abuse' | 'other';

async function reportAs(
  site: Site,
  by: string,
  room: string,
  seq: number,
  reason: Reason,
  text?: string,
): Promise<void> {
  await asUser(site, by, async (ask) => {
    await ask('room:join', { room });
    await ask('message:report', { room, seq, reason, text });
  });
}

/** Reports three messages, the first by two users. */
async function reportThree(site: Site): Promise<void> {
  const watches = await writeAs(site, 'lobby', 'Cheap Watches', 'Cheap watches, press here!');
  const insult = await writeAs(site, 'garden', 'Marek Nowak', 'You never listen, do you.');
  const complaint = await writeAs(site, 'board', 'Lena Fischer', 'That is not what we agreed.');
  await reportAs(site, 'carol', 'garden', insult, 'abuse');
  await reportAs(site, 'carol', 'board', complaint, 'other', 'Hmm.');
  await reportAs(site, 'carol', 'lobby', watches, 'spam', 'Third time this week.');
  await reportAs(site, 'alice', 'lobby', watches, 'spam');
}

/** Opens the page as a user at this URL fragment. */
async function enter(page: Page, site: Site, user: string, hash = ''): Promise<void> {
  const cookie = { name: 'PHPSESSID', value: await site.login(user), httpOnly: true };
  await page.context().addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
  await page.goto(`${site.chat.url}/moderate${hash}`);
}

const cases = (page: Page) => page.getByRole('region', { name: 'Queue' }).getByRole('listitem');
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 2, name });
/** Returns the accessibility violations in the whole page, one for each element. */
async function faults(page: Page): Promise<string[]> {
  const { violations } = await (await axe(page)).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target }) => `${id}: ${target.flat().join(' ')}`),
  );
}

test('the queue lists each message once with its reports and the messages around it', async ({
  site,
  page,
}) => {
  await reportThree(site);
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  await expect(cases(page)).toContainText([
    /Cheap Watches.*Cheap watches, press here!.*2 reports.*Spam or scam.*lobby/,
    /Marek Nowak.*You never listen, do you\..*1 report.*Insult or threat.*garden/,
    /Lena Fischer.*That is not what we agreed\..*1 report.*Something else.*board/,
  ]);
  await expect(page).toHaveTitle('(3) Moderation');
  await expect(heading(page, 'Cheap Watches')).toContainText(/lobby · (today|yesterday)/);
  await expect(page.getByRole('list', { name: '2 reports' }).getByRole('listitem')).toContainText([
    /Carol Spam or scam: “Third time this week\.”/,
    /Alice Spam or scam/,
  ]);
  await expect(page.getByRole('article')).toHaveAccessibleName(/^Cheap Watches, \d\d:\d\d$/);
  await expect(page.getByRole('article')).toHaveAccessibleDescription('Cheap watches, press here!');
  await expect(page.getByRole('link', { name: 'Show in room' })).toHaveAttribute(
    'href',
    `${site.chat.url}/#m=lobby/1`,
  );
  await page.getByRole('button', { name: /^Lena Fischer/ }).click();
  await expect(heading(page, 'Lena Fischer')).toBeVisible();
  await expect(page).toHaveURL(/#queue\/board%2F1$/);
  const talk = page.getByRole('group', { name: /^Messages/ });
  const around = talk.getByRole('article');
  await expect(around).toHaveText(['That is not what we agreed.']);
  await writeAs(site, 'talk', 'Lena Fischer', 'Good morning');
  // The page has the theme that the user chose in the chat.
  await page.evaluate(
    (server) => localStorage.setItem(`php-chat/${encodeURIComponent(server)}/theme`, '"dark"'),
    `${site.chat.url}/`,
  );
  await page.reload();
  await expect(page.locator('php-chat-moderate')).toHaveCSS('color-scheme', 'dark');
  await expect(page.getByText(/First here (today|yesterday)/)).toBeVisible();
  // Pictures replace the initials, in their size.
  await page.route('**/face.svg?*', (route) =>
    route.fulfill({
      contentType: 'image/svg+xml',
      body: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>',
    }),
  );
  await page
    .locator('php-chat-moderate')
    .evaluate((chat) => chat.setAttribute('avatar-url', '/face.svg?{id}'));
  await page.getByRole('button', { name: /^Cheap Watches/ }).click();
  const face = page.locator('php-chat-moderate .detail .group > .avatar');
  await expect(face.locator('img.there')).toBeVisible();
  // The list may still move both between the two measurements.
  await expect(async () => {
    expect(await face.locator('img').boundingBox()).toEqual(await face.boundingBox());
  }).toPass();
  await page.getByRole('button', { name: /^Lena Fischer/ }).click();
  await expect(heading(page, 'Lena Fischer')).toBeVisible();
  await expect(page.getByText('Removed before: 0')).toBeVisible();
  await page.getByRole('button', { name: 'All 2 messages' }).click();
  await expect(around).toHaveText(['Good morning', 'That is not what we agreed.']);
  await expect(talk).toContainText(/talk · (today|yesterday)/);
  await shot(page, 'moderate-1-all');
  await page.getByRole('button', { name: 'Around the message' }).click();
  await expect(around).toHaveText(['That is not what we agreed.']);
  // A new report appears immediately.
  const late = await writeAs(site, 'talk', 'Tom Baker', 'Late');
  await reportAs(site, 'carol', 'talk', late, 'other');
  await expect(cases(page)).toHaveCount(4);
  await page.getByRole('button', { name: 'Sort and filter' }).click();
  await page.getByLabel('Sort by').selectOption('Newest first');
  await expect(cases(page)).toContainText([/Tom Baker/, /Cheap Watches/, /Lena Fischer/, /Marek Nowak/]);
  await page.getByLabel('Room', { exact: true }).selectOption('board');
  await expect(cases(page)).toContainText([/Lena Fischer/]);
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-1-sort');
  await page.getByRole('button', { name: 'Sort and filter' }).click();
  await expect(cases(page)).toHaveCount(4);
  await expect(heading(page, 'Lena Fischer')).toBeVisible();
  await shot(page, 'moderate-1-queue');
});

test('a phone shows either the queue or one entry', {
  tag: '@soak',
}, async ({ site, page }) => {
  await reportThree(site);
  await page.setViewportSize({ width: 360, height: 640 });
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
  expect(await wide()).toBe(360);
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-360-1-queue');
  await page.getByRole('button', { name: /^Marek Nowak/ }).click();
  await expect(heading(page, 'Marek Nowak')).toBeFocused();
  await expect(page.getByRole('region', { name: 'Queue' })).toBeHidden();
  expect(await wide()).toBe(360);
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-360-2-report');
  await page.getByRole('button', { name: 'Back to the list' }).click();
  await expect(page.getByRole('button', { name: /^Marek Nowak/ })).toBeFocused();
  await page.getByRole('button', { name: /^Lena Fischer/ }).click();
  await page.getByRole('button', { name: 'Keep' }).click();
  await expect(heading(page, 'Marek Nowak')).toBeFocused();
  await page.goBack();
  await expect(cases(page)).toHaveCount(2);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await faults(page)).toEqual([]);
  await page.getByRole('button', { name: /^Cheap Watches/ }).click();
  await page.getByRole('button', { name: 'Mute…' }).click();
  await shot(page, 'moderate-360-3-mute-dark');
  expect(await faults(page)).toEqual([]);
});

test('axe finds no violations in the queue and its dialogs, light and dark', {
  tag: '@soak',
}, async ({ site, page }) => {
  await reportThree(site);
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await faults(page), colorScheme).toEqual([]);
    await page.keyboard.press('Shift+?');
    await expect(page.getByRole('dialog')).toBeVisible();
    expect(await faults(page), `${colorScheme}, keys`).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('b');
    await expect(page.getByRole('dialog', { name: 'Ban Cheap Watches' })).toBeVisible();
    expect(await faults(page), `${colorScheme}, ban`).toEqual([]);
    await page.keyboard.press('Escape');
    await shot(page, `moderate-4-${colorScheme}`);
  }
});
