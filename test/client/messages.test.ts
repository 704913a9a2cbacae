import { afterAll, beforeAll, expect, test } from 'vitest';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import {
  type ChatPage,
  click,
  nameOf,
  openPage,
  type PageOptions,
  refused,
  textOf,
  type,
  until,
} from './open-page.ts';

let site: PeopleSite;
let alice: Person;
let bob: Person;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_FIND_PEOPLE: 'all' });
  alice = await site.person({ firstname: 'Alice' });
  bob = await site.person({ firstname: 'Bob' });
});
afterAll(() => site.close());

interface Opened {
  readonly id: string;
  readonly page: ChatPage;
}

/** Creates a room of Alice and Bob with these messages by Alice, and opens it as Alice. */
const room = (name: string, ...texts: string[]): Promise<Opened> => roomWith({}, name, ...texts);

async function roomWith(options: PageOptions, name: string, ...texts: string[]): Promise<Opened> {
  const { id } = await site.den(alice, [bob], { name });
  await bob.request('room:join', { room: id });
  await alice.request('room:join', { room: id });
  for (const text of texts) await say(alice, id, text);
  const page = await openPage(site.chat.url, alice.cookie, options);
  await page.open(name);
  for (const text of texts) await page.message(text);
  return { id, page };
}

const field = (page: ChatPage) => page.root.querySelector('textarea') as HTMLTextAreaElement;
const items = (page: ChatPage) => page.all('menuitem').map(textOf);
/** Opens the menu of a message with the keyboard. */
async function menuOf(page: ChatPage, text: string, choice?: RegExp): Promise<void> {
  const message = await page.message(text);
  await until(() => expect(message.getAttribute('aria-posinset')).toMatch(/\d/));
  message.focus();
  page.press('Enter');
  await page.get('menu', 'Message actions');
  if (choice !== undefined) await page.click('menuitem', choice);
}
const texts = (page: ChatPage, expected: string[]) => until(() => expect(page.texts).toEqual(expected));

test('edits a message in the composer and restores the draft afterwards', async () => {
  const { id, page } = await room('edits', 'Gate opens at nine.');
  await page.fill('textbox', /^Message to/, 'a draft');
  await menuOf(page, 'Gate opens at nine.', /^Edit/);
  const editing = await page.get('textbox', 'Edit message');
  expect(page.focused).toBe(editing);
  expect(field(page).value).toBe('Gate opens at nine.');
  await page.sees('Enter to save, Esc to cancel');
  type(field(page), 'Gate opens at eight.');
  page.press('Enter');
  await texts(page, ['Gate opens at eight.(edited)']);
  await page.get('textbox', /^Message to/);
  expect(field(page).value).toBe('a draft');
  // Screen readers read the time of the edit after the name.
  expect(nameOf(page.messages[0] as HTMLElement)).toMatch(
    /^You, \d\d:\d\d \(Edited (?:today|yesterday), \d\d:\d\d\)$/,
  );
  expect((await bob.request('message:history', { room: id })).messages[0]?.text).toBe('Gate opens at eight.');
  // The arrow key in an empty field edits the newest message, and Esc cancels.
  type(field(page), '');
  page.press('ArrowUp');
  await page.get('textbox', 'Edit message');
  type(field(page), 'something else');
  page.press('Escape');
  await page.get('textbox', /^Message to/);
  expect(field(page).value).toBe('');
  await texts(page, ['Gate opens at eight.(edited)']);
});

