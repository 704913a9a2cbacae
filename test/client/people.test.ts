import { afterAll, beforeAll, expect, test } from 'vitest';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { eventsOf, type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, click, nameOf, openPage, refused, textOf, until } from './open-page.ts';

let site: PeopleSite;
let alice: Person;
let bob: Person;
let carol: Person;
beforeAll(async () => {
  site = await startPeopleSite({
    CHAT_FIND_PEOPLE: 'all',
    CHAT_USER_URL: '/people/{id}',
    CHAT_ROOMS: 'lobby',
  });
  [alice, bob, carol] = (await Promise.all(
    ['Alice', 'Bob', 'Carol'].map((firstname) => site.person({ firstname })),
  )) as [Person, Person, Person];
});
afterAll(() => site.close());

/** Creates a room of Alice, Bob and Carol. */
async function room(name: string): Promise<string> {
  const { id } = await site.den(alice, [bob, carol], { name });
  for (const member of [alice, bob, carol]) await member.request('room:join', { room: id });
  return id;
}
async function enter(person: Person, name: string, options = {}): Promise<ChatPage> {
  const page = await openPage(site.chat.url, person.cookie, options);
  await page.open(name);
  return page;
}
const person = async (page: ChatPage, name: string) =>
  page.get('button', new RegExp(`^${name}`), await page.people());
const named = (page: ChatPage, who: string, name: RegExp) =>
  until(async () => expect(nameOf(await person(page, who))).toMatch(name));
/** Clicks an item in a user's card. */
async function choose(page: ChatPage, name: string, item: string): Promise<void> {
  click(await person(page, name));
  await page.click('menuitem', item);
}
const field = (page: ChatPage) => page.root.querySelector('textarea') as HTMLTextAreaElement | null;
/** Waits for the note that replaces the message field. */
const note = (page: ChatPage, text: RegExp) =>
  until(() => expect(page.all('note').map(textOf).join()).toMatch(text));
const row = (page: ChatPage, name: RegExp) =>
  page.get('button', name, page.root.querySelector('nav') as HTMLElement);

/** The day of a time in 24 hours, which is not tomorrow if the clocks change before. */
const in24Hours = '(?:today|tomorrow|\\w+ \\d+ \\w+)';
const until24h = (before: string, after = '') => new RegExp(`${before}until ${in24Hours}, ${after}`);

test('lists the online members on demand, even after one of a member’s two connections closes', async () => {
  await room('orchard');
  const dave = await site.person({ firstname: 'Dave' });
  const page = await enter(alice, 'orchard');
  await page.get('button', 'Emoji');
  expect(page.all('complementary')).toEqual([]);
  await page.people();
  await page.get('heading', 'Here now 3');
  expect(page.all('heading', /^Others/)).toEqual([]);
  dave.close();
  const carols = await site.again(carol);
  carols.close();
  await named(page, 'Alice', /^Alice ?owner ?you$/);
  await page.get('button', 'Here now: 3');
});

againInSoak("leads from a user's card to a direct message and the profile", async () => {
  await room('committee');
  const page = await enter(alice, 'committee');
  const bobs = await enter(bob, 'committee');
  click(await person(page, 'Bob'));
  const card = await page.get('dialog', 'Bob');
  await page.sees('Here now', card);
  expect([...card.querySelectorAll('.quick > *')].map(textOf)).toEqual(['Message', 'Mention', 'Profile']);
  expect(page.all('menuitem', undefined, card).map(textOf)).toEqual([
    'Make moderator',
    'Mute…',
    'Ban…',
    'Remove from room',
    'Block Bob',
  ]);
  expect((await page.get('link', 'Profile', card)).getAttribute('href')).toBe(
    `${site.chat.url}/people/${bob.id}`,
  );
  await page.click('menuitem', 'Make moderator');
  await named(page, 'Bob', /moderator/);
  // A moderator cannot act on the owner.
  click(await person(bobs, 'Alice'));
  expect(bobs.all('menuitem', undefined, await bobs.get('dialog', 'Alice')).map(textOf)).toEqual([
    'Block Alice',
  ]);
  await choose(page, 'Bob', 'Remove as moderator');
  await named(page, 'Bob', /^Bob$/);
  click(await person(page, 'Bob'));
  await page.click('button', 'Message');
  await page.get('textbox', 'Message to Bob');
});

