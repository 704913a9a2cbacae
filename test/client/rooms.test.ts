import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { size } from '../guarantees/size.ts';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, click, nameOf, openPage, refused, textOf, type, until } from './open-page.ts';

let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({
    CHAT_CREATE_ROOMS: 'all',
    CHAT_FIND_PEOPLE: 'all',
    CHAT_ROOMS: 'lobby',
  });
});
afterAll(() => site.close());

/** Two new users, so that tests do not share state. */
async function two(): Promise<{ alice: Person; bob: Person }> {
  const [alice, bob] = await Promise.all(['Alice', 'Bob'].map((firstname) => site.person({ firstname })));
  return { alice, bob } as { alice: Person; bob: Person };
}
/** Creates a private room and joins it with the owner and all members. */
async function den(owner: Person, members: Person[], over: object): Promise<string> {
  const { id } = await site.den(owner, members, over);
  for (const person of [owner, ...members]) await person.request('room:join', { room: id });
  return id;
}
type Loss = { alice: Person; bob: Person; id: string };
const open = (person: Person, options = {}) => openPage(site.chat.url, person.cookie, options);
const list = (page: ChatPage) => page.root.querySelector('nav') as HTMLElement;
const row = (page: ChatPage, name: RegExp) => page.get('button', name, list(page));
const order = (page: ChatPage) => [...list(page).querySelectorAll('.room.two .name bdi')].map(textOf);
const field = (page: ChatPage) => page.root.querySelector('textarea') as HTMLTextAreaElement;
async function choose(page: ChatPage, button: string, item: RegExp | string): Promise<void> {
  await page.click('button', button);
  await page.click('menuitem', item);
}