test('marks a message as important before it is sent, while it is scheduled and in an edit', async () => {
  const { id, ...opened } = await room('important');
  let { page } = opened;
  const isMarked = async () =>
    (await bob.request('message:history', { room: id })).messages.map(({ important }) => important);
  const write = async (text: string) => {
    await page.fill('textbox', /^Message to/, text);
    await page.click('button', 'Send later');
  };
  // The mark can be removed before the message is sent, and a draft keeps it.
  await write('Gate opens at nine.');
  await page.click('menuitem', 'Mark as important');
  await page.click('button', 'Not important');
  await page.click('button', 'Send later');
  await page.click('menuitem', 'Mark as important');
  page = await page.reload();
  await page.open('important');
  await page.get('button', 'Not important');
  field(page).focus();
  page.press('Enter');
  await texts(page, ['Gate opens at nine.']);
  await page.sees('Important');
  await until(async () => expect(await isMarked()).toEqual([true]));
  expect(page.all('button', 'Not important')).toEqual([]);

  await menuOf(page, 'Gate opens at nine.', /^Edit/);
  await page.click('button', 'Not important');
  await page.click('button', 'Save');
  await until(async () => expect(await isMarked()).toEqual([undefined]));
  await menuOf(page, 'Gate opens at nine.(edited)', /^Edit/);
  await page.click('button', 'Mark as important');
  await page.click('button', 'Save');
  await until(async () => expect(await isMarked()).toEqual([true]));

  await write('Bring boots.');
  await page.click('menuitem', 'Mark as important');
  await page.click('button', 'Send later');
  await page.click('menuitem', /^Tomorrow, 0?9:00/);
  await page.sees('Scheduled messages · 1');
  const list = async () => (await alice.request('scheduled:list', {})).scheduled;
  expect(await list()).toMatchObject([{ text: 'Bring boots.', important: true }]);
  expect(page.all('button', 'Not important')).toEqual([]);
  await page.click('button', 'Show');
  await page.click('button', 'Edit');
  await page.click('checkbox', 'Important');
  await page.click('button', 'Save');
  await until(async () => expect((await list())[0]).not.toHaveProperty('important'));
});

test('lets moderators of a room where only they write mark a message of another user', async () => {
  const { id, page } = await room('announcements', 'Gate opens at nine.');
  await alice.request('room:role', { room: id, user: bob.id, role: 'moderator' });
  const bobs = await openPage(site.chat.url, bob.cookie);
  await bobs.open('announcements');
  const offered = async () => {
    await menuOf(bobs, 'Gate opens at nine.');
    const found = items(bobs).filter((item) => /important|Report/.test(item));
    bobs.press('Escape');
    return found;
  };
  expect(await offered()).toEqual(['Report message']);
  await alice.request('room:update', { room: id, write: 'moderators' });
  await until(async () => expect(await offered()).toEqual(['Mark as important']));
  await menuOf(page, 'Gate opens at nine.');
  expect(items(page)).not.toContain('Mark as important');
  page.press('Escape');

  bobs.wire.answers.set('message:mark', refused);
  await menuOf(bobs, 'Gate opens at nine.', /^Mark as important/);
  await bobs.sees('Something went wrong. Please try again.');
  bobs.wire.answers.clear();
  await menuOf(bobs, 'Gate opens at nine.', /^Mark as important/);
  for (const one of [page, bobs]) {
    await one.sees('Important', one.timeline);
    await texts(one, ['Gate opens at nine.']);
  }
  await menuOf(bobs, 'Gate opens at nine.', /^Not important/);
  await until(async () => {
    const { messages } = await alice.request('message:history', { room: id });
    expect(messages.map(({ important }) => important)).toEqual([undefined]);
  });
});

test('does not restore a mark that a moderator removed while the author was editing the text', async () => {
  const { id, page } = await room('outdated');
  await alice.request('room:update', { room: id, write: 'moderators' });
  await alice.request('room:role', { room: id, user: bob.id, role: 'moderator' });
  const { message } = await alice.request('message:send', {
    ...{ room: id, text: 'Gate opens at nine.', clientId: 'outdated', important: true },
  });
  await page.sees('Important');
  await menuOf(page, 'Gate opens at nine.', /^Edit/);
  await bob.request('message:mark', { room: id, seq: message.seq, important: false });
  await until(() => expect(textOf(page.timeline)).not.toContain('Important'));
  type(field(page), 'Gate opens at ten.');
  await page.click('button', 'Save');
  await texts(page, ['Gate opens at ten.(edited)']);
  const { messages } = await bob.request('message:history', { room: id });
  expect(messages.map(({ text, important }) => [text, important])).toEqual([
    ['Gate opens at ten.', undefined],
  ]);
});

test('offers both texts if a message was also edited on another device, even after a reload', async () => {
  const { id, page } = await room('clash', 'one rake');
  await menuOf(page, 'one rake', /^Edit/);
  type(field(page), 'three rakes');
  await alice.request('message:edit', { room: id, seq: 1, text: 'two rakes' });
  await texts(page, ['two rakes(edited)']);
  page.press('Enter');
  await page.sees('Edited on another device');
  const again = await page.reload();
  await again.sees('Edited on another device');
  expect(field(again).value).toBe('three rakes');
  await again.click('button', 'Save mine');
  await texts(again, ['three rakes(edited)']);
  again.press('ArrowUp', {}, field(again));
  await again.get('textbox', 'Edit message');
  type(field(again), 'five rakes');
  await alice.request('message:edit', { room: id, seq: 1, text: 'four rakes' });
  await texts(again, ['four rakes(edited)']);
  again.press('Enter');
  await again.click('button', 'Use the other text');
  await until(() => expect(field(again).value).toBe('four rakes'));
});

