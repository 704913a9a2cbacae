import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, click, nameOf, openPage, refused, textOf, type, until } from './open-page.ts';

/** Serves another site for link previews. */
const other = createServer((request, response) => {
  const title = request.url === '/empty' ? '' : '<title>Spring market</title>';
  const about = '<meta name="description" content="Forty growers from the valley.">';
  response.setHeader('content-type', 'text/html').end(`<!doctype html>${title}${title && about}`);
});

let site: PeopleSite;
let alice: Person;
let bob: Person;
beforeAll(async () => {
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  site = await startPeopleSite({
    CHAT_FIND_PEOPLE: 'all',
    CHAT_ROOMS: 'lobby',
    CHAT_PREVIEWS: 'on',
    CHAT_PREVIEW_HOSTS: `127.0.0.1:${(other.address() as AddressInfo).port}`,
  });
  [alice, bob] = (await Promise.all(['Alice', 'Bob'].map((firstname) => site.person({ firstname })))) as [
    Person,
    Person,
  ];
});
afterAll(async () => {
  await site.close();
  other.close();
  other.closeAllConnections();
});

/** Creates a room of Alice and Bob with these messages by Bob. */
async function room(name: string, ...texts: string[]): Promise<string> {
  const { id } = await site.den(alice, [bob], { name });
  for (const user of [alice, bob]) await user.request('room:join', { room: id });
  for (const text of texts) await say(bob, id, text);
  return id;
}
async function enter(name: string, options = {}): Promise<ChatPage> {
  const page = await openPage(site.chat.url, alice.cookie, options);
  await page.open(name);
  return page;
}
const numbered = (count: number, text: string) => Array.from({ length: count }, (_, n) => `${text} ${n + 1}`);
const field = (page: ChatPage) => page.root.querySelector('textarea') as HTMLTextAreaElement;
const hits = (page: ChatPage, expected: RegExp[]) =>
  until(() =>
    expect([...page.root.querySelectorAll('.hit')].map(textOf)).toEqual(
      expected.map((pattern) => expect.stringMatching(pattern)),
    ),
  );
const count = (page: ChatPage, selector: string, expected: number) =>
  until(() => expect(page.root.querySelectorAll(selector)).toHaveLength(expected));
