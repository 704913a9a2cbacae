import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type ContentField, content } from '../../server/wire/content.ts';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { previewTitle, samples } from '../helpers/content-samples.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import { inZone } from './in-zone.ts';
import { type ChatPage, click, openPage, refused, textOf, type, until } from './open-page.ts';

let site: PeopleSite;
let admin: Person;
let moderator: Person;
let reporter: Person;
let marek: Person;
beforeEach(async () => {
  site = await startPeopleSite({ CHAT_MODERATE_DATA: 'on', CHAT_ROOMS: 'lobby,garden,board' });
  [admin, moderator, reporter, marek] = (await Promise.all([
    site.person({ firstname: 'Alice', roles: ['admin'] }),
    site.person({ firstname: 'Bob', roles: ['moderator'] }),
    site.person({ firstname: 'Carol' }),
    site.person({ firstname: 'Marek' }),
  ])) as [Person, Person, Person, Person];
});
afterEach(() => site.close());

/** Sends a message by Marek that these users report. @returns its number */
async function reported(room: string, text: string, reason = 'abuse', by = [reporter]): Promise<number> {
  await marek.request('room:join', { room });
  const { seq } = await say(marek, room, text);
  for (const user of by) {
    await user.request('room:join', { room });
    await user.request('message:report', { room, seq, reason, text: 'Third time.' } as never);
  }
  return seq;
}
const threeReported = async () => {
  await reported('garden', 'You never listen.');
  await reported('board', 'Not what we agreed.', 'other');
  await reported('lobby', 'Cheap watches!', 'spam', [reporter, admin]);
};
const open = (who: Person, hash = '') =>
  openPage(site.chat.url, who.cookie, { element: 'php-chat-moderate', hash });
const cases = async (page: ChatPage) =>
  page.all('listitem', undefined, await page.get('region', 'Queue')).map(textOf);
const shows = (page: ChatPage, expected: RegExp[]) =>
  until(async () =>
    expect(await cases(page)).toEqual(expected.map((pattern) => expect.stringMatching(pattern))),
  );
const text = async (room: string, seq: number) =>
  (await moderator.request('message:history', { room })).messages.find((message) => message.seq === seq)
    ?.text;