test('offers to resend a message deleted during its edit', async () => {
  const { id, page } = await room('gone', 'soon gone');
  await menuOf(page, 'soon gone', /^Edit/);
  type(field(page), 'still here');
  await alice.request('message:delete', { room: id, seq: 1 });
  await texts(page, ['Message deleted']);
  page.press('Enter');
  await page.click('button', 'Send as a new message');
  await texts(page, ['Message deleted', 'still here']);
});

test('deletes an own message at once, and tells the server when that cannot be undone', async () => {
  const { id, page } = await room('deletions', 'from Alice', 'also from Alice');
  const stored = async () =>
    (await bob.request('message:history', { room: id })).messages.map(({ text }) => text);
  const message = await page.message('from Alice');
  message.focus();
  page.press('Delete');
  await texts(page, ['Message deleted', 'also from Alice']);
  expect(page.focused).toBe(message);
  await page.click('button', 'Undo');
  await texts(page, ['from Alice', 'also from Alice']);
  // The page closes before the time for Undo is over, so the server gets the deletion now.
  const leave = () => page.window.dispatchEvent(new page.window.PageTransitionEvent('pagehide'));
  message.focus();
  page.press('Delete');
  await texts(page, ['Message deleted', 'also from Alice']);
  expect(await stored()).toEqual(['from Alice', 'also from Alice']);
  leave();
  await until(async () => expect(await stored()).toEqual(['', 'also from Alice']));
  await texts(page, ['Message deleted', 'also from Alice']);
  expect(page.all('menu')).toEqual([]);
  // A message that cannot be deleted comes back.
  page.wire.answers.set('message:delete', refused);
  (await page.message('also from Alice')).focus();
  page.press('Delete');
  await texts(page, ['Message deleted', 'Message deleted']);
  leave();
  await page.sees('The message couldn’t be deleted.');
  await texts(page, ['Message deleted', 'also from Alice']);
});

test('hides a message that is being deleted in quotes and in the list of rooms', async () => {
  const { id, page } = await room('hiding', 'a typo');
  const [row] = page.all('button', /^hiding\b/, page.all('navigation')[0]);
  expect(textOf(row as HTMLElement)).toContain('a typo');
  await say(alice, id, 'about it', { replyTo: 1 });
  await page.message('about it');
  const delete_ = async (text: string) => {
    (await page.message(text)).focus();
    page.press('Delete');
  };
  await delete_('a typo');
  await until(() => expect(textOf(page.timeline)).not.toContain('a typo'));
  await page.click('button', 'Undo');
  await until(() => expect(textOf(page.timeline)).toContain('a typo'));
  await delete_('about it');
  await until(() => expect(textOf(row as HTMLElement)).toContain('You: Message deleted'));
  await page.click('button', 'Undo');
  await until(() => expect(textOf(row as HTMLElement)).toContain('You: about it'));
});

test('completes a deletion when the page is hidden, or opened again after the phone closed it', async () => {
  const { id, page } = await room('phone', 'one', 'two');
  const stored = async () =>
    (await bob.request('message:history', { room: id })).messages.map(({ text }) => text);
  (await page.message('one')).focus();
  page.press('Delete');
  await texts(page, ['Message deleted', 'two']);
  const { document, localStorage } = page.window;
  Object.defineProperty(document, 'hidden', { value: true, configurable: true });
  document.dispatchEvent(new page.window.Event('visibilitychange'));
  await until(async () => expect(await stored()).toEqual(['', 'two']));
  Object.defineProperty(document, 'hidden', { value: false, configurable: true });
  await until(() => expect(page.all('button', 'Undo')).toEqual([]));
  expect(Object.keys(localStorage).filter((key) => key.includes('/delete/'))).toEqual([]);

  (await page.message('two')).focus();
  page.press('Delete');
  // What is left after the end of the page, when the time for Undo is over.
  const left = Object.entries({ ...localStorage }).map(([key, value]) => [
    key,
    key.includes('/delete/') ? JSON.stringify({ ...JSON.parse(value), until: 0 }) : value,
  ]);
  await page.click('button', 'Undo');
  await page.close();
  expect(await stored()).toEqual(['', 'two']);
  const again = await openPage(site.chat.url, alice.cookie, { stored: Object.fromEntries(left) });
  await until(async () => expect(await stored()).toEqual(['', '']));
  await until(() =>
    expect(Object.keys(again.window.localStorage).filter((key) => key.includes('/delete/'))).toEqual([]),
  );
});