test("links to the page's profile URL, or to no profile if the URL is a script or insecure", async () => {
  await room('profiles');
  for (const [own, shown] of [
    ['https://people.example/{id}?from=chat', [`https://people.example/${bob.id}?from=chat`]],
    ['javascript:alert(1)', []],
    ['http://people.example/{id}', []],
  ] as const) {
    const page = await enter(alice, 'profiles', { attributes: { 'profile-url': own } });
    click(await person(page, 'Bob'));
    await page.get('button', 'Message');
    const links = page.all('link', 'Profile').map((link) => link.getAttribute('href'));
    expect(links).toEqual(shown);
  }
});

test("shows the site's avatars and does not request a missing avatar again", async () => {
  const id = await room('portraits');
  for (const author of [bob, carol]) await say(author, id, 'hello');
  const page = await enter(alice, 'portraits', {
    attributes: { 'avatar-url': 'https://site.example/{id}.jpg' },
  });
  const pictures = (page: ChatPage) => [
    ...page.timeline.querySelectorAll<HTMLImageElement>('.group > .avatar img'),
  ];
  const shown = (page: ChatPage, ...of: Person[]) =>
    until(() =>
      expect(pictures(page).map(({ src }) => src)).toEqual(
        of.map((who) => `https://site.example/${who.id}.jpg`),
      ),
    );
  await shown(page, bob, carol);
  pictures(page)[1]?.dispatchEvent(new page.window.Event('load'));
  expect(pictures(page).map(({ className }) => className)).toEqual(['', 'there']);
  pictures(page)[0]?.dispatchEvent(new page.window.Event('error'));
  await shown(page, carol);
  await shown(await page.reload(), carol);
});

test("opens a user's card from a name or mention in the timeline", async () => {
  const id = await room('cards');
  await say(carol, id, 'Hi @Bob', { mentions: [{ user: bob.id, start: 3, length: 4 }] });
  const page = await enter(alice, 'cards');
  page.wire.answers.set('user:about', refused);
  await page.message('Hi @Bob');
  await page.click('button', 'Carol', page.timeline);
  const card = await page.get('dialog', 'Carol');
  await page.get('button', 'Try again', card);
  page.wire.answers.clear();
  await page.click('button', 'Try again', card);
  await page.sees('Here now', card);
  await page.click('menuitem', 'Report', card);
  await page.get('dialog', 'Report this message');
  page.press('Escape');
  await page.gone('dialog');
  await page.click('button', '@Bob', page.timeline);
  await page.click('button', 'Mention', await page.get('dialog', 'Bob'));
  await until(() => expect(field(page)?.value).toBe('@Bob '));
});

test('does not offer users to mention themselves', async () => {
  await room('mirror');
  const page = await enter(alice, 'mirror');
  click(await person(page, 'Alice'));
  const card = await page.get('dialog', 'Alice');
  await until(() => expect([...card.querySelectorAll('.quick > *')].map(textOf)).toEqual(['Profile']));
});

test('shows the author a moderator’s reason for deleting a message', async () => {
  const id = await room('moderated');
  const page = await enter(bob, 'moderated');
  await page.write('buy my watches');
  const message = await page.message('buy my watches');
  await until(() => expect(message.getAttribute('aria-posinset')).toBe('1'));
  await alice.request('message:delete', { room: id, seq: 1, reason: 'no advertising' });
  await page.sees('A moderator deleted your message in moderated: no advertising');
  // The site may push its own data under the same name.
  for (const data of [null, { room: id }, { room: id, reason: 'another' }])
    await site.api('POST', `/users/${bob.id}/push`, { name: 'deleted', data });
  await page.sees('A moderator deleted your message in moderated: another');
});