async function choose(page: ChatPage, name: string, value: string, inside?: ParentNode): Promise<void> {
  const list = (await page.get('combobox', name, inside)) as HTMLSelectElement;
  list.value = [...list.options].find(({ text }) => text === value)?.value ?? '';
  list.dispatchEvent(new page.window.Event('change', { bubbles: true }));
}
const link = () => `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;

test('finds words in one or all rooms, filtered by author and content', async () => {
  await room('yard', 'no plan in the yard');
  await room('terrace', 'see https://example.org/plan', 'a plan of the terrace');
  const page = await enter('terrace');
  await page.write('my own plan');
  await page.message('my own plan');
  await page.click('button', 'Search in this room');
  const panel = await page.get('complementary', 'Search');
  await page.fill('searchbox', 'Search messages', 'plan', panel);
  await hits(page, [/my own plan$/, /a plan of the terrace$/, /see .*plan$/]);
  await page.click('button', 'All rooms', panel);
  await hits(page, [/my own plan$/, /a plan of the terrace$/, /see .*plan$/, /yard.*no plan in the yard$/]);
  await page.click('button', 'This room', panel);
  await page.click('button', /^Filters/, panel);
  await choose(page, 'From', 'You', panel);
  await hits(page, [/^You.*my own plan$/]);
  await choose(page, 'From', 'Bob', panel);
  await page.click('button', 'Links', panel);
  await hits(page, [/see .*plan$/]);
  await page.fill('searchbox', 'Search messages', 'turnips', panel);
  await page.sees('No message', panel);
  page.press('Escape');
  await page.gone('complementary', 'Search');
});

test('finds important messages', async () => {
  const id = await room('board', 'a plan');
  const { message } = await bob.request('message:send', {
    ...{ room: id, text: 'the plan for spring', clientId: 'spring', important: true },
  });
  expect(message).toMatchObject({ important: true });
  const page = await enter('board');
  await page.click('button', 'Search in this room');
  const panel = await page.get('complementary', 'Search');
  await page.fill('searchbox', 'Search messages', 'plan', panel);
  await hits(page, [/the plan for spring$/, /a plan$/]);
  await page.click('button', 'Important', panel);
  await hits(page, [/the plan for spring$/]);
  await page.fill('searchbox', 'Search messages', '', panel);
  await hits(page, [/the plan for spring$/]);
});

againInSoak('keeps the results if a request for older results fails, and retries the request', async () => {
  await room('shed', ...numbered(30, 'spanner'));
  const page = await enter('shed');
  await page.click('button', 'Search in this room');
  page.wire.answers.set('message:search', refused);
  await page.fill('searchbox', 'Search messages', 'spanner');
  await page.sees('Search isn’t available right now.');
  page.wire.answers.clear();
  await page.click('button', 'Try again');
  await count(page, 'button.hit', 25);
  page.wire.answers.set('message:search', refused);
  await page.click('button', 'Older results');
  await page.get('button', 'Try again');
  await count(page, 'button.hit', 25);
  page.wire.answers.clear();
  await page.click('button', 'Try again');
  await count(page, 'button.hit', 30);
  await until(() => expect(page.focused).toBe(page.root.querySelectorAll('button.hit')[25]));
});

againInSoak('shows an error if the links cannot be loaded, and loads them on a retry', async () => {
  await room('links', ...numbered(3, 'https://garden.example/plan'));
  const page = await enter('links');
  await page.click('button', 'links', await page.get('region', 'links'));
  const details = await page.get('complementary', 'Details');
  // The spinner appears after a short delay.
  page.wire.held.add('room:files');
  await page.click('tab', 'Files', details);
  await until(() => expect(details.querySelector('.bone')).not.toBeNull());
  page.wire.held.clear();
  page.wire.answers.set('room:files', refused);
  await page.click('button', 'Links', details);
  await page.sees('This didn’t load.', details);
  page.wire.answers.clear();
  await page.click('button', 'Try again', details);
  await count(page, '.filelist a', 3);
});

againInSoak('lists only messages with links to web pages as links', async () => {
  // The chat does not show an address with a password as a link.
  const id = await room('mailbox', 'see https://user:password@example.org/');
  const page = await enter('mailbox');
  await page.click('button', 'mailbox', await page.get('region', 'mailbox'));
  const details = await page.get('complementary', 'Details');
  await page.click('tab', 'Files', details);
  await page.click('button', 'Links', details);
  await page.sees('No files yet', details);
  await say(bob, id, 'write to bob@example.org');
  await page.message('write to bob@example.org');
  await page.sees('No files yet', details);
  await say(bob, id, 'see https://example.org/');
  await count(page, '.filelist a', 1);
});

test('shows the pinned messages in a bar and jumps between them', async () => {
  const id = await room('market', 'Stall plan: we have **11**', ...numbered(3, 'message'), 'Gate opens');
  const page = await enter('market');
  (await page.message('Gate opens')).focus();
  page.press('Enter');
  await page.click('menuitem', 'Pin to room');
  const bar = await page.get('region', 'Pinned messages');
  await page.get('button', /Bob ?: Gate opens/, bar);
  await page.sees('You pinned a message.', page.timeline);
  for (const seq of [1, 3]) await alice.request('message:pin', { room: id, seq });
  await page.get('button', 'All 3 pinned messages', bar);
  // A click jumps to the message and shows the next older one.
  await page.click('button', /Bob ?: message 2/, bar);
  await until(async () => expect(page.focused).toBe(await page.message('message 2')));
  await page.get('button', /Bob ?: Stall plan: we have 11/, bar);
  await page.click('button', 'All 3 pinned messages', bar);
  const list = await page.get('dialog', 'Pinned messages');
  click(page.all('button', 'Unpin', list)[1] as HTMLElement);
  await until(() => expect(page.all('listitem', undefined, list)).toHaveLength(2));
  await page.click('button', 'Undo');
  await until(() => expect(page.all('listitem', undefined, list)).toHaveLength(3));
  page.press('Escape');
  await page.gone('dialog');
  await bob.request('message:delete', { room: id, seq: 1 });
  for (const seq of [3, 5]) await alice.request('message:unpin', { room: id, seq });
  const again = await page.reload();
  await again.sees('This message was deleted', await again.get('region', 'Pinned messages'));
  // A single pin can be hidden until another message is pinned.
  await again.click('button', 'Hide', await again.get('region', 'Pinned messages'));
  const third = await again.reload();
  await third.sees('You pinned a message.', third.timeline);
  expect(third.all('region', 'Pinned messages')).toEqual([]);
  await alice.request('message:pin', { room: id, seq: 2 });
  await third.get('button', 'All 2 pinned messages');
  // The message and later ones are unread until the room is opened again.
  (await third.message('message 3')).focus();
  third.press('Enter');
  await third.click('menuitem', 'Mark as unread');
  await third.get('button', /^market.*2 unread/);
  await third.get('separator', 'New', third.timeline);
});

againInSoak('changes the tabs of a room’s details with arrow keys and remembers the tab', async () => {
  await room('tabs', 'a word');
  const page = await enter('tabs');
  await page.click('button', 'tabs', await page.get('region', 'tabs'));
  const details = await page.get('complementary', 'Details');
  await until(() => expect(nameOf(page.focused as HTMLElement)).toMatch(/^People/));
  for (const tab of ['Files', 'Pinned', 'Settings']) {
    page.press('ArrowRight');
    await page.drawn();
    expect(nameOf(page.focused as HTMLElement)).toMatch(new RegExp(`^${tab}`));
  }
  await page.click('button', 'Mentions', details);
  page.press('Escape');
  await page.gone('complementary', 'Details');
  const again = await page.reload();
  await again.click('button', 'tabs', await again.get('region', 'tabs'));
  await until(async () =>
    expect((await again.get('tab', 'Settings')).getAttribute('aria-selected')).toBe('true'),
  );
});

test('counts replies under a message, and shows them in a panel', async () => {
  const id = await room('tools', 'Who has the key?');
  await say(alice, id, 'Me.', { replyTo: 1 });
  const page = await enter('tools');
  const line = () => page.timeline.querySelector('.replies button') as HTMLElement;
  await until(() => expect(textOf(line())).toMatch(/1 reply/));
  click(line());
  const panel = await page.get('complementary', 'Replies');
  const talk = await page.get('log', /^Replies to Bob/, panel);
  await until(() => expect(page.all('article', undefined, talk)).toHaveLength(2));
  await page.get('separator', '1 reply', talk);
  // The thread keeps its own draft while it is closed.
  const own = () => panel.querySelector('textarea') ?? page.root.querySelector('.talk textarea');
  type(own() as HTMLTextAreaElement, 'At six?');
  page.press('Escape');
  await page.gone('complementary', 'Replies');
  expect(field(page).value).toBe('');
  (await page.message('Me.')).focus();
  page.press('t');
  await page.get('complementary', 'Replies');
  await until(() => expect((own() as HTMLTextAreaElement).value).toBe('At six?'));
  page.press('Enter', {}, own());
  await until(() => expect(textOf(line())).toMatch(/2 replies/));
  const { messages } = await bob.request('message:history', { room: id });
  expect(messages.at(-1)).toMatchObject({ text: 'At six?', thread: 1 });
  await page.click('button', 'Notify me about replies');
  await until(async () =>
    expect((await page.get('button', 'Notify me about replies')).getAttribute('aria-pressed')).toBe('false'),
  );
  // The search replaces the panel.
  await page.click('button', 'Search in this room');
  await page.gone('complementary', 'Replies');
});

test('keeps replies in their thread unless the author also shows them in the room', async () => {
  const id = await room('talks', 'Who has the key?');
  await say(alice, id, 'Me.', { replyTo: 1 });
  await room('elsewhere');
  const page = await enter('talks');
  const shown = (expected: string[]) => until(() => expect(page.texts).toEqual(expected));
  const also = () => page.get('checkbox', 'Also send to the room');
  await until(() => expect(textOf(page.timeline)).toContain('1 reply'));
  // A reply to a message with a thread is written in the thread.
  (await page.message('Who has the key?')).focus();
  page.press('r');
  await page.get('complementary', 'Replies');
  const own = () => page.root.querySelector('.talk textarea') as HTMLTextAreaElement;
  const reply = async (text: string) => {
    await until(() => expect(own().readOnly).toBe(false));
    type(own(), text);
    page.press('Enter', {}, own());
  };
  await until(async () => expect(((await also()) as HTMLInputElement).checked).toBe(false));
  await reply('At six?');
  await until(() => expect(textOf(page.timeline)).toContain('2 replies'));
  click(await also());
  await until(async () => expect(((await also()) as HTMLInputElement).checked).toBe(true));
  await reply('Come all.');
  await shown(['Who has the key?', 'Me.', 'Come all.']);
  await until(async () => {
    const { messages } = await bob.request('message:history', { room: id });
    expect(messages.map(({ text, threadOnly }) => [text, threadOnly])).toEqual([
      ['Who has the key?', undefined],
      ['Me.', undefined],
      ['At six?', true],
      ['Come all.', undefined],
    ]);
  });
  await until(async () => expect(((await also()) as HTMLInputElement).checked).toBe(false));
  page.press('Escape', {}, own());
  await page.gone('complementary', 'Replies');
  // A notice opens the thread, because Alice would miss the reply in the room.
  await say(bob, id, 'Fine with me.', { replyTo: 1, threadOnly: true });
  await page.sees('New reply from Bob');
  await page.click('button', 'Open replies');
  const panel = await page.get('complementary', 'Replies');
  await page.sees('Fine with me.', panel);
  await shown(['Who has the key?', 'Me.', 'Come all.']);
  // In other rooms, only replies that concern the reader count.
  await alice.request('room:leave', { room: id });
  await page.open('elsewhere');
  await say(bob, id, 'Seven is better.', { replyTo: 1, threadOnly: true });
  await page.get('button', /^talks.*1 unread, you were mentioned/);
  expect(textOf(await page.get('button', /^talks/))).toContain('Come all.');
  await alice.request('thread:follow', { room: id, thread: 1, following: false });
  await page.open('talks');
  await until(async () => {
    const { rooms } = await alice.request('room:list', {});
    expect(rooms.find((one) => one.id === id)).toMatchObject({ unread: 0, mentions: 0 });
  });
  await page.open('elsewhere');
  await say(bob, id, 'Or eight.', { replyTo: 1, threadOnly: true });
  await say(bob, id, 'In the room again.');
  await page.get('button', /^talks.*1 unread(?!, you)/);
});

test('offers a new reply that concerns the reader when the room is opened', async () => {
  const id = await room('keys', 'Who has the key?');
  const { seq } = await say(alice, id, 'mine');
  await alice.request('room:leave', { room: id });
  const page = await enter('lobby');
  await say(bob, id, 'reply', { replyTo: seq, threadOnly: true });
  await page.get('button', /^keys.*1 unread/);
  await page.open('keys');
  await page.sees('New reply from Bob');
});

againInSoak('opens the thread of a linked reply, also if only replies are loaded', async () => {
  const id = await room('pages', 'Who has the key?', 'And the lamp?');
  for (let n = 1; n <= 60; n++) await say(bob, id, `reply ${n}`, { replyTo: 1, threadOnly: true });
  const page = await openPage(site.chat.url, alice.cookie, {
    hash: `#m=${encodeURIComponent(id)}/60`,
    attributes: { history: 'hash' },
  });
  await page.sees('reply 58', await page.get('complementary', 'Replies'));
  await until(() => expect(page.texts.slice(0, 2)).toEqual(['Who has the key?', 'And the lamp?']));
  await page.sees('60 replies', page.timeline);
});