test('deletes a message of a member only after a confirmation', async () => {
  const { id, page } = await room('moderated', 'from Alice');
  await say(bob, id, 'from Bob');
  const message = await page.message('from Bob');
  message.focus();
  page.press('Delete');
  const dialog = await page.get('alertdialog', 'Delete this message?');
  expect(textOf(page.focused)).toBe('Keep');
  expect(textOf(dialog)).toContain('“from Bob” will be deleted for everyone.');
  page.press('Escape');
  await page.gone('alertdialog');
  expect(page.focused).toBe(message);
  page.press('Delete');
  page.wire.answers.set('message:delete', refused);
  await page.click('button', 'Delete', await page.get('alertdialog'));
  await page.sees('The message couldn’t be deleted.');
  page.wire.answers.clear();
  await page.click('button', 'Delete', await page.get('alertdialog'));
  // The notice names a moderator.
  await texts(page, ['from Alice', 'Deleted by a moderator']);
});

test('offers at most eight actions on a message, and those on its author on the author’s card', async () => {
  const { id, page } = await room('offers', 'of the owner');
  await say(bob, id, 'of a member');
  const actions = (from: ChatPage) =>
    items(from)
      .filter((item) => !/^\W*$/.test(item))
      .map((item) => item.replace(/(?:[A-Z]|Del)$/, ''));
  await menuOf(page, 'of a member');
  expect(textOf(page.focused)).toMatch(/^Reply/);
  expect(actions(page)).toEqual([
    ...['Reply in thread', 'Forward', 'Copy text', 'Copy link', 'Mark as unread', 'Pin to room'],
    ...['Report message', 'Delete'],
  ]);
  page.press('Escape');
  await menuOf(page, 'of the owner');
  expect(actions(page)).toEqual([
    ...['Reply in thread', 'Forward', 'Copy text', 'Copy link', 'Seen by', 'Pin to room'],
    ...['Edit', 'Delete'],
  ]);
  const bobs = await openPage(site.chat.url, bob.cookie);
  await bobs.open('offers');
  await menuOf(bobs, 'of the owner');
  expect(actions(bobs)).toEqual([
    ...['Reply in thread', 'Forward', 'Copy text', 'Copy link', 'Mark as unread', 'Report message'],
  ]);
  // The row of reactions is one step for the arrows up and down.
  bobs.press('ArrowUp');
  expect(textOf(bobs.focused)).toBe('👍');
  bobs.press('ArrowDown');
  expect(textOf(bobs.focused)).toMatch(/^Reply/);
  bobs.press('Escape');
  bobs.press('p');
  const card = await bobs.get('dialog', 'Alice');
  await bobs.get('menuitem', 'Block Alice', card);
  await bobs.get('button', 'Mention', card);
});

test('reminds the user of a message in all tabs, until the user shows it', async () => {
  const { id, page } = await room('reminders', 'water the beans', 'other words');
  await menuOf(page, 'water the beans', /^Remind me/);
  await page.get('menu', 'Remind me');
  expect(items(page).slice(0, 4)).toEqual([
    ...['In 20 minutes', 'In 1 hour', expect.stringMatching(/^Tomorrow, /), 'Choose a time…'],
  ]);
  await page.click('menuitem', 'In 1 hour');
  await page.sees('Reminder set: ');
  const { reminders } = await alice.request('reminder:list', {});
  expect(reminders).toMatchObject([{ room: id, seq: 1, message: { text: 'water the beans' } }]);
  const other = await openPage(site.chat.url, alice.cookie);
  await alice.request('reminder:set', { room: id, seq: 1, at: Date.now() });
  for (const tab of [page, other]) await tab.sees('Reminder: water the beans');
  await other.click('button', 'Show');
  await other.message('water the beans');
  await expect.poll(async () => (await alice.request('reminder:list', {})).reminders).toEqual([]);
  await alice.request('reminder:set', { room: id, seq: 2, at: Date.now() });
  await other.sees('Reminder: other words');
  // After a reload, the reminder is shown again, because the user did not go to its message.
  await (await other.reload()).sees('Reminder: other words');
});