describe('the list of rooms', () => {
  test('shows the last message with author and time, newest room first', async () => {
    const { alice, bob } = await two();
    const fir = await den(bob, [alice], { name: 'fir' });
    const oak = await den(bob, [alice], { name: 'oak' });
    await say(bob, fir, 'under the **fir**');
    await say(bob, oak, 'under the oak');
    const page = await open(alice);
    await until(() => expect(order(page).slice(0, 2)).toEqual(['oak', 'fir']));
    await row(page, /^fir ?, private, 1 unread \d\d:\d\d Bob ?: under the fir$/);
    // The order does not change while the list has the focus.
    (await row(page, /^oak/)).focus();
    await say(bob, fir, 'and again');
    await row(page, /^fir.*Bob ?: and again$/);
    expect(order(page).slice(0, 2)).toEqual(['oak', 'fir']);
    await page.open('oak');
    await page.write('my own words');
    await row(page, /^oak.*You ?: my own words$/);
  });

  test('replaces "Today" at midnight', async () => {
    const { alice } = await two();
    await den(alice, [], { name: 'elm' });
    const page = await open(alice);
    await page.open('elm');
    await page.write('good night');
    const sentAt = await until(() => {
      const [time] = page.timeline.querySelectorAll('time');
      return Date.parse(time?.dateTime as string);
    });
    const midnight = new Date(sentAt).setHours(24, 0, 0, 0);
    page.setClock(midnight - 500);
    await page.get('separator', 'Yesterday', page.timeline);
    await row(page, /^elm.*Yesterday/);
  });

  test('finds a room by any part of its name, ignoring case and accents', async () => {
    const { alice } = await two();
    const names = ['Café Zürich', 'Zubringer', ...Array.from({ length: 19 }, (_, n) => `plot ${n}`)];
    for (const [n, name] of names.entries()) {
      await site.api('PUT', `/rooms/many-${n}`, { name, kind: 'private' });
      await site.api('PATCH', `/rooms/many-${n}/members`, { add: [alice.id] });
    }
    const page = await open(alice);
    const find = (await page.get('searchbox', 'Room or person')) as HTMLInputElement;
    find.focus();
    type(find, 'xylo');
    await page.sees('No room or person matches “xylo”.');
    page.press('Escape');
    expect(find.value).toBe('');
    type(find, 'ZUR');
    await until(() =>
      expect(page.all('button', /^(Café|Zub|plot)/, list(page)).map(nameOf)).toEqual([
        expect.stringMatching(/^Café/),
      ]),
    );
    type(find, 'cafe');
    page.press('Enter');
    await page.get('region', 'Café Zürich');
    expect(find.value).toBe('');
    page.press('K', { ctrlKey: true }, page.root.querySelector('.app'));
    const field = (await page.get('combobox', 'Room or person')) as HTMLInputElement;
    type(field, 'zu');
    // Names that begin with the text come first.
    await until(() => expect(page.all('option').map(nameOf)).toEqual(['Zubringer']));
    page.press('Enter');
    await page.get('region', 'Zubringer');
    page.press('K', { ctrlKey: true }, page.root.querySelector('.app'));
    type((await page.get('combobox', 'Room or person')) as HTMLInputElement, 'plot 1');
    // The whole name comes before longer names.
    await until(() => expect(nameOf(page.all('option')[0] as Element)).toBe('plot 1'));
    page.press('Escape');
  });

  test('shows the unread count in the title, an event and the back button, without muted rooms', async () => {
    const { alice, bob } = await two();
    const loud = await den(bob, [alice], { name: 'loud' });
    const muted = await den(bob, [alice], { name: 'muted' });
    const page = await open(alice, { width: 360 });
    page.window.document.title = '(500) Days';
    const counts: number[] = [];
    page.element.addEventListener('php-chat:unread', (event) =>
      counts.push((event as CustomEvent<{ count: number }>).detail.count),
    );
    await page.click('button', /^Back to rooms/);
    await page.open('muted');
    await choose(page, 'Room menu', 'Turn notifications off');
    await page.click('menuitem', 'Until I turn them on');
    await page.click('button', /^Back to rooms/);
    await row(page, /^muted ?, private, notifications off/);
    await page.open('lobby');
    await say(bob, muted, 'Gloves, please');
    for (const text of ['one', 'two']) await say(bob, loud, text);
    await page.get('button', 'Back to rooms, 2 unread');
    expect(page.window.document.title).toBe('(2) (500) Days');
    await page.click('button', 'Back to rooms, 2 unread');
    await row(page, /^muted ?, private, 1 unread, notifications off/);
    await page.open('loud');
    await until(() => expect(page.window.document.title).toBe('(500) Days'));
    expect(counts.at(-1)).toBe(0);
    expect(Math.max(...counts)).toBe(2);
  });

  test('shows favourites first in the user’s order, and archived rooms in a section below', async () => {
    const { alice, bob } = await two();
    const fir = await den(bob, [alice], { name: 'fir' });
    for (const name of ['oak', 'elm', 'yew']) await say(bob, await den(bob, [alice], { name }), name);
    const page = await open(alice);
    for (const name of ['fir', 'oak']) {
      await page.open(name);
      await choose(page, 'Room menu', 'Add to favourites');
      await row(page, new RegExp(`^${name} ?, private, favourite`));
    }
    await until(() => expect(order(page)).toEqual(['fir', 'oak', 'yew', 'elm', 'lobby']));
    await choose(page, 'Room menu', 'Move up');
    await until(() => expect(order(page)).toEqual(['oak', 'fir', 'yew', 'elm', 'lobby']));
    await page.open('fir');
    await choose(page, 'Room menu', 'Archive');
    const archive = await page.get('button', 'Archived', list(page));
    expect(archive.getAttribute('aria-expanded')).toBe('false');
    // The open room stays visible.
    await row(page, /^fir/);
    await page.open('yew');
    await until(() => expect(page.all('button', /^fir/, list(page))).toEqual([]));
    await page.click('button', 'Archived', list(page));
    await row(page, /^fir/);
    expect(order(page)).toEqual(['oak', 'yew', 'elm', 'lobby', 'fir']);
    // The rows keep their order while the focus is in the list.
    field(page).focus();
    await say(bob, fir, '@A', { mentions: [{ user: alice.id, start: 0, length: 2 }] });
    await until(() => expect(page.all('button', /^Archived/, list(page))).toEqual([]));
    expect(order(page)).toEqual(['oak', 'fir', 'yew', 'elm', 'lobby']);
  });

  test('sorts more than 12 rooms into sections that fold, except for the open room', async () => {
    const { alice, bob } = await two();
    const made: string[] = [];
    for (let n = 1; n <= 11; n++) made.push(await den(bob, [alice], { name: `plot ${n}` }));
    const page = await open(alice);
    const shown = () => page.all('button', /^(plot|lobby|Bob)/, list(page)).map((one) => one.dataset.key);
    await page.open('lobby');
    await until(() => expect(shown()).toHaveLength(12));
    expect(page.all('button', /^(People|Rooms)/, list(page))).toEqual([]);
    const { room } = await bob.request('direct:open', { user: alice.id });
    await bob.request('room:join', { room: room.id });
    await say(bob, room.id, 'a word to you');
    const people = await page.get('button', 'People', list(page));
    const rooms = await page.get('button', 'Rooms', list(page));
    expect([people, rooms].map((one) => one.getAttribute('aria-expanded'))).toEqual(['true', 'true']);
    click(people);
    await until(() => expect(shown()).not.toContain(room.id));
    await page.get('button', /^People ?, 1 unread$/, list(page));
    click(rooms);
    await until(() => expect(shown()).toEqual(['lobby']));
    // The keys that open the next room skip folded rooms.
    page.press('ArrowUp', { altKey: true });
    await page.get('region', 'lobby');
    // The browser remembers it. A room that is opened appears, and disappears when another is opened.
    const again = await page.reload();
    const shownAgain = () =>
      again.all('button', /^(plot|lobby|Bob)/, list(again)).map((one) => one.dataset.key);
    await until(() => expect(shownAgain()).toEqual(['lobby']));
    again.press('K', { ctrlKey: true }, again.root.querySelector('.app'));
    type((await again.get('combobox', 'Room or person')) as HTMLInputElement, 'plot 11');
    await until(() => expect(nameOf(again.all('option')[0] as Element)).toBe('plot 11'));
    again.press('Enter');
    await until(() => expect(shownAgain()).toEqual([made[10]]));
    await again.click('button', 'Rooms', list(again));
    await until(() => expect(shownAgain()).toHaveLength(12));
  });

  againInSoak('turns the notifications of a room off for a time', async () => {
    const { alice, bob } = await two();
    await den(bob, [alice], { name: 'fir' });
    const page = await open(alice);
    await page.open('fir');
    await choose(page, 'Room menu', 'Turn notifications off');
    await page.click('menuitem', 'For 8 hours');
    await row(page, /^fir ?, private, notifications off/);
    const { rooms } = await alice.request('room:list', {});
    expect(rooms[0]).toMatchObject({ name: 'fir', notify: 'all', quietForMs: expect.any(Number) });
    await choose(page, 'Room menu', 'Turn notifications on');
    await row(page, /^fir ?, private No messages/);
  });

  // `open` of the page clicks it in most tests, and an address leads to such a room.
  againInSoak('opens a public room for reading, and joins it after a click on Join', async () => {
    const { alice } = await two();
    await site.api('PUT', '/rooms/bees', { name: 'bee keeping', kind: 'public' });
    const page = await open(alice);
    click(await row(page, /^bee keeping ?, not joined$/));
    await page.sees('You can read this room.');
    expect((await row(page, /^bee keeping ?, not joined$/)).getAttribute('aria-current')).toBe('true');
    await page.click('button', 'Join');
    await row(page, /^bee keeping No messages yet$/);
    await page.get('textbox', 'Message to bee keeping');
  });

  test('marks a room as new until the user opens it, even after a reload', async () => {
    const { alice, bob } = await two();
    const page = await open(bob);
    await page.open('lobby');
    await den(alice, [bob], { name: 'shed' });
    await page.sees('You are now a member of shed.');
    await row(page, /^shed ?, private, New No messages yet$/);
    const again = await page.reload();
    await row(again, /^shed ?, private, New/);
    await again.open('shed');
    await row(again, /^shed ?, private No messages yet$/);
    const third = await again.reload();
    await row(third, /^shed ?, private No messages yet$/);
  });

  // With a public room that the user has not joined, the list needs a second request.
  test.each(size([0, 1], [1]))(
    'marks a room as new if the user was added while offline, with %i other public rooms',
    async (others) => {
      const own = await startPeopleSite({ CHAT_CREATE_ROOMS: 'all', CHAT_ROOMS: 'lobby' });
      onTestFinished(() => own.close());
      const [alice, bob] = [await own.person(), await own.person()];
      if (others > 0) await own.api('PUT', '/rooms/others', { name: 'of others', kind: 'public' });
      const page = await openPage(own.chat.url, bob.cookie);
      await page.open('lobby');
      page.online(false);
      await page.sees('You’re offline');
      await own.den(alice, [bob], { name: 'shed' });
      page.online(true);
      await row(page, /^shed ?, private, New No messages yet$/);
    },
  );

  test('shows a notice and focuses the next room when the focused room is deleted', async () => {
    const { alice, bob } = await two();
    const made: string[] = [];
    for (const name of ['elm', 'ash', 'yew']) made.push(await den(bob, [alice], { name }));
    for (const id of made) await say(bob, id, 'a word');
    const page = await open(alice);
    await until(() => expect(order(page)[0]).toBe('yew'));
    // Notices come from code that is loaded late, like this button.
    await page.get('button', 'Emoji');
    (await row(page, /^ash/)).focus();
    // The notice disappears after six seconds, and a slow machine may need as long for the request.
    await Promise.all([page.sees('ash was deleted.'), bob.request('room:delete', { room: made[1] ?? '' })]);
    await until(() => expect(nameOf(page.focused as HTMLElement)).toMatch(/^elm/));
    page.press('ArrowUp');
    expect(nameOf(page.focused as HTMLElement)).toMatch(/^yew/);
  });

  // The code that shows notices loads after the first messages.
  test.each([
    ['is deleted', 'ash was deleted.', ({ bob, id }: Loss) => bob.request('room:delete', { room: id })],
    ...size<[string, string, (loss: Loss) => Promise<unknown>][]>(
      [
        [
          'loses the user',
          'You’re no longer in ash.',
          ({ alice, bob, id }) => bob.request('room:remove', { room: id, user: alice.id }),
        ],
        [
          'bans the user',
          'You’re banned from ash',
          ({ alice, bob, id }) => bob.request('room:ban', { room: id, user: alice.id, seconds: 3600 }),
        ],
      ],
      [],
    ),
    [
      'has a new member',
      'You are now a member of elm.',
      ({ alice, bob }: Loss) => site.den(bob, [alice], { name: 'elm' }),
    ],
  ] as const)(
    'shows a notice if a room %s before the first messages are shown',
    async (_, notice, happen) => {
      const { alice, bob } = await two();
      const id = await den(bob, [alice], { name: 'ash' });
      const page = await open(alice, { connected: false });
      page.wire.held.add('room:join');
      await page.get('navigation');
      await row(page, /^ash/);
      await happen({ alice, bob, id });
      await (notice.endsWith('elm.') ? row(page, /^elm/) : page.gone('button', /^ash/, list(page)));
      page.wire.held.clear();
      const seen = page.sees(notice);
      page.online(false);
      await page.sees('You’re offline');
      page.online(true);
      await seen;
    },
  );

  test('receives only the changed rooms after a reconnect, and shows all', async () => {
    const { alice, bob } = await two();
    const fir = await den(bob, [alice], { name: 'fir' });
    const oak = await den(bob, [alice], { name: 'oak' });
    await say(bob, fir, 'under the fir');
    await say(bob, oak, 'under the oak');
    const page = await open(alice);
    await row(page, /^oak/);
    page.online(false);
    await page.sees('You’re offline');
    await say(bob, fir, 'and again');
    page.online(true);
    await row(page, /^fir.*and again$/);
    await row(page, /^oak.*under the oak$/);
    const [first, second] = page.wire.heard.filter((packet) => packet.startsWith('42["session:ready"'));
    expect(first).toContain('under the oak');
    expect(second).toContain('and again');
    expect(second).not.toContain('under the oak');
  });

  test('shows a notice if the user was removed from a public room while offline', async () => {
    const { alice, bob } = await two();
    await site.api('PUT', '/rooms/fen', { name: 'the fen', kind: 'public' });
    await site.api('PATCH', '/rooms/fen/members', { add: [alice.id, bob.id] });
    const page = await open(alice);
    await page.open('lobby');
    await row(page, /^the fen No messages yet$/);
    page.online(false);
    await page.sees('You’re offline');
    await site.api('PATCH', '/rooms/fen/members', { remove: [alice.id] });
    const seen = page.sees('You’re no longer in the fen.');
    page.online(true);
    await seen;
    await row(page, /^the fen ?, not joined$/);
  });

  test('names a direct room after its peer and shows whether the peer is online', async () => {
    const { alice, bob } = await two();
    const page = await open(alice);
    await choose(page, 'New room or message', 'Message someone');
    const dialog = await page.get('dialog', 'Message someone');
    const to = await page.get('combobox', 'To', dialog);
    expect(page.focused).toBe(to);
    type(to as HTMLInputElement, bob.id);
    await page.get('option', /Bob/);
    page.press('Enter');
    await page.gone('dialog');
    await page.write('a word to you');
    const bobs = await open(bob);
    await row(bobs, /^Alice ?, Direct messages, here now, 1 unread \d\d:\d\d a word to you$/);
    await row(page, /^Bob ?, Direct messages, here now/);
    bobs.element.remove();
    bob.close();
    await page.sees(/Last here (?:today|yesterday), \d/);
  });
});