// Shown in browsers by test/e2e/moderate.e2e.ts.
againInSoak('lists each message once, most reports first, with sorting and filters', async () => {
  await threeReported();
  const page = await open(moderator);
  await shows(page, [
    /Cheap watches!.*2 reports.*Spam or scam.*lobby/,
    /Not what we agreed|You never listen/,
    /You never listen|Not what we agreed/,
  ]);
  expect(page.window.document.title).toMatch(/^\(3\) /);
  expect(page.all('listitem', undefined, await page.get('list', '2 reports')).map(textOf)).toEqual([
    expect.stringMatching(/Carol.*Spam or scam.*“Third time\.”/),
    expect.stringMatching(/Alice.*Spam or scam/),
  ]);
  expect((await page.get('link', 'Show in room')).getAttribute('href')).toMatch(/#m=lobby\/1$/);
  await page.click('button', 'Sort and filter');
  const sort = (await page.get('combobox', 'Room')) as HTMLSelectElement;
  sort.value = 'board';
  sort.dispatchEvent(new page.window.Event('change', { bubbles: true }));
  await shows(page, [/Not what we agreed/]);
  expect(sort.value).toBe('board');
  // A new report appears immediately.
  await reported('board', 'Late', 'other');
  await until(async () => expect(await cases(page)).toHaveLength(2));
});

test('deletes all reported messages of a user at once, and suggests to ban from all rooms', async () => {
  await threeReported();
  const page = await open(moderator);
  await until(async () => expect(await cases(page)).toHaveLength(3));
  await page.click('button', 'Ban…');
  const dialog = await page.get('dialog', 'Ban Marek');
  expect((await page.get('button', 'All rooms', dialog)).getAttribute('aria-pressed')).toBe('true');
  await page.click('button', 'Cancel', dialog);
  await page.click('button', 'Delete all 3 reported');
  await page.sees('Nothing is waiting.');
  await page.sees('3 messages deleted. Marek can see the reason.');
  await page.click('button', 'Undo');
  await until(async () => expect(await cases(page)).toHaveLength(3));
  expect(await text('lobby', 1)).toBe('Cheap watches!');
  await page.click('button', 'Delete all 3 reported');
  // Leaving the page sends the decision immediately.
  page.window.dispatchEvent(new page.window.Event('pagehide'));
  for (const room of ['garden', 'board', 'lobby'])
    await until(async () => expect(await text(room, 1)).toBe(''));
});

test('supports keys to delete, undo and keep, until they are turned off', async () => {
  await threeReported();
  const page = await open(moderator);
  await until(async () => expect(await cases(page)).toHaveLength(3));
  await page.get('heading', /^Marek/);
  const key = (name: string, over = {}) => page.press(name, over, page.root.querySelector('h2'));
  await page.sees('Cheap watches!');
  key('d');
  await until(async () => expect(await cases(page)).toHaveLength(2));
  await page.sees('Deleted. Marek can see the reason.');
  expect(await text('lobby', 1)).toBe('Cheap watches!');
  key('z');
  await until(async () => expect(await cases(page)).toHaveLength(3));
  key('d');
  await until(async () => expect(await cases(page)).toHaveLength(2));
  key('a');
  // The second decision sends the first.
  await until(async () => expect(await text('lobby', 1)).toBe(''));
  await until(async () => expect(await cases(page)).toHaveLength(1));
  // Keys with modifiers belong to the browser.
  key('a', { ctrlKey: true });
  await page.drawn();
  expect(await cases(page)).toHaveLength(1);
  key('a');
  await page.sees('Nothing is waiting. 2 decided today.');
  key('?', { shiftKey: true });
  await page.sees('Delete all reported messages of this person');
  await page.click('switch', 'Use these keys', await page.get('dialog', 'All keys'));
  page.press('Escape');
  await page.gone('dialog');
  key('z');
  await page.drawn();
  expect(await cases(page)).toEqual([]);
  const again = await page.reload();
  await again.sees('Nothing is waiting.');
  await again.click('button', 'All keys');
  expect((await again.get('switch', 'Use these keys')).getAttribute('aria-checked')).toBe('false');
});

test('removes an entry with a notice when another moderator decides it', async () => {
  await threeReported();
  const page = await open(moderator);
  const other = await open(admin);
  for (const view of [page, other]) await until(async () => expect(await cases(view)).toHaveLength(3));
  await other.click('button', 'Keep');
  await other.click('button', 'Keep');
  await page.sees('Alice has already decided this: kept.');
  await until(async () => expect(await cases(page)).toHaveLength(2));
});

test('shows the error of a rejected ban, and sends the last decision when the page closes', async () => {
  // A moderator cannot moderate an admin.
  await admin.request('room:join', { room: 'lobby' });
  const { seq } = await say(admin, 'lobby', 'My own words');
  await reporter.request('room:join', { room: 'lobby' });
  await reporter.request('message:report', { room: 'lobby', seq, reason: 'abuse' });
  const page = await open(moderator);
  await page.click('button', 'Ban…');
  const dialog = await page.get('dialog', 'Ban Alice');
  await page.click('button', 'Ban', dialog);
  await page.sees('That isn’t allowed in this room.', dialog);
  await page.click('button', 'Cancel', dialog);
  await page.click('button', 'Delete');
  await page.sees('Nothing is waiting.');
  // Leaving the page sends the decision immediately.
  page.window.dispatchEvent(new page.window.Event('pagehide'));
  await until(() => expect(page.wire.sent.map(([name]) => name)).toContain('report:close'));
  expect(await text('lobby', seq)).toBe('My own words');
});

test('shows the messages around a reported message, and bans its author from all rooms', async () => {
  await reporter.request('room:join', { room: 'lobby' });
  for (const n of [1, 2, 3, 4]) await say(reporter, 'lobby', `before ${n}`);
  await reported('lobby', 'You never listen.');
  await say(reporter, 'lobby', 'after 1');
  await say(reporter, 'lobby', 'after 2', { replyTo: 1, threadOnly: true });
  for (const n of [3, 4]) await say(reporter, 'lobby', `after ${n}`);
  const page = await open(moderator);
  const around = await page.get('group', 'Messages in lobby');
  await until(() =>
    expect(page.all('article', undefined, around).map(textOf)).toEqual(
      ['before 2', 'before 3', 'before 4', 'You never listen.', 'after 1', 'after 2', 'after 3'].map(
        (words) => expect.stringContaining(words),
      ),
    ),
  );
  const marked = page
    .all('article', undefined, around)
    .map(({ parentElement }) => textOf(parentElement).includes('Only in replies'));
  expect(marked).toEqual([false, false, false, false, false, true, false]);
  await page.click('button', 'Ban…');
  const dialog = await page.get('dialog', 'Ban Marek');
  await page.sees('Marek won’t be able to see lobby.', dialog);
  await page.click('button', 'All rooms', dialog);
  await page.sees('Marek won’t be able to see the chat.', dialog);
  await page.fill('textbox', /^Reason/, 'Advertising', dialog);
  page.press('Enter');
  await page.sees('Marek was banned.');
  expect((await site.api('GET', `/users/${marek.id}`)).body).toMatchObject({
    banned: { reason: 'Advertising' },
  });
});

test('approves a pending message or rejects it with a reason', async () => {
  const held = await startPeopleSite({ CHAT_HOLD: 'first', CHAT_ROOMS: 'lobby' });
  const boss = await held.person({ firstname: 'Bob', roles: ['moderator'] });
  const authors = (await Promise.all(
    ['Carol', 'Dimitri'].map((firstname) => held.person({ firstname })),
  )) as Person[];
  for (const author of authors) {
    await author.request('room:join', { room: 'lobby' });
    await author.request('message:send', {
      room: 'lobby',
      text: `from ${author.id}`,
      clientId: `c-${author.id}`,
    });
  }
  const page = await openPage(held.chat.url, boss.cookie, { element: 'php-chat-moderate' });
  await shows(page, [/Carol.*Waiting.*First message.*lobby/, /Dimitri.*Waiting/]);
  await page.sees('On hold because: First message');
  const key = (name: string) => page.press(name, {}, page.root.querySelector('h2'));
  key('a');
  await until(async () => expect(await cases(page)).toHaveLength(1));
  key('d');
  const dialog = await page.get('dialog', 'Reject this message?');
  await page.fill('textbox', /^Reason, shown to Dimitri/, 'No sales here', dialog);
  page.press('Enter');
  await page.sees('Rejected. Dimitri can see the reason.');
  // The next decision sends the previous one.
  await until(async () =>
    expect(
      (await boss.request('message:history', { room: 'lobby' })).messages.map(({ text }) => text),
    ).toEqual([`from ${authors[0]?.id}`]),
  );
  await held.close();
});

const shownFields = (Object.keys(content) as ContentField[]).flatMap((field) => {
  const { shown, moderators } = samples[field]('f'.repeat(16), 'e'.repeat(16));
  const value = field === 'preview' ? { ...(shown as object), title: previewTitle } : shown;
  return moderators === null ? [] : [{ field, value, expected: moderators }];
});
test.each([
  ...shownFields.map((one) => ({ ...one, kind: 'reported' })),
  ...shownFields
    .filter(({ field }) => content[field].waiting !== null)
    .map((one) => ({ ...one, kind: 'pending' })),
])('shows the field $field of a $kind message', async ({ field, value, expected, kind }) => {
  const page = await open(moderator);
  const said = {
    id: 'said',
    room: 'lobby',
    user: { id: marek.id, name: 'Marek' },
    text: 'plain',
    [field]: value,
  };
  const at = Date.now();
  const message = { ...said, seq: 1, rev: 1, clientId: 'said', sentAt: at };
  const reports = [{ id: 'r', room: 'lobby', message, by: reporter.ready.user, reason: 'spam', at }];
  const answer = (event: string, data: object) => page.wire.answers.set(event, { ok: true, data });
  answer('report:list', { reports: kind === 'reported' ? reports : [], decided: 0 });
  answer('held:list', { held: kind === 'pending' ? [{ ...said, why: 'all', at }] : [] });
  answer('report:context', { messages: [], reports: [] });
  await until(() => {
    const target = page.root.querySelector<HTMLElement>('.group.target');
    expect(target === null ? '' : textOf(target)).toContain(expected);
  });
});

test('finds a user, bans the user and deletes the recent messages, and ends the ban', async () => {
  await reported('garden', 'You never listen.');
  const page = await open(moderator, '#people');
  const people = await page.get('region', 'People');
  page.wire.answers.set('moderate:people', refused);
  await page.fill('searchbox', undefined, 'Mar', people);
  await page.sees('This didn’t load.');
  page.wire.answers.clear();
  await page.click('button', 'Try again', people);
  await until(() => expect(page.all('listitem', undefined, people)).toHaveLength(1));
  await page.click('button', /Marek/, people);
  const about = await page.get('region', 'About this person');
  await page.sees(/1 message/, about);
  await page.sees('1 about them, 0 by them', about);
  await page.click('button', 'Ban…', about);
  const ban = await page.get('dialog', 'Ban Marek');
  await page.click('switch', /^Also delete the messages of the last 24 hours/, ban);
  await page.click('button', 'Ban and delete 1', ban);
  await until(async () => expect(await text('garden', 1)).toBe(''));
  await page.sees('Banned from all rooms', about);
  await page.click('button', 'End', about);
  await until(() => expect(textOf(about)).not.toContain('Banned from all rooms'));
  page.go('#people/nobody');
  await page.sees('This person has never been here');
});

test('shows "+" after numbers that reached the counting limit', async () => {
  await reported('garden', 'You never listen.');
  const known = await admin.request('moderate:person', { user: marek.id });
  const many = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n));
  const page = await open(admin);
  const data = {
    ...known,
    messages: 10_000,
    reportsBy: 10_000,
    erases: { files: 10_000, reactions: 9999 },
    rooms: many(200, (n) => ({ room: `r${n}`, name: `Room ${n}`, kind: 'public', role: 'member' })),
    reports: many(50, (n) => ({ ...known.reports[0], id: `${n}` })),
  };
  page.wire.answers.set('moderate:person', { ok: true, data });
  page.go(`#people/${marek.id}`);
  const about = await page.get('region', 'About this person');
  for (const words of ['10,000+ messages', '50+ about them, 10,000+ by them']) await page.sees(words, about);
  await page.get('heading', 'Rooms 200+', about);
});