test('opens the menu of a message by a right-click, except where the browser’s own menu is expected', async () => {
  const { page } = await room('clicks', 'Look at https://example.org/ today.');
  const message = await page.message('Look at https://example.org/ today.');
  await until(() => expect(message.getAttribute('aria-posinset')).toMatch(/\d/));
  const link = await page.get('link', /example/, message);
  /** Returns whether the browser would show its own menu. */
  const rightClick = (target: Element, how: MouseEventInit = {}) => {
    const options = {
      pointerType: 'mouse',
      button: 2,
      bubbles: true,
      composed: true,
      cancelable: true,
      ...how,
    };
    target.dispatchEvent(new page.window.PointerEvent('pointerdown', options));
    return target.dispatchEvent(new page.window.PointerEvent('contextmenu', options));
  };
  const bubble = message.querySelector('.bubble') as HTMLElement;
  expect(rightClick(link)).toBe(true);
  expect(rightClick(bubble, { shiftKey: true })).toBe(true);
  expect(page.all('menu')).toEqual([]);
  expect(rightClick(bubble)).toBe(false);
  await page.get('menu', 'Message actions');
});

test('names the key that deletes a message as the keyboards of the language do', async () => {
  await room('key-names', 'Bring a rake.');
  const page = await openPage(site.chat.url, alice.cookie, { attributes: { lang: 'de' }, connected: false });
  await page.open('key-names');
  (await page.message('Bring a rake.')).focus();
  page.press('Enter');
  const item = await page.get('menuitem', 'Löschen');
  expect(item.querySelector('kbd')?.textContent).toBe('Entf');
});

test('shows who has seen a message if the room shows read receipts', async () => {
  const { id, page } = await room('seen', 'who has read this?');
  const message = await page.message('who has read this?');
  const line = () => page.get('button', /Seen by/, message);
  await until(() => expect(textOf(message)).toContain('Sent'));
  await bob.request('read:mark', { room: id, seq: 1 });
  await until(async () => expect(textOf(await line())).toMatch(/Seen by everyone$/));
  click(await line());
  const dialog = await page.get('dialog', 'Seen by');
  await until(() => expect(textOf(dialog)).toContain('Seen by everyone'));
  expect(page.all('listitem', undefined, dialog).map(textOf)).toEqual([expect.stringMatching(/Bob$/)]);
  page.press('Escape');
  await page.gone('dialog');
  await alice.request('room:update', { room: id, seen: 'off' });
  await page.gone('button', /Seen by/);
});

test('adds and removes a reaction by key and by click', async () => {
  const { id, page } = await room('reactions', 'Gate opens at nine.');
  (await page.message('Gate opens at nine.')).focus();
  page.press('+');
  const offered = await page.get('menu', 'Add a reaction');
  await until(() =>
    expect(page.all('menuitem', undefined, offered).map(textOf)).toEqual([
      '👍',
      '❤️',
      '😂',
      '😮',
      '😢',
      '🎉',
      '',
    ]),
  );
  page.press('ArrowRight');
  page.press('Enter');
  await page.gone('menu');
  expect((await page.get('button', /❤️ 1/)).getAttribute('aria-pressed')).toBe('true');
  await bob.request('message:react', { room: id, seq: 1, emoji: '❤️', on: true });
  await page.sees('Bob reacted with ❤️');
  await page.click('button', /❤️ 2/);
  expect((await page.get('button', /❤️ 1/)).getAttribute('aria-pressed')).toBe('false');
  await bob.request('message:react', { room: id, seq: 1, emoji: '❤️', on: false });
  await page.gone('group', 'Reactions');
});

test("shows reactions at the top of a message's sheet on touch, and the reminder with its name", async () => {
  const { page } = await roomWith({ touch: true }, 'fingers', 'Bring a rake.');
  const bubble = (await page.message('Bring a rake.')).querySelector('.bubble') as HTMLElement;
  const touch = (kind: string) =>
    bubble.dispatchEvent(
      new page.window.PointerEvent(kind, { pointerType: 'touch', bubbles: true, composed: true }),
    );
  touch('pointerdown');
  const sheet = await page.get('menu', 'Message actions');
  touch('pointerup');
  expect(textOf(sheet)).toContain('Bring a rake.');
  expect(textOf(page.all('menuitem', undefined, sheet)[0] ?? null)).toBe('👍');
  expect(page.all('menuitem', undefined, sheet).map(textOf)).toContain('Remind me');
});

test('opens the emoji grid on touch without the focus in a field, which would open the keyboard', async () => {
  const { page } = await roomWith({ touch: true }, 'thumbs', 'Bring a rake.');
  await page.click('button', 'Emoji');
  const grid = await page.get('dialog', 'Emoji');
  expect(page.root.activeElement).toBe(grid);
  await page.click('button', /^grinning face$/, grid);
  expect(field(page).value).toBe('😀');
  page.press('Escape');
  await page.gone('dialog');
  expect(nameOf(page.root.activeElement as Element)).toBe('Emoji');
});