test('shows the quoted text and scrolls to its message on a click', async () => {
  const id = await room('quotes', ...numbered(3, 'point'));
  await say(alice, id, 'an answer', { replyTo: 2 });
  const page = await enter('quotes');
  const quote = await page.get('button', /^Reply to Bob/, await page.message('an answer'));
  expect(textOf(quote)).toMatch(/point 2$/);
  click(quote);
  await until(async () => expect(page.focused).toBe(await page.message('point 2')));
});

againInSoak('forwards a message with a note to several rooms', async () => {
  const from = await room('source', 'Gate opens at six.');
  const den = await room('den');
  const market = await room('Café Nord');
  const closed = await room('notices');
  const write = (id: string, who: 'all' | 'moderators') =>
    alice.request('room:update', { room: id, write: who });
  await write(closed, 'moderators');
  const bobs = await openPage(site.chat.url, bob.cookie);
  await bobs.open('source');
  (await bobs.message('Gate opens at six.')).focus();
  bobs.press('f');
  const dialog = await bobs.get('dialog', 'Forward');
  await bobs.sees('Gate opens at six.', dialog);
  expect(((await bobs.get('checkbox', /^notices/, dialog)) as HTMLInputElement).disabled).toBe(true);
  await bobs.fill('searchbox', 'Room or person', 'CAFE', dialog);
  await until(() => expect(bobs.all('checkbox', undefined, dialog)).toHaveLength(1));
  await bobs.click('checkbox', /^Café/, dialog);
  await bobs.fill('searchbox', 'Room or person', 'den', dialog);
  await bobs.click('checkbox', /^den/, dialog);
  await bobs.fill('textbox', /^Add a note/, 'For Saturday', dialog);
  await write(market, 'moderators');
  bobs.press('Enter');
  await bobs.gone('dialog');
  await bobs.sees('Couldn’t be forwarded to Café Nord.');
  await write(market, 'all');
  await bobs.click('button', 'Try again');
  const texts = async (id: string) => (await alice.request('message:history', { room: id })).messages;
  for (const id of [den, market])
    await until(async () =>
      expect((await texts(id)).map(({ text }) => text)).toEqual(['For Saturday', 'Gate opens at six.']),
    );
  // A message forwarded from a private room does not name its author, and cannot be edited.
  await bobs.open('den');
  const copy = await bobs.message('Gate opens at six.');
  expect(textOf(copy)).toMatch(/Forwarded(?! from)/);
  copy.focus();
  bobs.press('Enter');
  await bobs.get('menuitem', /^Forward/);
  expect(bobs.all('menuitem', /^Edit/)).toEqual([]);
  expect(from).not.toBe(den);
});