test('lets an admin erase a user after typing the exact name', async () => {
  await reported('garden', 'You never listen.');
  const plain = await open(moderator, `#people/${marek.id}`);
  await plain.get('region', 'About this person');
  await plain.sees('1 message');
  expect([...plain.all('button', 'Erase…'), ...plain.all('link', 'Log')]).toEqual([]);
  const page = await open(admin, `#people/${marek.id}`);
  await page.get('link', 'Export');
  await page.click('button', 'Erase…');
  const dialog = await page.get('dialog', 'Erase Marek?');
  const erase = await page.get('button', 'Erase permanently', dialog);
  await page.fill('textbox', /^Why, for the log/, 'Asked by email', dialog);
  const name = (await page.get('textbox', /^Type the name to confirm/, dialog)) as HTMLInputElement;
  type(name, 'marek');
  await page.drawn();
  expect(erase.getAttribute('aria-disabled')).toBe('true');
  type(name, 'Marek');
  await page.drawn();
  click(erase);
  await page.sees('Marek was erased.');
  await until(async () =>
    expect((await admin.request('moderate:acts', {})).acts.map(({ kind }) => kind)).toContain('erased'),
  );
  page.go('#log');
  await page.sees(/Alice.*Erased a person.*Asked by email/);
});

test("searches the log by user and shows today's figures in the overview", async () => {
  await reported('garden', 'You never listen.');
  await moderator.request('room:mute', { room: 'garden', user: marek.id, seconds: 86_400, reason: '=Loud' });
  await until(async () =>
    expect((await admin.request('moderate:acts', {})).acts.map(({ kind }) => kind)).toContain('muted'),
  );
  const page = await open(admin, '#log');
  await page.sees(/Bob.*Muted, until .*Marek, garden.*=Loud/);
  await page.fill('searchbox', undefined, 'nobody');
  await until(() => expect(textOf(page.root)).not.toContain('=Loud'));
  page.go('#overview');
  await page.sees(/Here now\s*[1-9]/);
  await page.sees(/Messages today(?: \(UTC\))?\s*(?:10|01) yesterday/);
  await page.get('img', /^From 0 to 1 messages a day, [01] today so far$/);
});