test('mentions only a user chosen from the list', async () => {
  const { page } = await room('market');
  const list = () => page.all('option', undefined, page.root).map(textOf);
  await page.fill('textbox', /^Message to/, 'mail a@b and @');
  await until(() =>
    expect(list()).toEqual([expect.stringMatching(/Bob/), expect.stringMatching(/@room.*all 2 members/)]),
  );
  page.press('Escape');
  await page.gone('listbox');
  // After Escape the list stays closed for the same @.
  type(field(page), 'mail a@b and @b');
  await page.gone('listbox');
  type(field(page), '');
  type(field(page), '@o');
  await until(() => expect(list()).toEqual([expect.stringMatching(/Bob/)]));
  page.press('Enter');
  await until(() => expect(field(page).value).toBe('@Bob '));
  type(field(page), '@Bob has it');
  page.press('Enter');
  await page.message('@Bob has it');
  await until(() => expect(page.root.querySelector('.mention')?.textContent).toBe('@Bob'));
  await page.write('@Bob by hand');
  await page.message('@Bob by hand');
  const sent = page.wire.sent.filter(([name]) => name === 'message:send').map(([, payload]) => payload);
  expect(sent).toEqual([
    expect.objectContaining({ mentions: [{ user: bob.id, start: 0, length: 4 }] }),
    expect.not.objectContaining({ mentions: expect.anything() }),
  ]);
  // An edit keeps the mentions that are still in the text.
  (await page.message('@Bob has it')).focus();
  page.press('e');
  await page.get('textbox', 'Edit message');
  type(field(page), 'Today @Bob has it');
  page.press('Enter');
  await page.message('Today @Bob has it(edited)');
  expect(page.wire.sent.findLast(([name]) => name === 'message:edit')?.[1]).toMatchObject({
    mentions: [{ user: bob.id, start: 6, length: 4 }],
  });
});

test('marks a message with a mention, and its room until the mention is read', async () => {
  const { id } = await room('spring');
  await room('elsewhere');
  const page = await openPage(site.chat.url, bob.cookie);
  await page.open('spring');
  const mentions = [{ user: bob.id, start: 0, length: 4 }];
  await say(alice, id, '@Bob hello', { mentions });
  await page.sees('Alice mentioned you');
  await page.open('elsewhere');
  // The server does not notify a user of mentions in an open room.
  await bob.request('room:leave', { room: id });
  await say(alice, id, '@Bob look', { mentions });
  await page.get('button', /^spring.*1 unread, you were mentioned/);
  await page.open('spring');
  expect((await page.message('@Bob look')).className).toMatch(/tome/);
  await page.gone('button', /^spring.*you were mentioned/);
  (await page.message('@Bob look')).focus();
  page.press('p');
  await page.click('button', 'Mention', await page.get('dialog', 'Alice'));
  await until(() => expect(field(page).value).toBe('@Alice '));
});

test('formats the selection by keys and continues lists', async () => {
  const { page } = await room('formats');
  const input = field(page);
  await page.fill('textbox', /^Message to/, 'bring two spades');
  input.setSelectionRange(0, 16);
  page.press('b', { ctrlKey: true });
  expect(input.value).toBe('**bring two spades**');
  page.press('b', { ctrlKey: true });
  expect(input.value).toBe('bring two spades');
  type(input, '- one');
  input.setSelectionRange(5, 5);
  page.press('Enter', { shiftKey: true });
  expect(input.value).toBe('- one\n- ');
  page.press('Enter', { shiftKey: true });
  expect(input.value).toBe('- one\n');
});

test('renders code, lists, quotations and links', async () => {
  const { page } = await room('drawn');
  await page.write(
    '**Bold**, _it_ and `code`:\n- two *spades*\n- one rake\n> Quoted\n10. ten\n```php\n<?php\n    x\n```\nwww.php.example/s or help@orchard.example. **<b>stays</b>**',
  );
  const message = await until(() => page.messages[0] as HTMLElement);
  await until(() => expect(message.querySelector('pre')?.textContent).toBe('<?php\n    x'));
  await page.sees('php', message);
  await page.click('button', 'Copy', message);
  await until(() => expect(page.copied).toEqual(['<?php\n    x']));
  const found = (selector: string) =>
    [...message.querySelectorAll(selector)].map((element) => element.textContent);
  expect(found('strong')).toEqual(['Bold', '<b>stays</b>']);
  expect(found('em')).toEqual(['it', 'spades']);
  expect(found('ul > li')).toEqual(['two spades', 'one rake']);
  expect(found('.q')).toEqual(['Quoted']);
  expect(message.querySelector('ol')?.getAttribute('start')).toBe('10');
  expect([...message.querySelectorAll('a')].map(({ href }) => href)).toEqual([
    'https://www.php.example/s',
    'mailto:help@orchard.example',
  ]);
  await page.get('button', /^drawn.*You ?: Bold, it and code: two spades/);
});