describe('leaving', () => {
  test('requires a confirmation, as does the removal of a member', async () => {
    const { alice, bob } = await two();
    await den(alice, [bob], { name: 'shed' });
    const page = await open(alice);
    const bobs = await open(bob);
    for (const view of [page, bobs]) await view.open('shed');
    await choose(bobs, 'Room menu', 'Leave room');
    await bobs.get('alertdialog', 'Leave shed?');
    expect(textOf(bobs.focused)).toBe('Stay');
    bobs.press('Escape');
    await bobs.gone('alertdialog');
    await page.click('button', /^Bob/, await page.people());
    await page.click('menuitem', 'Remove from room');
    await page.click('button', 'Remove from room', await page.get('alertdialog', 'Remove Bob from shed?'));
    await page.sees('Bob was removed.');
    await bobs.sees('You’re no longer in shed.');
    await bobs.gone('button', /^shed/, list(bobs));
    await choose(page, 'Room menu', 'Leave room');
    await page.click('button', 'Leave room', await page.get('alertdialog'));
    await page.gone('button', /^shed/, list(page));
  });

  againInSoak('closes a menu or dialog for a message of the room', async () => {
    const { alice, bob } = await two();
    const shed = await den(alice, [bob], { name: 'shed' });
    await say(alice, shed, 'what only members know');
    const page = await open(bob);
    const enter = async () => {
      await page.open('shed');
      (await page.message('what only members know')).focus();
      page.press('Enter');
      await page.get('menuitem', /^Forward/);
    };
    const lose = async () => {
      await alice.request('room:remove', { room: shed, user: bob.id });
      await page.gone('button', /^shed/, list(page));
    };
    await enter();
    await lose();
    await page.gone('menu');
    await alice.request('room:invite', { room: shed, users: [bob.id] });
    await enter();
    await page.click('menuitem', /^Forward/);
    await page.get('dialog', 'Forward');
    await lose();
    await until(() => expect(textOf(page.root)).not.toContain('what only members know'));
    await alice.request('room:invite', { room: shed, users: [bob.id] });
    await page.open('shed');
    await choose(page, 'New room or message', 'New room');
    await page.fill('textbox', 'Name', 'a garden');
    await lose();
    expect(((await page.get('textbox', 'Name')) as HTMLInputElement).value).toBe('a garden');
  });

  againInSoak('closes a menu when the page shows another room', async () => {
    const { alice } = await two();
    for (const name of ['garden', 'board']) await den(alice, [], { name });
    const page = await open(alice);
    await page.open('board');
    await page.write('of this board');
    const message = await page.message('of this board');
    await until(() => expect(message.getAttribute('aria-posinset')).toBe('1'));
    message.focus();
    page.press('Enter');
    await page.get('menuitem', /^Reply/);
    (page.element as HTMLElement & { openRoom(id: string): void }).openRoom('lobby');
    await page.get('textbox', 'Message to lobby');
    await page.gone('menu');
  });
});