test('shows a link preview that readers can hide and the author can remove', async () => {
  const id = await room('previews');
  const page = await enter('previews');
  const bobs = await openPage(site.chat.url, bob.cookie);
  await bobs.open('previews');
  let text = '';
  // A busy machine may not fetch the page in time. The message then has no preview.
  for (let isFetched = false, n = 1; !isFetched; n++) {
    text = `Stalls ${n}: ${link()}`;
    await page.write(text);
    isFetched = await until(async () => {
      const [last] = (await alice.request('message:history', { room: id, limit: 1 })).messages;
      expect(last?.text).toBe(text);
      expect(last?.preview).not.toEqual({ url: link() });
      return last?.preview !== undefined;
    });
  }
  const card = async (view: ChatPage) => (await view.message(text)).querySelector('.page-card');
  for (const view of [page, bobs]) {
    await until(async () => expect(textOf(await card(view))).toContain('Forty growers'));
    const shown = (await card(view))?.querySelector('a');
    expect(shown?.getAttribute('rel')).toBe('noopener noreferrer nofollow ugc');
    expect(shown?.href).toBe(link());
  }
  await bobs.click('button', 'Hide preview');
  const again = await bobs.reload();
  await again.click('button', /Show preview/);
  await until(async () => expect(textOf(await card(again))).toContain('Forty growers'));
  await page.click('button', 'Remove preview for everyone');
  for (const view of [page, again]) await until(async () => expect(await card(view)).toBeNull());
  // A message can be sent without a preview, even after a reload.
  type(field(page), `Quietly: ${link()}`);
  await page.click('button', 'Send without preview');
  await page.gone('button', 'Send without preview');
  const third = await page.reload();
  await until(() => expect(field(third).value).toBe(`Quietly: ${link()}`));
  third.press('Enter', {}, field(third));
  await third.message(`Quietly: ${link()}`);
  expect(third.wire.sent.findLast(([name]) => name === 'message:send')?.[1]).toMatchObject({
    preview: false,
  });
});