test('loads members who never connected by page, and finds them by name', async () => {
  const id = await room('assembly');
  const add = Array.from({ length: 60 }, (_, n) => ({
    id: `m${n}`,
    name: `Member ${String(n).padStart(3, '0')}`,
  }));
  await site.api('PATCH', `/rooms/${id}/members`, { add });
  // An open page would receive the members as events.
  await until(() => expect(JSON.stringify(alice.events)).toContain('Member 059'));
  const page = await enter(alice, 'assembly');
  await page.people();
  await page.get('heading', 'Others 60');
  await page.sees('and 10 more');
  await page.fill('searchbox', 'Find a person', 'member 04');
  const list = await page.people();
  await until(() =>
    expect([...list.querySelectorAll('.person bdi')].map(textOf)).toEqual(
      Array.from({ length: 10 }, (_, n) => `Member 04${n}`),
    ),
  );
  await page.fill('searchbox', 'Find a person', 'zzz');
  await page.sees('Nothing found', list);
  page.press('Escape');
  await person(page, 'Alice');
});

test('shows no user as online while the connection is lost', async () => {
  await room('watch');
  const page = await enter(alice, 'watch');
  await page.people();
  await named(page, 'Alice', /owner/);
  page.online(false);
  await page.get('heading', /^Last seen here/);
  await page.get('button', 'Here now: –');
  expect(nameOf(await person(page, 'Alice'))).toMatch(/owner/);
  page.online(true);
  await page.get('heading', 'Here now 3');
});

test('mutes a member with a reason until the mute is lifted, undone or expires', async () => {
  const id = await room('muted');
  const page = await enter(alice, 'muted');
  const bobs = await enter(bob, 'muted');
  await bobs.fill('textbox', /^Message to/, 'a draft');
  await choose(page, 'Bob', 'Mute…');
  const mute = await page.get('dialog', 'Mute Bob');
  await page.sees('Bob will be able to read muted, but not write in it.', mute);
  expect((await page.get('button', '1 day', mute)).getAttribute('aria-pressed')).toBe('true');
  await page.fill('textbox', /^Reason, shown to Bob/, 'No advertising', mute);
  page.press('Enter');
  await page.gone('dialog');
  await named(page, 'Bob', until24h('^Bob ?muted '));
  await note(bobs, new RegExp(`^You can write again ${in24Hours}, .* “No advertising”`));
  expect(field(bobs)).toBeNull();
  await bobs.click('button', 'Ask a moderator');
  await bobs.get('menuitem');
  // Carol is not a moderator.
  expect(bobs.all('menuitem').map(textOf)).toEqual(['Alice']);
  await bobs.click('menuitem', 'Alice');
  await bobs.get('textbox', 'Message to Alice');
  await bobs.open('muted');
  await choose(page, 'Bob', 'Mute…');
  await page.sees(until24h('muted ', '.* · by Alice “No advertising”'), await page.get('dialog', 'Mute Bob'));
  await page.click('button', 'Unmute');
  await until(() => expect(field(bobs)?.value).toBe('a draft'));
  await choose(page, 'Bob', 'Mute…');
  await page.click('button', 'Mute', await page.get('dialog', 'Mute Bob'));
  await note(bobs, /^You can write again/);
  await page.click('button', 'Undo');
  await until(() => expect(field(bobs)?.value).toBe('a draft'));
  await alice.request('room:mute', { room: id, user: bob.id, seconds: 1, reason: 'Again' });
  await note(bobs, /Again/);
  await until(() => expect(field(bobs)?.value).toBe('a draft'));
});