describe('a new room', () => {
  againInSoak('shows errors at the fields and adds the chosen users', async () => {
    const { alice, bob } = await two();
    const page = await open(alice);
    await choose(page, 'New room or message', 'New room');
    const dialog = await page.get('dialog', 'New room');
    const name = (await page.get('textbox', 'Name', dialog)) as HTMLInputElement;
    expect(page.focused).toBe(name);
    await page.click('button', 'Create room', dialog);
    await page.sees('Please enter a name.');
    type(name, 'x'.repeat(81));
    page.press('Enter');
    await page.sees('Up to 80 characters.');
    await page.click('radio', /^Public/, dialog);
    type(name, 'LOBBY');
    page.press('Enter');
    await page.sees('A room with this name already exists.');
    await page.click('radio', /^Private/, dialog);
    type(name, 'harvest 2026');
    await page.drawn();
    expect(name.getAttribute('aria-invalid')).toBeNull();
    await page.fill('textbox', /^Topic/, 'Picking days', dialog);
    const people = (await page.get('combobox', /Invite/, dialog)) as HTMLInputElement;
    // A name without a match is not used as an ID.
    type(people, 'nobody at all');
    await page.sees('Nobody found.');
    page.press('Enter');
    expect(page.all('button', /^Remove/, dialog)).toEqual([]);
    // Tab waits for names that are still loading.
    type(people, bob.id);
    page.press('Tab');
    await page.get('button', 'Remove Bob', dialog);
    await page.click('button', 'Create room', dialog);
    await page.gone('dialog');
    await page.get('region', 'harvest 2026');
    await page.sees('Picking days');
    await page.get('button', /^Bob/, await page.people());
  });

  test('is requested again with the same payload after a cancelled attempt', async () => {
    const { alice } = await two();
    const page = await open(alice);
    await choose(page, 'New room or message', 'New room');
    page.press('Escape');
    await page.gone('dialog');
    expect(nameOf(page.focused as HTMLElement)).toBe('New room or message');
    await choose(page, 'New room or message', 'New room');
    await page.fill('textbox', 'Name', 'compost heap');
    await page.drawn();
    page.press('Escape');
    await page.drawn();
    await page.get('dialog', 'New room');
    page.wire.held.add('room:create');
    page.press('Enter');
    const busy = await page.get('button', 'Creating…');
    expect(busy.getAttribute('aria-disabled')).toBe('true');
    await page.click('button', 'Cancel', await page.get('dialog'));
    page.wire.held.clear();
    await page.click('button', 'Create room');
    await page.get('region', 'compost heap');
    const requests = page.wire.sent.filter(([name]) => name === 'room:create').map(([, payload]) => payload);
    expect(requests).toHaveLength(2);
    expect(requests[1]).toEqual(requests[0]);
  });

  test('is not offered in an empty list if the user cannot create rooms', async () => {
    const bare = await startPeopleSite({
      CHAT_CREATE_ROOMS: 'none',
      CHAT_DIRECT: 'off',
      CHAT_ROOMS: 'lobby',
    });
    await bare.api('DELETE', '/rooms/lobby');
    const person = await bare.person();
    const page = await openPage(bare.chat.url, person.cookie);
    await page.sees('No rooms yet');
    await page.sees('A room appears here when you are invited.');
    await bare.close();
  });
});