againInSoak('saves the user’s settings immediately and reverts them on failure', async () => {
  const market = await room('spring market');
  await room('autumn market');
  await alice.request('room:notify', { room: market, notify: 'mentions' });
  await alice.request('user:block', { user: bob.id, blocked: true });
  const page = await enter('spring market');
  await page.click('button', 'Settings');
  const settings = await page.get('region', 'Settings');
  const notify = async () =>
    ((await page.get('combobox', 'spring market', settings)) as HTMLSelectElement).value;
  expect(await notify()).toBe('mentions');
  // Rooms with the usual notifications are not listed.
  const listed = page.all('combobox', undefined, await page.get('region', 'Rooms', settings));
  expect(listed.map(nameOf)).toContain('spring market');
  expect(listed.map(nameOf)).not.toContain('autumn market');
  page.wire.answers.set('room:notify', refused);
  await choose(page, 'spring market', 'Nothing', settings);
  await page.sees('Couldn’t be saved. Nothing has changed.');
  await until(async () => expect(await notify()).toBe('mentions'));
  page.wire.answers.clear();
  await page.click('button', 'Try again');
  await page.get('button', /^spring market.*notifications off/);
  await choose(page, 'spring market', 'All messages', settings);
  await page.get('button', /^spring market(?!.*notifications off)/);
  expect(await notify()).toBe('all');
  page.wire.answers.set('user:block', refused);
  await page.click('button', 'Unblock Bob', settings);
  await page.sees('Couldn’t be saved. Nothing has changed.');
  page.wire.answers.clear();
  await page.click('button', 'Try again');
  await page.sees('You haven’t blocked anyone.', settings);
  page.press('Escape', {}, settings);
  await page.gone('region', 'Settings');
  expect(nameOf(page.focused as HTMLElement)).toBe('Settings');
});