test.each([
  [
    { asked: 12, answered: 9, answeredInMs: 2 * 60 * 60_000 },
    '12 9 answered, first answer after 2 hours (median)',
  ],
  [{ asked: 12, answered: 9, answeredInMs: 61_000 }, '12 9 answered, first answer after 2 minutes (median)'],
  [
    { asked: 10_000, answered: 10_000, answeredInMs: 50 * 60 * 60_000 },
    '10,000+ 10,000+ answered, first answer after 3 days (median)',
  ],
  [{ asked: 3, answered: 2 }, '3 2 answered'],
])('shows the numbers of questions %j in the overview', async (questions, shown) => {
  const page = await open(admin);
  const data = await admin.request('moderate:overview', {});
  expect(data.questions).toBeUndefined();
  page.wire.answers.set('moderate:overview', { ok: true, data: { ...data, questions } });
  page.go('#overview');
  await page.sees(
    new RegExp(`Questions, 30 days\\s*${shown.replace(/[+()]/g, '\\$&').replace(' ', '\\s*')}`),
  );
});

test.each([
  ['begin', '2027-03-16T23:30-02:30', '2027-03-09T23:30-03:30', '2027-03-10T00:30-03:30'],
  ['end', '2027-11-09T23:30-03:30', '2027-11-02T23:30-02:30', '2027-11-03T00:30-02:30'],
])(
  'counts whole days in the log although daylight saving time has to %s among them',
  async (_, now, before, within) => {
    inZone('America/St_Johns');
    const act = (at: string, room: string) => ({
      at: Date.parse(at),
      kind: 'room_changed',
      room,
      name: room,
    });
    const page = await open(admin);
    const acts = [act(within, 'lobby'), act(before, 'garden')];
    page.wire.answers.set('moderate:acts', { ok: true, data: { acts } });
    page.setClock(Date.parse(now));
    page.go('#log');
    const period = (await page.get('combobox', 'When')) as HTMLSelectElement;
    await page.sees('garden');
    period.value = '7';
    period.dispatchEvent(new page.window.Event('change', { bubbles: true }));
    await until(() => expect(textOf(page.root)).not.toContain('garden'));
    await page.sees('lobby');
    const files: string[] = [];
    const { URL, HTMLAnchorElement } = page.window;
    URL.createObjectURL = () => 'blob:';
    HTMLAnchorElement.prototype.click = function (this: HTMLAnchorElement) {
      files.push(this.download);
    };
    onTestFinished(() => {
      Reflect.deleteProperty(URL, 'createObjectURL');
      Reflect.deleteProperty(HTMLAnchorElement.prototype, 'click');
    });
    await page.click('button', 'Save as CSV');
    expect(files).toEqual([`moderation-${now.slice(0, 10)}.csv`]);
  },
);