againInSoak('shows an admin how to embed a new chat until the admin hides it', async () => {
  const first = await startPeopleSite({ CHAT_ROOMS: 'lobby' });
  const owner = await first.person({ roles: ['admin'] });
  const member = await first.person();
  const attributes = { 'login-url': 'https://shop.example/login' };
  const page = await openPage(first.chat.url, owner.cookie, { attributes });
  await page.sees('CHAT_ORIGINS=https://shop.example');
  await page.sees(`<script type="module" src="${first.chat.url}/php-chat.js"></script>`);
  // The server names a site that CHAT_ORIGINS lists.
  const listed = { ...attributes, 'site-url': 'https://shop.example' };
  const embedding = await openPage(first.chat.url, owner.cookie, { attributes: listed });
  await embedding.sees('Two lines in your pages bring it to your site.');
  expect(textOf(await embedding.get('region', 'Your chat is ready'))).not.toContain('CHAT_ORIGINS');
  const other = await openPage(first.chat.url, member.cookie);
  await other.sees('No messages yet');
  expect(other.all('region', 'Your chat is ready')).toEqual([]);
  await page.click('button', 'Hide', await page.get('region', 'Your chat is ready'));
  await page.gone('region', 'Your chat is ready');
  const again = await page.reload();
  await again.sees('No messages yet');
  expect(again.all('region', 'Your chat is ready')).toEqual([]);
  await first.close();
});

