import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { upload } from '../helpers/files.ts';
import { asUser, privateRoom } from './as-user.ts';
import { axe } from './axe.ts';
import { expect, idOf, type Site, test } from './fixtures.ts';
import { tellKept } from './kept-page.ts';
import { seed } from './seed.ts';
import { shot } from './shot.ts';
import { Wire } from './wire.ts';

test.use({ roles: true });

/** A message of somebody who is here for that moment. @returns its place */
async function written(site: Site, room: string, name: string, text: string): Promise<number> {
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

async function reported(
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

/** Three messages that are reported: the first by two people. */
async function threeReported(site: Site): Promise<void> {
  const watches = await written(site, 'lobby', 'Cheap Watches', 'Cheap watches, press here!');
  const insult = await written(site, 'garden', 'Marek Nowak', 'You never listen, do you.');
  const complaint = await written(site, 'board', 'Lena Fischer', 'That is not what we agreed.');
  await reported(site, 'carol', 'garden', insult, 'abuse');
  await reported(site, 'carol', 'board', complaint, 'other', 'Hmm.');
  await reported(site, 'carol', 'lobby', watches, 'spam', 'Third time this week.');
  await reported(site, 'alice', 'lobby', watches, 'spam');
}

/** Opens the page as that user, at that place. */
async function enter(page: Page, site: Site, user: string, hash = ''): Promise<void> {
  const cookie = { name: 'PHPSESSID', value: await site.login(user), httpOnly: true };
  await page.context().addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
  await page.goto(`${site.chat.url}/moderate${hash}`);
}

const cases = (page: Page) => page.getByRole('region', { name: 'Queue' }).getByRole('listitem');
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 2, name });
const reports = (site: Site, user = 'bob') =>
  asUser(site, user, async (ask) => (await ask('report:list', {})).reports);
const textOf = (site: Site, room: string, seq: number) =>
  asUser(site, 'bob', async (ask) => {
    const { messages } = await ask('message:history', { room });
    return messages.find((message) => message.seq === seq)?.text;
  });
/** An act is listed a moment after it was done. */
const listed = (site: Site, kind: string) =>
  expect
    .poll(() =>
      asUser(site, 'alice', async (ask) => (await ask('moderate:acts', {})).acts.map((act) => act.kind)),
    )
    .toContain(kind);
/** The violations that axe finds in the whole page, one line each. */
async function faults(page: Page): Promise<string[]> {
  const { violations } = await (await axe(page)).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target }) => `${id}: ${target.flat().join(' ')}`),
  );
}