test('shows a banned user the end and the reason of the ban instead of the room', async () => {
  const id = await room('strict');
  const page = await enter(alice, 'strict');
  const bobs = await enter(bob, 'strict');
  await choose(page, 'Bob', 'Ban…');
  const ban = await page.get('dialog', 'Ban Bob');
  await page.fill('textbox', /^Reason, shown to Bob/, 'Enough is enough', ban);
  await page.click('button', 'Ban', ban);
  await bobs.sees(
    new RegExp(`You’re banned from strict\\s*Until ${in24Hours}, .*\\.\\s*Reason: Enough is enough`),
  );
  await bobs.get('button', 'Back to rooms', bobs.root.querySelector('.empty') as Element);
  await page.get('heading', 'Banned 1', await page.people());
  await named(page, 'Bob', until24h('^Bob ?banned '));
  await page.click('button', 'Room menu');
  await page.click('menuitem', 'Room settings');
  await page.click('button', 'Muted and banned');
  const restricted = await page.get('dialog', 'Muted and banned');
  await page.sees(until24h('Bob ?banned ', '.* · by Alice ?Enough is enough'), restricted);
  await page.click('button', 'Lift ban', restricted);
  await page.sees('Nobody is muted or banned', restricted);
  await bobs.get('textbox', 'Message to strict');
  await page.click('button', 'Close', restricted);
  // Another ban, which the moderator lifts in the list of members.
  await alice.request('room:ban', { room: id, user: bob.id });
  const details = await page.get('complementary', 'Details');
  await page.click('tab', /^People/, details);
  await page.click('button', /^Bob ?banned for good$/, details);
  expect(page.all('menuitem', 'Ban…')).toEqual([]);
  await page.click('menuitem', 'Lift ban');
  await bobs.get('textbox', 'Message to strict');
});

test('reports a message to the moderators, who find and close the report', async () => {
  const id = await room('reported');
  await say(carol, id, 'Cheap watches!!!');
  await say(carol, id, 'Buy now');
  const page = await enter(alice, 'reported');
  const bobs = await enter(bob, 'reported');
  (await bobs.message('Cheap watches!!!')).focus();
  bobs.press('Enter');
  await bobs.click('menuitem', 'Report message');
  const report = await bobs.get('dialog', 'Report this message');
  const button = (await bobs.get('button', 'Report', report)) as HTMLButtonElement;
  // No reason is preselected, so the report cannot be sent yet.
  expect(button.disabled || button.getAttribute('aria-disabled') === 'true').toBe(true);
  await bobs.click('radio', /^Insult or threat/, report);
  await bobs.fill('textbox', /^Note for the moderators/, 'Again.', report);
  await bobs.click('button', 'Report', report);
  await bobs.sees('Reported. Thank you.');
  await row(page, /^reported.*, 1 open report\b/);
  await page.click('button', 'Room menu');
  await page.click('menuitem', 'Reports · 1');
  const reports = await page.get('dialog', 'Reports');
  await page.sees(/Carol.*Cheap watches.*Insult or threat.*Bob/, reports);
  // The open dialog also shows new reports.
  await bob.request('message:report', { room: id, seq: 2, reason: 'spam' });
  await until(() => expect(page.all('button', 'Resolve', reports)).toHaveLength(2));
  click(page.all('button', 'Resolve', reports)[0] as HTMLElement);
  await until(() => expect(page.all('button', 'Resolve', reports)).toHaveLength(1));
  await page.click('button', 'Show', reports);
  await until(async () => expect(page.focused).toBe(await page.message('Cheap watches!!!')));
  await page.click('button', 'Room menu');
  await page.click('menuitem', /^Reports/);
  await page.click('button', 'Mute…', await page.get('dialog', 'Reports'));
  await page.click('button', 'Cancel', await page.get('dialog', 'Mute Carol'));
  await page.click('button', 'Delete message');
  await page.sees('No open reports');
  await page.click('button', 'Close reports');
  await until(async () => expect(nameOf(await row(page, /^reported/))).not.toContain('open report'));
  await bobs.sees('Deleted by a moderator');
});