describe('the settings of a room', () => {
  const settings = async (page: ChatPage) => {
    await choose(page, 'Room menu', 'Room settings');
    return page.get('tabpanel', undefined, await page.get('complementary', 'Details'));
  };

  test('let the owner change name and topic, and a member only the notifications', async () => {
    const { alice, bob } = await two();
    await den(alice, [bob], { name: 'spring market' });
    const page = await open(alice);
    const bobs = await open(bob);
    for (const view of [page, bobs]) await view.open('spring market');
    const own = await settings(bobs);
    expect(bobs.all('textbox', undefined, own)).toEqual([]);
    await bobs.click('button', 'Nothing', own);
    await bobs.sees('Saved.');
    await row(bobs, /^spring market ?, private, notifications off/);
    const panel = await settings(page);
    await page.fill('textbox', 'Name', '', panel);
    page.press('Enter');
    await page.sees('Please enter a name.');
    await page.fill('textbox', 'Name', 'autumn market', panel);
    page.press('Enter');
    await page.fill('textbox', /^Topic/, '9 to 14', panel);
    // A topic being typed is saved when the panel closes.
    click(page.all('button', 'Close details')[0] as HTMLElement);
    for (const view of [page, bobs]) {
      await view.get('region', 'autumn market');
      await view.sees('9 to 14');
    }
  });

  test('let the owner transfer ownership or delete the room after a confirmation', async () => {
    const { alice, bob } = await two();
    await den(alice, [bob], { name: 'old market' });
    const page = await open(alice);
    const bobs = await open(bob);
    for (const view of [page, bobs]) await view.open('old market');
    const panel = await settings(page);
    await page.click('button', 'Delete room', panel);
    await page.get('alertdialog', 'Delete old market?');
    expect(textOf(page.focused)).toBe('Keep');
    page.press('Escape');
    await page.click('button', /^Hand over/, panel);
    const whom = (await page.get('combobox', 'New owner')) as HTMLInputElement;
    await until(() => expect(page.all('option').map(nameOf)).toEqual([expect.stringMatching(/Bob$/)]));
    type(whom, 'carol');
    await page.sees('Nobody found.');
    type(whom, 'bo');
    await until(() => expect(page.all('option')).toHaveLength(1));
    page.press('Enter');
    await page.click('button', /^Hand over/, await page.get('alertdialog', 'Hand old market over to Bob?'));
    await page.sees('Bob owns old market now.');
    await page.gone('button', /Hand over|Delete room/);
    const his = await settings(bobs);
    await bobs.click('button', 'Delete room', his);
    await bobs.click('button', 'Delete room', await bobs.get('alertdialog'));
    await page.sees('old market was deleted.');
    await page.gone('button', /^old market/, list(page));
  });

  againInSoak('close the list of possible owners when the room is deleted', async () => {
    const alice = await site.person({ firstname: 'Alice' });
    const admin = await site.person({ firstname: 'Bob', roles: ['admin'] });
    const id = await den(alice, [admin], { name: 'attic' });
    const page = await open(alice);
    await page.open('attic');
    await page.click('button', /^Hand over/, await settings(page));
    await page.get('option', /Bob$/);
    await admin.request('room:delete', { room: id });
    await page.sees('attic was deleted.');
    expect(page.all('dialog')).toEqual([]);
  });

  test('limit who can write, and keep the typed text', async () => {
    const { alice, bob } = await two();
    const id = await den(alice, [bob], { name: 'slow' });
    const page = await open(alice);
    const bobs = await open(bob);
    for (const view of [page, bobs]) await view.open('slow');
    const panel = await settings(page);
    await page.click('switch', 'Only moderators can post', panel);
    await until(() => expect(bobs.all('note').map(textOf)).toEqual(['Only moderators can post']));
    await page.click('switch', 'Only moderators can post', panel);
    await alice.request('room:update', { room: id, slow: 3600 });
    await bobs.get('textbox', /^Message to/);
    await bobs.write('the first');
    await bobs.sees(/Slow mode: you can write again in 3,\d{3} s/);
    await bobs.fill('textbox', /^Message to/, 'the next');
    expect((await bobs.get('button', 'Send')).getAttribute('aria-disabled')).toBe('true');
    bobs.press('Enter');
    expect(field(bobs).value).toBe('the next');
    // A reload does not shorten the wait.
    const again = await bobs.reload();
    await again.sees(/Slow mode: you can write again in 3,\d{3} s/);
    await page.write('quick');
    await page.write('quicker');
    await again.message('quicker');
  });
});