test('the queue has a message once, most reports first, and shows who has reported it, why, and what was said', async ({
  site,
  page,
}) => {
  await threeReported(site);
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  await expect(cases(page)).toContainText([
    /Cheap Watches.*Cheap watches, press here!.*2 reports.*Spam or scam.*lobby/,
    /Marek Nowak.*You never listen, do you\..*1 report.*Insult or threat.*garden/,
    /Lena Fischer.*That is not what we agreed\..*1 report.*Something else.*board/,
  ]);
  await expect(page).toHaveTitle('(3) Moderation');
  await expect(heading(page, 'Cheap Watches')).toContainText(/lobby, today/);
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
  await written(site, 'talk', 'Lena Fischer', 'Good morning');
  await page.reload();
  await expect(page.getByText('First here today')).toBeVisible();
  await expect(page.getByText('Removed before: 0')).toBeVisible();
  await page.getByRole('button', { name: 'All 2 messages' }).click();
  await expect(around).toHaveText(['Good morning', 'That is not what we agreed.']);
  await expect(talk).toContainText('talk, today');
  await shot(page, 'moderate-1-all');
  await page.getByRole('button', { name: 'Around the message' }).click();
  await expect(around).toHaveText(['That is not what we agreed.']);
  // A report that comes now is there at once.
  const late = await written(site, 'talk', 'Tom Baker', 'Late');
  await reported(site, 'carol', 'talk', late, 'other');
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

test('by keys alone: next, delete, take back, keep, and the list of keys, which turns them off', {
  tag: '@soak',
}, async ({ site, page }) => {
  await threeReported(site);
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  const said = page.getByRole('status');
  await page.keyboard.press('j');
  await expect(heading(page, 'Marek Nowak')).toBeFocused();
  await page.keyboard.press('k');
  await expect(heading(page, 'Cheap Watches')).toBeFocused();
  // With a modifier it is a key of the browser's.
  await page.keyboard.press('Control+j');
  await expect(heading(page, 'Cheap Watches')).toBeFocused();
  await page.keyboard.press('d');
  await expect(cases(page)).toHaveCount(2);
  await expect(heading(page, 'Marek Nowak')).toBeFocused();
  await expect(said).toHaveText('Next: Marek Nowak, 2 left');
  await expect(page.getByText('Deleted. Cheap Watches can see the reason.')).toBeVisible();
  expect(await textOf(site, 'lobby', 1)).toBe('Cheap watches, press here!');
  await page.keyboard.press('z');
  await expect(heading(page, 'Cheap Watches')).toBeFocused();
  await expect(cases(page)).toHaveCount(3);
  await page.keyboard.press('d');
  await page.keyboard.press('a');
  // The second decision sends the first.
  await expect.poll(() => textOf(site, 'lobby', 1)).toBe('');
  await expect(heading(page, 'Lena Fischer')).toBeFocused();
  await page.keyboard.press('a');
  await expect(said).toHaveText('All clear');
  await expect(heading(page, 'Queue')).toBeFocused();
  await expect(page.getByText('Nothing is waiting. 2 decided today.')).toBeVisible();
  await shot(page, 'moderate-2-clear');
  await expect(page).toHaveTitle('Moderation');
  await page.keyboard.press('Shift+?');
  const keys = page.getByRole('dialog', { name: 'All keys' });
  await keys.getByRole('switch', { name: 'Use these keys' }).click();
  await shot(page, 'moderate-2-keys');
  await page.keyboard.press('Escape');
  await expect(heading(page, 'Queue')).toBeFocused();
  // Z would take the last decision back.
  await page.keyboard.press('z');
  await page.keyboard.press('Shift+?');
  await expect(keys).toHaveCount(0);
  await expect(cases(page)).toHaveCount(0);
  await page.reload();
  await expect(page.getByText('Nothing is waiting.')).toBeVisible();
  expect(await reports(site)).toEqual([]);
  await page.getByRole('button', { name: 'All keys' }).click();
  await expect(keys.getByRole('switch', { name: 'Use these keys' })).not.toBeChecked();
});

test('a deletion can be taken back for eight seconds, then it is done; leaving the page does it at once', {
  tag: '@soak',
}, async ({ site, page }) => {
  await threeReported(site);
  await page.clock.install();
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  await page.clock.pauseAt(Date.now() + 60_000);
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(cases(page)).toHaveCount(2);
  const undo = page.getByRole('button', { name: 'Undo', exact: true });
  await page.clock.runFor(7000);
  await undo.click();
  await expect(cases(page)).toHaveCount(3);
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.clock.runFor(7000);
  expect(await textOf(site, 'lobby', 1)).toBe('Cheap watches, press here!');
  await page.clock.runFor(1000);
  await expect.poll(() => textOf(site, 'lobby', 1)).toBe('');
  await page.clock.resume();
  await expect(undo).toHaveCount(0);
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(cases(page)).toHaveCount(1);
  await page.goto(`${site.chat.url}/guide.html`);
  await expect.poll(() => textOf(site, 'garden', 1)).toBe('');
});

test('an entry on which another moderator decides goes, and a notice says who has decided what', {
  tag: '@soak',
}, async ({ site, page, visitor }) => {
  await threeReported(site);
  await enter(page, site, 'bob');
  await enter(visitor.page, site, 'alice');
  await expect(cases(page)).toHaveCount(3);
  await expect(heading(page, 'Cheap Watches')).toBeVisible();
  await expect(cases(visitor.page)).toHaveCount(3);
  await visitor.page.getByRole('button', { name: 'Keep' }).click();
  await visitor.page.getByRole('button', { name: 'Keep' }).click();
  await expect(page.getByText('Alice has already decided this: kept.')).toBeVisible();
  await expect(cases(page)).toHaveCount(2);
  await expect(heading(page, 'Marek Nowak')).toBeVisible();
  await shot(page, 'moderate-3-meanwhile');
  // Alice decides on a message that Bob is about to delete: his decision is dropped.
  await page.getByRole('button', { name: /^Lena Fischer/ }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(cases(page)).toHaveCount(1);
  await expect(cases(visitor.page)).toHaveCount(1);
  await visitor.page.getByRole('button', { name: 'Mute…' }).click();
  await visitor.page.getByRole('dialog').getByRole('button', { name: 'Mute', exact: true }).click();
  await expect(visitor.page.getByText('Lena Fischer was muted.')).toBeVisible();
  await expect(page.getByText('Alice has already decided this: muted.')).toBeVisible();
  await page.keyboard.press('z');
  await expect.poll(() => textOf(site, 'board', 1)).toBe('That is not what we agreed.');
});

test('a decision that is refused is taken back, with a notice', { tag: '@soak' }, async ({ site, page }) => {
  // Nobody outranks an admin.
  const [seq] = await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room: 'talk' });
    const { message } = await ask('message:send', { room: 'talk', text: 'My own words', clientId: 'own' });
    return [message.seq];
  });
  await reported(site, 'carol', 'talk', seq ?? 0, 'abuse');
  await page.clock.install();
  await enter(page, site, 'bob');
  await page.getByRole('button', { name: 'Ban…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Ban Alice' });
  await dialog.getByRole('button', { name: 'Ban', exact: true }).click();
  await expect(dialog.getByRole('alert')).toHaveText('That isn’t allowed in this room.');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('Nothing is waiting.')).toBeVisible();
  await page.clock.fastForward(8000);
  await expect(page.getByText('That isn’t allowed in this room.')).toBeVisible();
  await expect(cases(page)).toHaveCount(1);
});