test('reveals a block to the blocked user only by direct messages that fail', async () => {
  const dora = await site.person({ firstname: 'Dora' });
  const erin = await site.person({ firstname: 'Erin' });
  const { room: direct } = await erin.request('direct:open', { user: dora.id });
  await erin.request('room:join', { room: direct.id });
  await say(erin, direct.id, 'Good morning');
  await erin.request('user:block', { user: dora.id, blocked: true });
  const page = await enter(dora, 'Erin');
  const message = await page.message('Good morning');
  // Only the header names the peer.
  expect(nameOf(message)).toMatch(/^Erin, \d/);
  expect(page.timeline.querySelector('.by-name, .group > .avatar')).toBeNull();
  await page.write('Are you there?');
  await page.sees('You cannot write to Erin here.');
  await page.get('button', 'Discard');
  expect(page.all('button', 'Retry')).toEqual([]);
});

test('prevents writing to a blocked user, whose messages do not count as unread', async () => {
  const [dora, erin, fred] = (await Promise.all(
    ['Dora', 'Erin', 'Fred'].map((firstname) => site.person({ firstname })),
  )) as [Person, Person, Person];
  const { id } = await site.den(erin, [dora, fred], { name: 'noisy' });
  for (const member of [erin, fred]) await member.request('room:join', { room: id });
  const { room: direct } = await erin.request('direct:open', { user: dora.id });
  await erin.request('room:join', { room: direct.id });
  await say(erin, direct.id, 'Hello Dora');
  const page = await enter(dora, 'Erin');
  await page.click('button', 'Room menu');
  await page.click('menuitem', 'Block Erin');
  await page.click('button', 'Block Erin', await page.get('alertdialog', 'Block Erin?'));
  await note(page, /^You blocked Erin\.\s*Unblock$/);
  await page.open('lobby');
  await say(erin, id, 'one');
  await until(async () =>
    expect(textOf(await row(page, /^noisy/))).toContain('1 message from someone you blocked'),
  );
  await until(async () => expect(nameOf(await row(page, /^noisy/))).not.toContain('unread'));
  await say(fred, id, 'Quiet, please');
  await row(page, /^noisy.*, 1 unread/);
  expect(page.window.document.title).toMatch(/^\(1\)/);
  await page.open('Erin');
  await page.click('button', 'Unblock');
  await page.get('textbox', 'Message to Erin');
});

test('hides messages of a blocked user behind one line that shows them on request', async () => {
  const id = await room('blocked');
  const page = await enter(bob, 'blocked');
  await say(carol, id, 'one');
  await page.message('one');
  await choose(page, 'Carol', 'Block Carol');
  await page.click('button', 'Block Carol', await page.get('alertdialog', 'Block Carol?'));
  await page.sees('1 message from someone you blocked', page.timeline);
  await say(carol, id, 'two');
  await page.sees('2 messages from someone you blocked', page.timeline);
  expect(page.texts).toEqual([]);
  // The messages are not announced, quoted or found.
  expect(page.all('status').map(textOf).join()).not.toContain('Carol:');
  await say(alice, id, 'Not so.', { replyTo: 2 });
  await page.message('Not so.');
  expect(textOf(page.timeline.querySelector('.quote'))).toContain('1 message from someone you blocked');
  await page.click('button', 'Search in this room');
  await page.fill('searchbox', 'Search messages', 'two');
  await until(() =>
    expect([...page.root.querySelectorAll('.hit')].map(textOf)).toEqual([
      expect.stringMatching(/Carol.*1 message from someone you blocked$/),
    ]),
  );
  page.press('Escape');
  // Otherwise the line for new messages may appear between the two.
  await until(() =>
    expect(eventsOf(bob, 'read:changed')).toContainEqual(expect.objectContaining({ room: id, seq: 3 })),
  );
  const again = await page.reload();
  await again.sees('2 messages from someone you blocked', again.timeline);
  await again.click('button', 'Show', again.timeline);
  await until(() => expect(again.texts).toEqual(['one', 'two', 'Not so.']));
  await choose(again, 'Carol', 'Unblock Carol');
  const third = await again.reload();
  await until(() => expect(third.texts).toEqual(['one', 'two', 'Not so.']));
});