test('omits a quote that the message above shows', async () => {
  const { id, page } = await room('quotes', 'Who brings tools?', 'Who brings cake?');
  const quotes = () => page.messages.map((message) => textOf(message.querySelector('.quote')));
  for (const [text, replyTo] of [
    ['two spades', 1],
    ['and gloves', 1],
    ['apple cake', 2],
  ] as const)
    await say(bob, id, text, { replyTo });
  await page.message('apple cake');
  await until(() =>
    expect(quotes().slice(2)).toEqual([
      expect.stringContaining('tools?'),
      '',
      expect.stringContaining('cake?'),
    ]),
  );
  // Without the message above, the quote is needed.
  await bob.request('message:delete', { room: id, seq: 3 });
  await until(() => expect(quotes()[3]).toContain('tools?'));
});

test('shows the delivery state of the user’s own messages', async () => {
  const { id, page } = await room('states');
  page.wire.held.add('message:send');
  await page.write('slow');
  await until(async () => expect(textOf(await page.message('slow'))).toContain('Sending…'));
  const element = await page.message('slow');
  page.wire.held.clear();
  // The unacknowledged message is sent again after the reconnect and keeps its element.
  page.online(false);
  page.online(true);
  await until(() => expect(textOf(element)).toMatch(/Sent|Seen/));
  expect(element.isConnected).toBe(true);
  expect((await alice.request('message:history', { room: id })).messages.map(({ text }) => text)).toEqual([
    'slow',
  ]);
});

test('offers to discard or resend messages that the server rejected', async () => {
  const { id, page } = await room('refused');
  await say(alice, id, 'the first words', { clientId: 'used-before' });
  const { localStorage } = page.window;
  const key = Object.keys(localStorage).find((name) => name.endsWith('/room')) ?? '';
  for (const [clientId, text] of [
    ['used-before', 'other words'],
    ['not an id!', 'not this'],
  ]) {
    const item = { clientId, room: id, text, sentAt: Date.now() };
    localStorage.setItem(key.replace(/room$/, `out/${clientId}`), JSON.stringify(item));
  }
  const again = await page.reload();
  await until(async () =>
    expect(textOf(await again.message('other words'))).toContain('Already sent with different text.'),
  );
  await until(async () => expect(textOf(await again.message('not this'))).toContain('Not sent.'));
  await again.click('button', 'Discard', await again.message('not this'));
  await again.click('button', 'Send as a new message', await again.message('other words'));
  await texts(again, ['the first words', 'other words']);
  await until(async () => expect(textOf(await again.message('other words'))).toMatch(/Sent|Seen/));
});

test('keeps a draft through a reload and shows how far a text exceeds the limit', async () => {
  const { page } = await room('drafts');
  await page.fill('textbox', /^Message to/, 'a draft');
  const again = await page.reload();
  await until(() => expect(field(again).value).toBe('a draft'));
  type(field(again), 'x'.repeat(4010));
  await again.sees('10 characters too many');
  expect((await again.get('button', 'Send')).getAttribute('aria-disabled')).toBe('true');
  again.press('Enter');
  expect(field(again).value).toHaveLength(4010);
  type(field(again), '👍'.repeat(3900));
  await again.sees('100 left');
  type(field(again), 'ni');
  again.press('Enter', { isComposing: true, keyCode: 229 } as KeyboardEventInit);
  expect(field(again).value).toBe('ni');
  again.press('Enter');
  // The field is empty before the next key arrives.
  expect(field(again).value).toBe('');
});

/** The key of a value of this user in the browser's storage. */
const keyOf = (page: ChatPage, name: string) =>
  (Object.keys(page.window.localStorage).find((key) => key.endsWith('/room')) ?? '').replace(/room$/, name);