test('saves notification settings immediately if the site notifies offline users', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'webhook-'));
  writeFileSync(`${folder}/key`, `whsec_${Buffer.alloc(32).toString('base64')}`);
  const away = await startPeopleSite({
    CHAT_ROOMS: 'lobby',
    CHAT_WEBHOOK_URL: `${link()}events`,
    CHAT_WEBHOOK_KEY_FILE: `${folder}/key`,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
    CHAT_NOTIFY_AFTER: '10s',
  });
  const person = await away.person({ firstname: 'Ann' });
  const page = await openPage(away.chat.url, person.cookie);
  const stored = () => person.request('notify:get', {});
  await page.click('button', 'Settings');
  const mail = await page.get('region', 'Email');
  await page.get('option', '10 seconds', mail);
  await choose(page, 'After', '1 hour', mail);
  await until(async () => expect(await stored()).toMatchObject({ mail: 60 }));
  await page.click('switch', /^Quiet hours/);
  const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
  await until(async () => expect(await stored()).toMatchObject({ quiet: null }));
  await page.click('switch', /^Quiet hours/);
  await until(async () =>
    expect(await stored()).toMatchObject({ quiet: { from: '22:00', to: '07:00', zone } }),
  );
  await page.click('button', 'Name only');
  await until(async () => expect(await stored()).toMatchObject({ text: 'name' }));
  page.wire.answers.set('notify:set', refused);
  const on = await page.click('switch', /^Email me/, mail);
  await page.sees('Couldn’t be saved. Nothing has changed.');
  await until(() => expect(on.getAttribute('aria-checked')).toBe('true'));
  page.wire.answers.clear();
  await page.click('button', 'Try again');
  await until(async () => expect(await stored()).toMatchObject({ mail: 'off' }));
  const known = { mail: 15, push: false, quiet: null, text: 'text' };
  for (const [data, message] of [
    [{ ...known, mailTo: 'ann@garden.example' }, 'To ann@garden.example'],
    [{ ...known, mailTo: null }, 'This site doesn’t have your email address.'],
    [{ ...known, mail: 'off', mailStoppedAt: Date.now() }, 'Turned off on today by the link in an email.'],
  ] as const) {
    page.press('Escape', {}, page.root.querySelector('.main'));
    await page.gone('region', 'Settings');
    page.wire.answers.set('notify:get', { ok: true, data });
    await page.click('button', 'Settings');
    await page.sees(message);
  }
  // A user without notifications gets one offer after sending a message.
  page.wire.answers.clear();
  await person.request('notify:set', { mail: 'off' });
  const again = await page.reload();
  await again.open('lobby');
  await again.write('Is stall 12 free?');
  await again.sees('Get notified when someone replies?');
  await again.click('button', 'Email me');
  await until(async () => expect(await stored()).toMatchObject({ mail: 15 }));
  await again.gone('group', 'Notifications');
  await away.close();
  rmSync(folder, { recursive: true });
});

test('deletes drafts when another user logs in or the moderators’ page notices a logout', async () => {
  const ann = await site.person({ firstname: 'Ann' });
  const page = await openPage(site.chat.url, ann.cookie);
  await page.open('lobby');
  type(field(page), 'an unfinished secret');
  const kept = (view: ChatPage) => JSON.stringify({ ...view.window.localStorage });
  await until(() => expect(kept(page)).toContain('unfinished'));
  page.element.remove();
  const beside = { element: 'php-chat-moderate', stored: page.window.localStorage } as const;
  const bobs = await openPage(site.chat.url, bob.cookie, beside);
  await bobs.get('heading', 'For moderators only');
  expect(kept(bobs)).not.toContain('unfinished');
  const anns = await openPage(site.chat.url, ann.cookie, beside);
  await anns.get('heading', 'For moderators only');
  expect(kept(anns)).toContain('unfinished');
  await site.memcached.delete(site.key(ann.cookie));
  await until(() => expect(kept(anns)).not.toContain('unfinished'));
});