describe('inviting', () => {
  againInSoak('keeps users who cannot be invited in the dialog with the reason', async () => {
    const { alice, bob } = await two();
    const carol = await site.person({ firstname: 'Carol' });
    const dave = await site.person({ firstname: 'Dave' });
    const id = await den(alice, [bob, carol], { name: 'stall' });
    await alice.request('room:remove', { room: id, user: carol.id });
    const page = await open(bob);
    await page.open('stall');
    await choose(page, 'Room menu', 'Invite');
    const dialog = await page.get('dialog', 'Invite to stall');
    const people = (await page.get('combobox', 'People', dialog)) as HTMLInputElement;
    type(people, alice.id);
    const member = await page.get('option', /Alice/);
    expect(member.getAttribute('aria-disabled')).toBe('true');
    for (const { id: userId } of [dave, carol]) {
      type(people, userId);
      page.press('Tab');
      await until(() => expect(people.value).toBe(''));
    }
    await page.click('button', 'Invite 2', dialog);
    await page.sees('Dave was invited. 1 person couldn’t be invited.');
    await page.sees('They left or were removed. Only an owner or moderator can invite them again.');
    expect([...dialog.querySelectorAll('.chip.bad bdi')].map(textOf)).toEqual(['Carol']);
  });

  againInSoak('accepts the ID of an unknown user only from an admin', async () => {
    const admin = await site.person({ firstname: 'Alice', roles: ['admin'] });
    const { bob } = await two();
    const id = await den(admin, [bob], { name: 'greenhouse' });
    for (const inviter of [bob, admin]) {
      const page = await open(inviter);
      await page.open('greenhouse');
      await choose(page, 'Room menu', 'Invite');
      const dialog = await page.get('dialog', 'Invite to greenhouse');
      type((await page.get('combobox', 'People', dialog)) as HTMLInputElement, 'newcomer-7');
      await page.sees('Nobody found.', dialog);
      const offered = page.all('option', undefined, dialog).map(textOf);
      expect(offered).toEqual(
        inviter === bob ? [] : [expect.stringMatching(/newcomer-7.*Use this exact ID/)],
      );
      if (inviter === bob) continue;
      // The text may be a name, so it becomes an ID only if the option is chosen.
      page.press('ArrowDown');
      page.press('Enter');
      await page.click('button', 'Invite', dialog);
      await page.gone('dialog');
    }
    const { members } = await admin.request('room:members', { room: id });
    expect(members.map(({ user }) => user.id)).toContain('newcomer-7');
  });

  test('admits a user who clicks Join on a link until the link is revoked', async () => {
    const { alice } = await two();
    const guest = await site.person({ firstname: 'Guest' });
    const id = await den(alice, [], { name: 'spring market', topic: 'Saturday' });
    const page = await open(alice);
    await page.open('spring market');
    await choose(page, 'Room menu', 'Invite');
    page.wire.answers.set('invite:list', refused);
    await page.click('button', 'Create an invite link');
    const dialog = await page.get('dialog', 'Invite link');
    await page.get('alert', undefined, dialog);
    page.wire.answers.clear();
    // The list is still loading when the link is created.
    page.wire.held.add('invite:list');
    await page.click('button', 'Try again', dialog);
    await page.gone('alert', undefined, dialog);
    await page.click('button', 'Create link', dialog);
    const address = ((await page.get('textbox', 'Invite link', dialog)) as HTMLInputElement).value;
    expect(address).toMatch(new RegExp(`^${site.chat.url}/#join=[\\w-]{32}$`));
    await page.click('button', 'Copy', dialog);
    await page.get('button', 'Copied', dialog);
    expect(page.copied).toEqual([address]);
    await page.click('button', 'New link', dialog);
    const { hash } = new URL(address);
    const attributes = { history: 'hash' };
    // Before the login the page removes the token from its URL.
    const nobody = await openPage(site.chat.url, '', { hash, attributes, connected: false });
    await nobody.get('heading', 'Please log in');
    expect(nobody.window.location.hash).toBe('');
    const guests = await open(guest, { hash, attributes, connected: false });
    await guests.sees('Saturday');
    expect(guests.window.location.href).not.toContain('join');
    await guests.click('button', 'Not now');
    await guests.gone('button', /^spring market/, list(guests));
    const again = await open(guest, { hash, attributes, connected: false });
    await again.click('button', 'Join spring market');
    await again.get('textbox', 'Message to spring market');
    await until(() => expect(again.window.location.hash).toBe(`#m=${id}`));
    await page.click('button', 'Turn off', dialog);
    await page.click('button', 'Turn off', await page.get('alertdialog'));
    const late = await open(await site.person(), { hash, attributes, connected: false });
    await late.get('heading', 'This link no longer works');
    expect(textOf(late.root)).not.toContain('spring market');
  });

  againInSoak('copies an invite link at the start of a private room, and shows who joined', async () => {
    const { alice, bob } = await two();
    const id = await den(alice, [], { name: 'beehive', topic: 'Honey' });
    const page = await open(alice);
    await page.open('beehive');
    await page.sees('This is the start of beehive.');
    await page.sees('Say hello. Everyone in beehive will see it.');
    await page.get('button', 'Alice owner');
    await page.get('button', 'Invite people');
    const copy = () => page.click('button', 'Copy link');
    await copy();
    await until(() => expect(page.copied).toHaveLength(1));
    await copy();
    await until(() => expect(page.copied).toHaveLength(2));
    const [first = '', second] = page.copied;
    expect(second).toBe(first);
    await say(alice, id, 'first');
    await bob.request('invite:accept', { token: new URL(first).hash.replace('#join=', '') });
    await page.sees('Bob joined');
    const timeline = await page.get('log', /beehive/);
    expect(textOf(timeline)).toMatch(/start of beehive.*first.*Bob joined/);

    const { invites } = await alice.request('invite:list', { room: id });
    for (const invite of invites) await alice.request('invite:revoke', { room: id, id: invite.id });
    await copy();
    await until(() => expect(page.copied).toHaveLength(3));
    expect(page.copied[2]).not.toBe(first);
    await alice.request('room:remove', { room: id, user: bob.id });
    await until(() => expect(textOf(timeline)).not.toContain('Bob joined'));
  });

  test('shows an error if an invite link cannot be checked', async () => {
    const { alice, bob } = await two();
    const id = await den(bob, [], { name: 'market' });
    const { token } = await bob.request('invite:create', { room: id, seconds: 3600, uses: 5 });
    const page = await open(alice, { attributes: { history: 'hash' } });
    page.wire.answers.set('invite:look', refused);
    page.go(`#join=${token}`);
    await page.get('heading', 'This didn’t load.');
    page.wire.answers.clear();
    await page.click('button', 'Try again');
    await page.get('button', 'Join market');
  });
});