test('shows the draft that another tab stored last, and removes a draft that another tab sent', async () => {
  const { id, page } = await room('two-tabs', 'a message');
  const key = keyOf(page, `draft/${id}`);
  await page.fill('textbox', /^Message to/, 'typed here');
  const draft = await until(() => {
    const stored = page.window.localStorage.getItem(key);
    expect(stored).toContain('typed here');
    return stored as string;
  });
  page.storeElsewhere(key, draft.replace('typed here', 'typed there'));
  await until(() => expect(field(page).value).toBe('typed there'));
  page.storeElsewhere(key, null);
  await until(() => expect(field(page).value).toBe(''));
  page.press('Enter', {}, field(page));
  await page.drawn();
  expect(page.texts).toEqual(['a message']);
  // An edit in progress is part of the draft.
  const edit = { seq: 1, rev: 1, text: 'edited there', original: { text: 'a message' } };
  page.storeElsewhere(key, JSON.stringify({ text: '', edit }));
  await page.get('textbox', 'Edit message');
  expect(field(page).value).toBe('edited there');
});

test('shows another tab’s draft in the list of rooms', async () => {
  const { id, page } = await room('listed-draft', 'a message');
  await page.open('lobby');
  page.storeElsewhere(keyOf(page, `draft/${id}`), JSON.stringify({ text: 'not yet sent' }));
  await page.sees('Draft: not yet sent', page.all('navigation')[0]);
});

test('keeps the text that the user types while another tab stores its draft', async () => {
  const { id, page } = await room('typing-in-two-tabs');
  await page.fill('textbox', /^Message to/, 'typed here');
  page.storeElsewhere(keyOf(page, `draft/${id}`), JSON.stringify({ text: 'typed there' }));
  await page.drawn();
  expect(field(page).value).toBe('typed here');
});

// Shown in browsers by test/e2e/storage.e2e.ts.
againInSoak(
  'sends messages and keeps the draft if the browser’s storage is full, and says that it cannot store them',
  async () => {
    const { page } = await room('full-storage');
    const { Storage, DOMException } = page.window;
    const { setItem } = Storage.prototype;
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    try {
      await page.write('sent anyway');
      await until(async () => expect(textOf(await page.message('sent anyway'))).toMatch(/Sent|Seen/));
      expect(textOf(page.root)).not.toContain('can’t save');
      await page.fill('textbox', /^Message to/, 'a draft');
      await page.sees('Your browser can’t save this. Keep the page open until it is sent.');
      await page.open('lobby');
      await page.open('full-storage');
      await until(() => expect(field(page).value).toBe('a draft'));
    } finally {
      Storage.prototype.setItem = setItem;
    }
    type(field(page), 'a draft!');
    await until(() => expect(textOf(page.root)).not.toContain('can’t save'));
  },
);

// Shown by page-storage.unit.test.ts.
againInSoak('keeps a draft that the site deleted with `localStorage.clear()`', async () => {
  const { page } = await room('cleared-storage');
  await page.fill('textbox', /^Message to/, 'a draft');
  await until(() => expect(JSON.stringify(page.window.localStorage)).toContain('a draft'));
  page.window.localStorage.clear();
  await page.open('lobby');
  await page.open('cleared-storage');
  await until(() => expect(field(page).value).toBe('a draft'));
});

test('edits the message just sent with the arrow key, even before the server has stored it', async () => {
  const { page } = await room('just-sent', 'an old message');
  await page.write('just sent');
  page.press('ArrowUp', {}, field(page));
  expect(field(page).value).toBe('');
  await page.get('textbox', 'Edit message');
  expect(field(page).value).toBe('just sent');
  page.press('Escape');
  await page.get('textbox', /^Message to/);
  // Another key means that the user does not wait for the edit.
  await page.write('sent last');
  page.press('ArrowUp', {}, field(page));
  type(field(page), 'a new text');
  await until(async () => expect(textOf(await page.message('sent last'))).toMatch(/Sent|Seen/));
  expect(field(page).value).toBe('a new text');
});

test('names the users who are typing', async () => {
  const { id, page } = await room('chatter');
  const carol = await site.person({ firstname: 'Carol' });
  await alice.request('room:invite', { room: id, users: [carol.id] });
  await carol.request('room:join', { room: id });
  await bob.request('typing:set', { room: id, typing: true });
  await page.sees('Bob is typing…');
  await carol.request('typing:set', { room: id, typing: true });
  await page.sees('Bob and Carol are typing…');
  await carol.request('typing:set', { room: id, typing: false });
  await say(bob, id, 'hm');
  await until(() => expect(textOf(page.root)).not.toContain('typing…'));
});