test('a report stands among the three messages before and after it; of a direct room there is nothing else', async ({
  site,
  page,
}) => {
  for (const n of [1, 2, 3, 4]) await written(site, 'lobby', `Before ${n}`, `before ${n}`);
  const seq = await written(site, 'lobby', 'Marek Nowak', 'You never listen, do you.');
  for (const n of [1, 2, 3, 4]) await written(site, 'lobby', `After ${n}`, `after ${n}`);
  await reported(site, 'carol', 'lobby', seq, 'abuse');
  await asUser(site, 'dimitri', async (ask) => {
    const { room } = await ask('direct:open', { user: '3' });
    await ask('room:join', { room: room.id });
    for (const text of ['Good morning', 'Give me your password'])
      await ask('message:send', { room: room.id, text, clientId: text.replaceAll(' ', '-') });
    await asUser(site, 'carol', (ask2) => ask2('message:report', { room: room.id, seq: 2, reason: 'abuse' }));
  });
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(2);
  const messages = page.getByRole('group', { name: 'Messages in lobby' }).getByRole('article');
  await expect(messages).toHaveText([
    'before 2',
    'before 3',
    'before 4',
    'You never listen, do you.',
    'after 1',
    'after 2',
    'after 3',
  ]);
  await expect(messages.nth(3)).toBeInViewport();
  await page.keyboard.press('j');
  await expect(heading(page, 'Dimitri')).toContainText('direct messages, today');
  await expect(page.getByRole('article')).toHaveText(['Give me your password']);
  // Nobody is muted in a direct room; from the whole site, a moderator of it can ban.
  await expect(page.getByRole('button', { name: 'Mute…' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Ban…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Ban Dimitri' });
  await expect(dialog).toContainText('Dimitri won’t be able to see the chat.');
  await dialog.getByRole('button', { name: 'Permanently' }).click();
  await dialog.getByRole('button', { name: 'Ban', exact: true }).click();
  await expect(page.getByText('Dimitri was banned.')).toBeVisible();
  await expect(cases(page)).toHaveCount(1);
  await expect(asUser(site, 'dimitri', async () => {})).rejects.toThrow('forbidden');
});

test('an author is banned from the room, or from all rooms', { tag: '@soak' }, async ({ site, page }) => {
  await threeReported(site);
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  await page.keyboard.press('b');
  const dialog = page.getByRole('dialog', { name: 'Ban Cheap Watches' });
  const where = dialog.getByRole('group', { name: 'Where' });
  await expect(where.getByRole('button', { name: 'lobby' })).toHaveAttribute('aria-pressed', 'true');
  await expect(dialog).toContainText('Cheap Watches won’t be able to see lobby.');
  await where.getByRole('button', { name: 'All rooms' }).click();
  await expect(dialog).toContainText('Cheap Watches won’t be able to see the chat.');
  await dialog.getByRole('textbox', { name: /^Reason/ }).fill('Advertising');
  await shot(page, 'moderate-8-ban');
  expect(await faults(page)).toEqual([]);
  await page.keyboard.press('Enter');
  await expect(page.getByText('Cheap Watches was banned.')).toBeVisible();
  await expect(heading(page, 'Marek Nowak')).toBeFocused();
  await expect.poll(() => textOf(site, 'lobby', 1)).toBe('');
  const answer = await fetch(`${site.chat.url}/api/users/cheap-watches`, {
    headers: { authorization: `Bearer ${site.apiKey}` },
  });
  expect(await answer.json()).toMatchObject({ banned: { reason: 'Advertising' } });
});

test('the rooms: found by name, sorted, and their restrictions, which can be lifted', {
  tag: '@soak',
}, async ({ site, page }) => {
  await written(site, 'talk', 'Tom Baker', 'Late');
  const cookie = `PHPSESSID=${await site.login('dimitri')}`;
  const headers = { origin: site.php.url };
  const { file } = await upload(site.chat.url, cookie, 'plan'.repeat(300), { room: 'talk', headers });
  await seed(site, 'dimitri', 'talk', [{ text: '', files: [{ id: file.id }] }]);
  await privateRoom(site, 'carol', 'not for Bob', ['1']);
  await privateRoom(site, 'carol', 'seed swap', ['2']);
  await enter(page, site, 'bob', '#rooms');
  const rows = page.getByRole('row');
  await expect(rows.nth(1)).toContainText(/talk.*Public/);
  const columns = ['Room', 'Kind', 'Members', 'Messages, 30 days', 'Files', 'Last message', 'More actions'];
  await expect(page.getByRole('columnheader')).toHaveText(columns);
  await expect(rows.nth(1).getByRole('cell').nth(3)).toHaveText('2');
  await expect(rows.nth(1).getByRole('cell').nth(4)).toHaveText('1.2 kB');
  await expect(rows.nth(2).getByRole('cell').nth(4)).toHaveText('0 bytes');
  await expect(page.getByRole('link', { name: 'seed swap' })).toBeVisible();
  await expect(page.getByText('not for Bob')).toHaveCount(0);
  await page.keyboard.press('/');
  await page.keyboard.type('lob');
  await expect(rows).toHaveCount(2);
  await asUser(site, 'alice', (ask) =>
    ask('room:mute', { room: 'lobby', user: 'tom-baker', reason: 'Too loud' }),
  );
  await page.getByRole('button', { name: 'Muted and banned, lobby' }).click();
  const dialog = page.getByRole('dialog', { name: 'Muted and banned' });
  await expect(dialog).toContainText(/Tom Baker.*muted for good.*by Alice.*Too loud/);
  await dialog.getByRole('button', { name: 'Unmute' }).click();
  await expect(dialog).toContainText('Nobody is muted or banned');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('searchbox', { name: 'Find a room' }).fill('');
  await page.getByRole('combobox', { name: 'Sort by' }).selectOption('Name');
  await expect(rows.nth(1)).toContainText('announcements');
  await page.getByRole('button', { name: 'New room' }).click();
  const creating = page.getByRole('dialog', { name: 'New room' });
  await creating.getByRole('textbox', { name: 'Name' }).fill('lobby');
  await creating.getByRole('radio', { name: /^Public/ }).check();
  await creating.getByRole('button', { name: 'Create room' }).click();
  await expect(creating).toContainText('A room with this name already exists.');
  await creating.getByRole('textbox', { name: 'Name' }).fill('Tool shed');
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-15-new-room');
  await page.keyboard.press('Enter');
  await expect(rows).toHaveCount(2);
  await expect(rows.nth(1)).toContainText(/Tool shed.*Public.*1/);
  await page.getByRole('searchbox', { name: 'Find a room' }).fill('');
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-9-rooms');
  await page.setViewportSize({ width: 360, height: 640 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-360-4-rooms');
});

test('people: a search that is refused says so beside what was known, and is tried again', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await expect(bob.field).toBeVisible();
  const wire = await Wire.of(page.context());
  await page.goto(`${site.chat.url}/moderate#people`);
  const people = page.getByRole('region', { name: 'People' });
  const rows = people.getByRole('listitem');
  await expect(rows.filter({ hasText: 'Bob' })).toBeVisible();
  wire.answers.set('moderate:people', {
    ok: false,
    error: { code: 'storage_unavailable', message: 'for this test' },
  });
  await people.getByRole('searchbox').fill('ali');
  await expect(people.getByRole('alert')).toContainText('This didn’t load.');
  await shot(page, 'moderate-people-failed');
  wire.answers.delete('moderate:people');
  await people.getByRole('button', { name: 'Try again' }).press('Enter');
  await expect(people.getByRole('heading', { name: /^People/ })).toBeFocused();
  await expect(rows).toHaveText([/^A.*Alice/]);
  await expect(people.getByRole('alert')).toHaveCount(0);
});

test('people: found by name, one with rooms, restrictions and reports; muted, banned, and let back', {
  tag: '@soak',
}, async ({ site, page }) => {
  await threeReported(site);
  await privateRoom(site, 'carol', 'not for Bob', ['1']);
  const shared = await privateRoom(site, 'carol', 'seed swap', ['2']);
  await seed(site, 'carol', shared, ['Seeds, cheap']);
  // Somebody whose last connection has closed is here a little longer.
  const isHere = () => asUser(site, 'bob', async (ask) => (await ask('moderate:person', { user: '3' })).here);
  await expect.poll(isHere).toBe(false);
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  await page.getByRole('link', { name: 'People' }).click();
  const people = page.getByRole('region', { name: 'People' });
  await expect(people.getByRole('listitem').filter({ hasText: 'Marek Nowak' })).toContainText('1 report');
  const all = await people.getByRole('listitem').count();
  const counted = page.getByRole('heading', { name: `People ${all}`, exact: true });
  await expect(counted).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type('Car');
  await expect(people.getByRole('listitem')).toHaveCount(1);
  await expect(counted).toBeVisible();
  await people.getByRole('button', { name: /^Carol/ }).click();
  const carol = page.getByRole('region', { name: 'About this person' });
  await expect(heading(page, 'Carol')).toBeVisible();
  await expect(carol).toContainText(/^.*User 3 · Last here today, .* · First here today · 1 message/);
  await expect(carol.getByRole('link', { name: 'seed swap' })).toBeVisible();
  await expect(carol).not.toContainText('not for Bob');
  await expect(carol).toContainText('0 about them, 3 by them');
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-10-person');
  await carol.getByRole('button', { name: 'Mute…' }).click();
  const mute = page.getByRole('dialog', { name: 'Mute Carol' });
  await mute.getByRole('textbox').fill('Too loud');
  // The room is chosen and Enter pressed before the page is drawn again.
  await mute.getByRole('combobox', { name: 'Where' }).evaluate((where: HTMLSelectElement, room) => {
    where.value = [...where.options].find(({ text }) => text === room)?.value ?? '';
    where.dispatchEvent(new Event('change', { bubbles: true }));
    const reason = where.closest('[role="dialog"]')?.querySelector('input');
    reason?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  }, 'seed swap');
  await expect(carol.getByRole('listitem').filter({ hasText: 'Muted in seed swap' })).toContainText(
    /by Bob · “Too loud”/,
  );
  await carol.getByRole('button', { name: 'Ban…' }).click();
  const ban = page.getByRole('dialog', { name: 'Ban Carol' });
  // The number is said before, and on the button once it counts.
  const recent = ban
    .getByRole('listitem')
    .filter({ hasText: 'Also delete the messages of the last 24 hours' });
  await expect(recent).toContainText('1 message');
  await expect(ban.getByRole('button', { name: 'Ban', exact: true })).toBeVisible();
  await recent.getByRole('switch', { name: 'Also delete the messages of the last 24 hours' }).click();
  await shot(page, 'moderate-11-ban');
  expect(await faults(page)).toEqual([]);
  await ban.getByRole('button', { name: 'Ban and delete 1', exact: true }).click();
  await expect.poll(() => textOf(site, shared, 1)).toBe('');
  const banned = carol.getByRole('listitem').filter({ hasText: 'Banned from all rooms' });
  await expect(banned).toBeVisible();
  await expect(asUser(site, 'carol', async () => {})).rejects.toThrow('forbidden');
  await shot(page, 'moderate-11-banned');
  await banned.getByRole('button', { name: 'End' }).click();
  await expect(banned).toHaveCount(0);
  await carol
    .getByRole('listitem')
    .filter({ hasText: 'Muted in' })
    .getByRole('button', { name: 'End' })
    .click();
  await expect(carol.getByText('Muted in')).toHaveCount(0);
  await asUser(site, 'carol', async (ask) => {
    await ask('room:join', { room: shared });
    await ask('message:send', { room: shared, text: 'Back again', clientId: 'back' });
  });
  // From somebody's reports into the queue, and from there to the author.
  await page.goto(`${site.chat.url}/moderate#people/marek-nowak`);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(heading(page, 'Marek Nowak')).toBeFocused();
  await expect(page).toHaveURL(/#queue\/garden/);
  await page.getByRole('link', { name: 'Open this person' }).click();
  await expect(page).toHaveURL(/#people\/marek-nowak$/);
  await page.goto(`${site.chat.url}/moderate#people/nobody`);
  await expect(page.getByText('This person has never been here')).toBeVisible();
});

test('a number up to which the server counts says that there may be more', { tag: '@soak' }, async ({
  site,
  page,
}) => {
  await threeReported(site);
  const known = await asUser(site, 'alice', (ask) => ask('moderate:person', { user: 'marek-nowak' }));
  const people = await asUser(site, 'alice', (ask) => ask('moderate:people', {}));
  const wire = await Wire.of(page.context());
  const [report] = known.reports;
  const answer = (over: object) =>
    wire.answers.set('moderate:person', { ok: true, data: { ...known, ...over } });
  const many = <T>(count: number, one: (n: number) => T) => Array.from({ length: count }, (_, n) => one(n));
  answer({
    messages: 10_000,
    reportsBy: 10_000,
    erases: { files: 10_000, reactions: 9999 },
    rooms: many(200, (n) => ({ room: `r${n}`, name: `Room ${n}`, kind: 'public', role: 'member' })),
    reports: many(50, (n) => ({ ...report, id: `${n}` })),
  });
  const { all: _, ...uncounted } = people;
  wire.answers.set('moderate:people', { ok: true, data: uncounted });
  await enter(page, site, 'alice', '#people/marek-nowak');
  await expect(page.getByRole('heading', { name: 'People 10,000+', exact: true })).toBeVisible();
  const person = page.getByRole('region', { name: 'About this person' });
  await expect(person).toContainText('10,000+ messages');
  await expect(person.getByRole('heading', { name: 'Rooms 200+' })).toBeVisible();
  await expect(person).toContainText('50+ about them, 10,000+ by them');
  await shot(page, 'moderate-many');
  await person.getByRole('button', { name: 'Erase…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Erase Marek Nowak?' });
  await expect(dialog).toContainText('10,000+ messages are deleted');
  await expect(dialog).toContainText('Files: 10,000+, reactions: 9,999');
  answer({ messages: 9999, removed: 12, onlyIn: 'garden' });
  await page.reload();
  await expect(person).toContainText('9,999 messages');
  await expect(person).not.toContainText('+');
  await page.goto(`${site.chat.url}/moderate#queue/garden%2F1`);
  await expect(page.getByRole('button', { name: 'All 9,999 messages' })).toBeVisible();
  await expect(page.getByText('9,999 messages, all in garden')).toBeVisible();
  await expect(page.getByText('Removed before: 12')).toBeVisible();
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    await shot(page, `moderate-many-${width}`);
  }
});

test('on a phone a person, the log and the overview are read without a line that is cut off', {
  tag: '@soak',
}, async ({ site, page }) => {
  await threeReported(site);
  await page.setViewportSize({ width: 360, height: 640 });
  await enter(page, site, 'alice', '#people');
  await page.getByRole('button', { name: /^Marek Nowak/ }).click();
  for (const [part, found] of [
    ['person', page.getByText('1 about them, 0 by them')],
    ['Log', page.getByText('Nothing in this period.')],
    ['Overview', page.getByRole('img', { name: /messages a day/ })],
  ] as const) {
    if (part !== 'person') await page.getByRole('link', { name: part }).click();
    await expect(found).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth), part).toBe(360);
    expect(await faults(page), part).toEqual([]);
    await shot(page, `moderate-360-5-${part}`);
  }
});

test('an admin exports the data of a person, and erases a person by the exact name', async ({
  site,
  page,
}) => {
  await written(site, 'garden', 'Marek Nowak', 'You never listen, do you.');
  await enter(page, site, 'bob', '#people/marek-nowak');
  await expect(page.getByRole('heading', { level: 3, name: 'Marek Nowak' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Erase…' })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'Log' })).toHaveCount(0);
  await enter(page, site, 'alice', '#people/marek-nowak');
  await page.reload();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Export' }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/\.zip$/);
  expect(await download.failure()).toBeNull();
  await page.getByRole('button', { name: 'Erase…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Erase Marek Nowak?' });
  await expect(dialog).toContainText('Files: 0, reactions: 0');
  const erase = dialog.getByRole('button', { name: 'Erase permanently' });
  await expect(erase).toHaveAttribute('aria-disabled', 'true');
  const name = dialog.getByLabel('Type the name to confirm: Marek Nowak');
  await dialog.getByLabel('Why, for the log: without the name').fill('Asked by email');
  await name.fill('Marek nowak');
  await page.keyboard.press('Enter');
  await expect(erase).toHaveAttribute('aria-disabled', 'true');
  await shot(page, 'moderate-12-erase');
  expect(await faults(page)).toEqual([]);
  await name.fill('Marek Nowak');
  await erase.click();
  await expect(page.getByText('Marek Nowak was erased.')).toBeVisible();
  await expect(page).toHaveURL(/#people$/);
  await listed(site, 'erased');
  await page.getByRole('link', { name: 'Log' }).click();
  const rows = page.getByRole('row');
  await expect(rows.nth(1)).toContainText(/Alice.*Erased a person.*Asked by email/);
  await expect(rows.nth(1)).not.toContainText('Marek');
});

test('the log has who did what to whom, finds a person, narrows down, and is saved as CSV', {
  tag: '@soak',
}, async ({ site, page }) => {
  await threeReported(site);
  await asUser(site, 'bob', async (ask) => {
    const [first] = (await ask('report:list', {})).reports;
    await ask('report:close', { id: first?.id, done: 'nothing' });
    await ask('room:mute', { room: 'lobby', user: 'marek-nowak', seconds: 86_400, reason: '=Too loud' });
  });
  await listed(site, 'muted');
  await enter(page, site, 'alice', '#log');
  const rows = page.getByRole('row');
  await expect(rows.nth(1)).toContainText(/Bob.*Muted, until .*Marek Nowak, lobby.*=Too loud/);
  await expect(rows.nth(2)).toContainText(/Bob.*Closed a report: kept/);
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-13-log');
  await page.keyboard.press('/');
  await page.keyboard.type('marek');
  await expect(rows).toHaveCount(2);
  await page.getByRole('searchbox').fill('');
  await page.getByRole('combobox', { name: 'Action' }).selectOption('People');
  await expect(rows).toHaveCount(2);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save as CSV' }).click(),
  ]);
  const csv = readFileSync(await download.path(), 'utf8');
  expect(csv.split('\r\n')).toEqual([
    '\ufeffat,by_id,by_name,kind,action,user_id,user_name,room_id,room_name,reason',
    expect.stringMatching(
      /^20.*Z,2,Bob,muted,"Muted, until .*",marek-nowak,Marek Nowak,lobby,lobby,'=Too loud$/,
    ),
    '',
  ]);
  await page.setViewportSize({ width: 360, height: 640 });
  // As long as the action is, name and room stand in one line.
  const whom = page.getByRole('cell', { name: 'Marek Nowak, lobby' });
  const lines = await whom.evaluate((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getClientRects().length;
  });
  expect(lines).toBe(1);
});

test('the overview has the figures of today, and a plot whose numbers are said', { tag: '@soak' }, async ({
  site,
  page,
}) => {
  await threeReported(site);
  await enter(page, site, 'bob', '#overview');
  const facts = page.getByRole('region', { name: 'Overview' });
  await expect(facts).toContainText(/Here now\s*[1-9]/);
  await expect(facts).toContainText(/Messages today\s*3/);
  await expect(facts).toContainText(/Files\s*0 bytes/);
  await expect(page.getByRole('img', { name: 'From 0 to 3 messages a day, 3 today so far' })).toBeVisible();
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-14-overview');
});

test('the overview says how many rooms are new, and since when a server is down', { tag: '@soak' }, async ({
  site,
  page,
}) => {
  const known = await asUser(site, 'alice', (ask) => ask('moderate:overview', {}));
  const wire = await Wire.of(page.context());
  const server = { version: '0.1.0', since: Date.now() - 5000, here: 2 };
  const downSince = new Date().setHours(0, 0, 0, 0);
  wire.answers.set('moderate:overview', {
    ok: true,
    data: {
      ...{ ...known, rooms: 41, private: 12, fresh: 3 },
      servers: [
        { ...server, name: 'chat-1', working: true, took: 4 },
        { ...server, name: 'chat-2', working: true, took: 212 },
        { ...server, name: 'chat-3', working: false, here: 0, downSince },
      ],
    },
  });
  await enter(page, site, 'alice', '#overview');
  await expect(page.getByText('12 private, 3 new')).toBeVisible();
  await expect(page.getByRole('row', { name: /chat-3/ })).toContainText(/Down since \d+:00( AM)?0––0\.1\.0$/);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      await shot(page, `moderate-servers-${width}-${colorScheme}`);
    }
  }
});

test.describe('where the first message of each user waits', () => {
  test.use({ hold: true, previews: true });

  test('it stands in the queue between the reports, is approved, or rejected with a reason that can be taken back', async ({
    site,
    page,
    visitor,
  }) => {
    await written(site, 'lobby', 'Nadia Haddad', 'The trays are in the cold frame.');
    const insult = await written(site, 'lobby', 'Marek Nowak', 'You never listen, do you.');
    await reported(site, 'alice', 'lobby', insult, 'abuse');
    await enter(page, site, 'bob');
    await expect(cases(page)).toHaveCount(1);
    const send = (user: string, text: string) =>
      asUser(site, user, async (ask) => {
        await ask('room:join', { room: 'lobby' });
        await ask('message:send', { room: 'lobby', text, clientId: `first-${user}` });
      });
    const link = site.host('<!doctype html><title>Dogs at the market</title>');
    const question = `May I bring my dog? ${link}`;
    await send('carol', question);
    await send('dimitri', 'Forty pallets, good price');
    await expect(cases(page)).toContainText([
      /Marek Nowak.*1 report/,
      /Carol.*May I bring my dog\?.*Waiting.*First message.*lobby/,
      /Dimitri.*Waiting/,
    ]);
    const kinds = page.getByRole('region', { name: 'Queue' }).getByRole('group').first();
    await kinds.getByRole('button', { name: 'Waiting 2' }).click();
    await expect(cases(page)).toHaveCount(2);
    await expect(heading(page, 'Carol')).toBeVisible();
    await expect(page.getByText('On hold because: First message')).toBeVisible();
    // The messages before it, and behind them the message itself.
    await expect(page.getByRole('article')).toContainText([
      'The trays are in the cold frame.',
      'You never listen, do you.',
      'May I bring my dog?',
    ]);
    // Bob decides about the page of the link, too.
    await expect(page.getByRole('link', { name: /Dogs at the market/ })).toBeVisible();
    expect(await faults(page)).toEqual([]);
    await shot(page, 'moderate-7-held');
    await page.keyboard.press('a');
    await expect(heading(page, 'Dimitri')).toBeFocused();
    await page.keyboard.press('d');
    const dialog = page.getByRole('dialog', { name: 'Reject this message?' });
    await dialog.getByRole('textbox', { name: 'Reason, shown to Dimitri' }).fill('No sales here');
    await page.keyboard.press('Enter');
    await expect(page.getByText('Rejected. Dimitri can see the reason.')).toBeVisible();
    // The second decision has sent the first.
    await expect.poll(() => textOf(site, 'lobby', 3)).toBe(question);
    await page.keyboard.press('z');
    await expect(heading(page, 'Dimitri')).toBeFocused();
    await enter(visitor.page, site, 'alice');
    await visitor.page.getByRole('button', { name: /^Dimitri/ }).click();
    await visitor.page.getByRole('button', { name: 'Reject…' }).click();
    await visitor.page.getByRole('button', { name: 'Reject', exact: true }).click();
    await visitor.page.goto(`${site.chat.url}/guide.html`);
    await expect(page.getByText('Alice has already decided this: rejected.')).toBeVisible();
    await expect(cases(page)).toHaveCount(1);
  });
});

test('on a phone the list leads to one entry, and Back to the list; nothing overflows', {
  tag: '@soak',
}, async ({ site, page }) => {
  await threeReported(site);
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

test('axe finds nothing at 1280 pixels, light and dark, in the queue, its keys and its dialogs', {
  tag: '@soak',
}, async ({ site, page }) => {
  await threeReported(site);
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

test('from right to left the page is mirrored, in Arabic, and axe finds nothing', { tag: '@soak' }, async ({
  browser,
  site,
}) => {
  await threeReported(site);
  const context = await browser.newContext({ locale: 'ar', viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await enter(page, site, 'bob');
  await expect(page.getByRole('heading', { level: 2, name: 'Cheap Watches' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'ar');
  const nav = await page.getByRole('navigation', { name: 'الإشراف' }).boundingBox();
  expect(nav).toMatchObject({ x: 1280 - (nav?.width ?? 0) });
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-5-arabic');
  await context.close();
});

test('a room’s moderator sees the reports of that room alone', async ({ site, page }) => {
  await threeReported(site);
  const room = await privateRoom(site, 'carol', 'own room', ['1', '4']);
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room });
    await ask('message:send', { room, text: 'Mine', clientId: 'mine' });
  });
  await enter(page, site, 'carol');
  await expect(page.getByText('Nothing is waiting.')).toBeVisible();
  await reported(site, 'dimitri', room, 1, 'other');
  await expect(cases(page)).toHaveCount(1);
  await expect(cases(page)).toContainText(/Alice.*Mine.*own room/);
});

test('a user who moderates nothing gets a card, and a visitor the way to log in', { tag: '@soak' }, async ({
  site,
  visitor,
}) => {
  const { page } = visitor;
  await page.goto(`${site.chat.url}/moderate`);
  await expect(page.getByRole('heading', { name: 'Please log in' })).toBeVisible();
  await enter(page, site, 'carol');
  await expect(page.getByRole('heading', { name: 'For moderators only' })).toBeVisible();
  await expect(page.getByText('You’re logged in as Carol, who isn’t a moderator here.')).toBeVisible();
  expect(await faults(page)).toEqual([]);
  await shot(page, 'moderate-6-forbidden');
  await page.getByRole('button', { name: 'Back to the chat' }).click();
  await expect(page).toHaveURL(/\/(#m=.*)?$/);
});

test('after a logout nothing is left in the page, nor in one that the browser keeps for Back', async ({
  site,
  page,
}) => {
  await threeReported(site);
  await enter(page, site, 'bob');
  await expect(cases(page)).toHaveCount(3);
  await tellKept(page, 'pagehide');
  await expect(page.getByText('Cheap Watches')).toHaveCount(0);
  await tellKept(page, 'pageshow');
  await expect(cases(page)).toHaveCount(3);
  const [cookie] = (await page.context().cookies()).filter(({ name }) => name === 'PHPSESSID');
  await site.memcached.delete(`sessions/${cookie?.value}`);
  await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  expect(await page.content()).not.toContain('Cheap');
  await expect(page.getByText('Cheap Watches')).toHaveCount(0);
});

test('drafts of the chat are deleted after a logout that this page alone notices, and at the login of another', async ({
  site,
  page,
}) => {
  const kept = () => page.evaluate(() => JSON.stringify(localStorage));
  const begin = async () => {
    await page.goto(`${site.chat.url}/`);
    await page.getByRole('textbox', { name: /^Message/ }).fill('an unfinished secret');
    await expect.poll(kept).toContain('unfinished');
  };
  await enter(page, site, 'bob');
  await begin();
  await enter(page, site, 'alice');
  await expect(page.getByText('All clear')).toBeVisible();
  expect(await kept()).not.toContain('unfinished');
  await begin();
  await page.goto(`${site.chat.url}/moderate`);
  await expect(page.getByText('All clear')).toBeVisible();
  expect(await kept()).toContain('unfinished');
  const [cookie] = (await page.context().cookies()).filter(({ name }) => name === 'PHPSESSID');
  await site.memcached.delete(`sessions/${cookie?.value}`);
  await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  await expect.poll(kept, { timeout: 30_000 }).not.toContain('unfinished');
});

test('on a phone the buttons of a decision are whole, in German too', { tag: '@soak' }, async ({
  browser,
  site,
}) => {
  await threeReported(site);
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, locale: 'de-DE' });
  const page = await context.newPage();
  await enter(page, site, 'bob');
  await page.getByRole('button', { name: /^Marek Nowak/ }).click();
  for (const name of ['Löschen', 'Behalten', 'Stummschalten…', 'Ausschließen…'])
    await expect(page.getByRole('button', { name })).toBeInViewport({ ratio: 1 });
  await context.close();
});