describe('an address', () => {
  againInSoak('leads to a readable message, and reveals nothing of unreadable rooms', async () => {
    const { alice, bob } = await two();
    await site.api('PUT', '/rooms/garden', { name: 'garden', kind: 'public' });
    await bob.request('room:join', { room: 'garden' });
    for (let n = 1; n <= 3; n++) await say(bob, 'garden', `text ${n}`);
    const secret = await den(bob, [], { name: 'secret' });
    await say(bob, secret, 'nobody knows');
    await say(bob, 'garden', `see ${site.chat.url}/#m=garden/2 and ${site.chat.url}/#m=${secret}/1`);
    const { token } = await bob.request('invite:create', { room: secret });
    await say(bob, 'garden', `join ${site.chat.url}/#join=${token} or stay in ${site.chat.url}/#m=garden`);
    await bob.request('message:delete', { room: 'garden', seq: 3 });
    const page = await open(alice, { hash: '#m=garden/2', attributes: { history: 'hash' } });
    await until(async () => expect(page.focused).toBe(await page.message('text 2')));
    expect(page.window.location.hash).toBe('#m=garden');
    await page.sees('You can read this room.');
    page.press('Enter');
    await page.get('menu');
    expect(page.all('menuitem', /^Reply/)).toEqual([]);
    page.press('Escape');
    // A link shows a room's name only if the reader can read the room.
    await page.get('link', /^#garden, \d/);
    await page.get('link', new RegExp(`#m=${secret}/1$`));
    for (const place of ['garden/3', `${secret}/1`, 'no-such-room/1', 'garden/999']) {
      page.go(`#m=${place}`);
      await page.get('heading', 'You can’t see this message');
      await page.click('button', 'Go to the chat');
      await page.gone('heading', 'You can’t see this message');
    }
    (await page.message('text 2')).focus();
    page.press('l');
    await page.sees('Link copied.');
    expect(page.copied).toEqual([`${site.chat.url}/#m=garden/2`]);
    await page.get('link', '#garden');
    // An invite link opens in the chat that shows it.
    await page.click('link', /#join=/);
    await page.get('button', 'Join secret');
    await page.click('button', 'Not now');
    await page.message('text 2');
  });

  test('replaces an earlier address whose message is still requested', async () => {
    const { alice, bob } = await two();
    const id = await den(bob, [], { name: 'meadow' });
    const { token } = await bob.request('invite:create', { room: id });
    const page = await open(alice, { attributes: { history: 'hash' } });
    await page.open('lobby');
    page.go('#m=no-such-room/1');
    const asked = { room: 'no-such-room', before: 2, limit: 1 };
    await until(() => expect(page.wire.sent).toContainEqual(['message:history', asked]));
    page.go(`#join=${token}`);
    await page.get('button', 'Join meadow');
  });
});

againInSoak('starts despite invalid values in localStorage', async () => {
  const { alice } = await two();
  const page = await open(alice);
  await page.open('lobby');
  const own = ['room', 'left', 'seen', 'portraits', 'draft/lobby', 'tray/lobby', 'picks/lobby', 'out/x'];
  const names = [
    ...own.map((name) => `${alice.id}/${name}`),
    'people',
    'tone',
    'ready',
    'reactions',
    'notifications',
  ];
  const { localStorage } = page.window;
  const message = { clientId: 'another', room: 'lobby', text: 'from nowhere', sentAt: 1 };
  const values = size<unknown[]>(
    [{ text: 5, room: 'lobby', sentAt: 1 }, message, 5, [null], { a: null }],
    [message, [null], { a: null }],
  );
  for (const [n, value] of values.entries()) {
    localStorage.clear();
    for (const name of names)
      localStorage.setItem(
        `php-chat/${encodeURIComponent(`${site.chat.url}/`)}/${name}`,
        JSON.stringify(value),
      );
    const again = await page.reload();
    await again.open('lobby');
    await again.write(`after ${n}`);
    await again.message(`after ${n}`);
    expect(again.texts).not.toContain(message.text);
  }
});