test('names the author of an erased user’s message “deleted user” in the reader’s language', async () => {
  const id = await room('erased');
  const page = await enter(alice, 'erased', { attributes: { lang: 'de' }, connected: false });
  const body = { user: { id: 'gone-soon', name: 'Zoe Gone' }, text: 'I was here.', clientId: 'erased-1' };
  expect((await site.api('POST', `/rooms/${id}/messages`, body)).status).toBe(201);
  await page.message('I was here.');
  await page.sees('Zoe Gone', page.timeline);
  (await page.message('I was here.')).focus();
  page.press('r');
  await page.drawn();
  expect((await site.api('DELETE', '/users/gone-soon')).status).toBe(202);
  await until(() => expect(textOf(page.root)).not.toContain('Zoe Gone'));
  await page.sees('Gelöschter Nutzer', page.timeline);
  expect(page.texts).toEqual(['I was here.']);
  await until(() =>
    expect(JSON.stringify({ ...page.window.localStorage })).not.toMatch(/Zoe Gone|gone-soon/),
  );
});

againInSoak('shows a pending message only to moderators and its author', async () => {
  const held = await startPeopleSite({ CHAT_HOLD: 'first', CHAT_ROOMS: 'lobby' });
  const [writer, reader, boss] = (await Promise.all([
    held.person({ firstname: 'Carol' }),
    held.person({ firstname: 'Dimitri' }),
    held.person({ firstname: 'Bob', roles: ['moderator'] }),
  ])) as [Person, Person, Person];
  const [mine, others, his] = (await Promise.all(
    [writer, reader, boss].map(async ({ cookie }) => {
      const page = await openPage(held.chat.url, cookie);
      await page.open('lobby');
      return page;
    }),
  )) as [ChatPage, ChatPage, ChatPage];
  await mine.write('May I bring my dog?');
  await mine.write('Forty pallets, cheap');
  for (const page of [mine, his])
    await until(() =>
      expect(page.messages.map(textOf)).toEqual([
        expect.stringMatching(/May I bring my dog\?.*Waiting for a moderator/),
        expect.stringMatching(/Forty pallets, cheap.*Waiting for a moderator/),
      ]),
    );
  expect(others.messages).toEqual([]);
  (mine.messages[0] as HTMLElement).focus();
  mine.press('Enter');
  await until(() =>
    expect(mine.all('menuitem').map(textOf)).toEqual([
      expect.stringMatching(/^Copy text/),
      expect.stringMatching(/^Edit/),
      expect.stringMatching(/^Discard/),
    ]),
  );
  mine.press('Escape');
  await his.click('button', 'Reject…', await his.message('Forty pallets, cheap'));
  const dialog = await his.get('dialog', 'Reject');
  await his.fill('textbox', /^Reason, shown to Carol/, 'No advertising', dialog);
  await his.click('button', 'Reject', dialog);
  await his.gone('dialog');
  await his.click('button', 'Approve', await his.message('May I bring my dog?'));
  await others.message('May I bring my dog?');
  await mine.sees('Not approved: “No advertising”');
  const again = await mine.reload();
  await again.click('button', 'Edit', await again.message('Forty pallets, cheap'));
  await until(() => expect(field(again)?.value).toBe('Forty pallets, cheap'));
  await again.gone('button', 'Edit');
  expect((await writer.request('held:list', { mine: true })).held).toEqual([]);
  await held.close();
});