test('names the days of the overview, which are in UTC, in another time zone', async () => {
  inZone('Pacific/Apia');
  const page = await open(admin, '#overview');
  await page.sees('Messages today (UTC)');
  await page.sees('30 days (UTC)');
});

test('finds rooms by name and creates rooms', async () => {
  const page = await open(moderator, '#rooms');
  await until(() => expect(page.all('row').length).toBe(4));
  await page.fill('searchbox', 'Find a room', 'lob');
  await until(() => expect(page.all('row').length).toBe(2));
  await page.click('button', 'New room');
  const dialog = await page.get('dialog', 'New room');
  await page.fill('textbox', 'Name', 'Tool shed', dialog);
  await page.click('radio', /^Public/, dialog);
  await page.click('button', 'Create room', dialog);
  await page.sees('Tool shed');
});

test('shows a room moderator only the reports of that room', async () => {
  await threeReported();
  const { id } = await site.den(reporter, [marek, admin], { name: 'own room' });
  const page = await open(reporter);
  await page.sees('Nothing is waiting.');
  await marek.request('room:join', { room: id });
  const { seq } = await say(marek, id, 'Mine');
  await admin.request('room:join', { room: id });
  await admin.request('message:report', { room: id, seq, reason: 'other' });
  await shows(page, [/Mine.*own room/]);
});

test('the chat links to the page for moderators, and the page back to the chat', async () => {
  const page = await openPage(site.chat.url, moderator.cookie);
  expect(await page.get('link', 'Moderation')).toHaveProperty('href', `${site.chat.url}/moderate`);
  const other = await openPage(site.chat.url, reporter.cookie);
  expect(other.all('link', 'Moderation')).toEqual([]);
  const desk = await open(moderator);
  // Phones show the second navigation.
  await until(() => expect(desk.all('navigation')).toHaveLength(2));
  const [, tabs] = desk.all('navigation');
  expect(await desk.get('link', 'Chat', tabs)).toHaveProperty('href', `${site.chat.url}/`);
});

test('a visitor is asked to log in', async () => {
  const visitor = await openPage(site.chat.url, '', { element: 'php-chat-moderate' });
  await visitor.get('heading', 'Please log in');
});

test('a user who is not a moderator gets an explanation', async () => {
  const page = await open(marek);
  await page.get('heading', 'For moderators only');
  await page.sees('You’re logged in as Marek, who isn’t a moderator here.');
});

test('clears the page after a logout and when the browser keeps it for Back', async () => {
  await threeReported();
  const page = await open(moderator);
  await until(async () => expect(await cases(page)).toHaveLength(3));
  const tell = (name: string) =>
    page.window.dispatchEvent(new page.window.PageTransitionEvent(name, { persisted: true }));
  tell('pagehide');
  await until(() => expect(textOf(page.root)).not.toContain('Cheap'));
  tell('pageshow');
  await until(async () => expect(await cases(page)).toHaveLength(3));
  await site.memcached.delete(site.key(moderator.cookie));
  await page.get('heading', 'You’re logged out');
  expect(page.root.innerHTML).not.toContain('Cheap');
});
