import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { type JavaClient, type JavaMessage, type JavaRoom, nextJavaClient } from '../helpers/java-client.ts';
import { eventsOf, type PeopleSite, say, startPeopleSite } from '../helpers/people.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({
    CHAT_ROOMS: 'lobby,garden',
    CHAT_CREATE_ROOMS: 'all',
    CHAT_DIRECT: 'on',
    CHAT_FIND_PEOPLE: 'all',
  });
});
let app: JavaClient;
afterEach(() => app.end());
afterAll(() => site.close());

let count = 0;
/** Connects a user with the Java client. Returns the same user on another device. */
async function start(session: object = {}) {
  const also = await site.person(session, `java${count++}`);
  app = nextJavaClient();
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: also.cookie.split('=')[1] });
  await app.ask('chat', { server: site.chat.url });
  await app.ask('start');
  await app.isTold('identity');
  return also;
}
const room = async (id: string) => (await app.ask<JavaRoom[]>('rooms')).find((one) => one.id === id);
const refused = (code: string) => expect.objectContaining({ code });
const shows = (text: string, of = 'lobby') =>
  app.isTold('messages', ({ room, last, unsent }) => room === of && last === text && unsent === 0);

test('an app that opens again loads only the changed rooms of 62', async () => {
  const also = await site.person({}, `java${count++}`);
  for (let n = 0; n < 60; n++) {
    await site.api('PUT', `/rooms/plot-${n}`, {
      name: `Plot ${n}`,
      kind: 'private',
      topic: 'Beds and paths',
    });
    await site.api('PATCH', `/rooms/plot-${n}/members`, { add: [also.id] });
  }
  let bytes = 0;
  const proxy = await startTcpProxy(Number(new URL(site.chat.url).port), (piece, client) => {
    bytes += piece.length;
    client.write(piece);
  });
  app = nextJavaClient();
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: also.cookie.split('=')[1] });
  await app.ask('chat', { server: `http://127.0.0.1:${proxy.port}` });
  const lists = (name: string, from: number) =>
    app.isTold(
      'rooms',
      ({ rooms, upToDate }) => upToDate === true && (rooms as JavaRoom[]).some((room) => room.name === name),
      from,
    );
  await app.ask('start');
  await lists('Plot 7', 0);
  const first = bytes;
  await app.ask('stop');
  await app.isTold('state', ({ kind }) => kind === 'STOPPED');
  await site.api('PUT', '/rooms/plot-7', { name: 'Plot of Anna', kind: 'private' });
  bytes = 0;
  const from = app.told.length;
  await app.ask('start');
  const { rooms } = await lists('Plot of Anna', from);
  expect((rooms as JavaRoom[]).map(({ name }) => name).sort()).toEqual(
    expect.arrayContaining(['lobby', 'Plot 0', 'Plot 59', 'Plot of Anna']),
  );
  expect(rooms).toHaveLength(62);
  expect(bytes).toBeLessThan(first / 5);
  await proxy.close();
  also.close();
});

test('an app replies to, edits, finds and deletes messages', async () => {
  const also = await start();
  await also.request('room:join', { room: 'lobby' });
  await app.ask('open', { room: 'lobby' });
  await app.ask('send', { room: 'lobby', text: 'Zwetschgenkuchen' });
  await shows('Zwetschgenkuchen');
  const [first] = (await app.messages('lobby')) as [JavaMessage];
  await app.ask('send', { room: 'lobby', text: '要一块', replyTo: first.seq });
  await shows('要一块');
  expect((await app.messages('lobby')).at(-1)).toMatchObject({ replyTo: first.seq });

  expect(await app.ask('edit', { room: 'lobby', seq: first.seq, text: 'Apfelkuchen' })).toMatchObject({
    text: 'Apfelkuchen',
    edited: true,
  });
  // The app reports the list of messages after the response.
  const edited = async () => (await app.messages('lobby'))[0];
  await expect.poll(edited).toMatchObject({ text: 'Apfelkuchen', edited: true });
  const marked = { room: 'lobby', seq: first.seq, text: 'Apfelkuchen', important: true };
  expect(await app.ask('edit', marked)).toMatchObject({ text: 'Apfelkuchen', important: true });
  await expect.poll(edited).toMatchObject({ important: true });
  // Without a new mark, it stays.
  expect(await app.ask('edit', { ...marked, important: undefined, text: 'Torte' })).toMatchObject({
    text: 'Torte',
    important: true,
  });
  await expect.poll(edited).toMatchObject({ text: 'Torte' });
  expect(await app.ask('edit', { ...marked, important: false })).not.toHaveProperty('important');
  await expect.poll(edited).toMatchObject({ text: 'Apfelkuchen' });
  // The other device edits first, so the app has the old text.
  await also.request('message:edit', { room: 'lobby', seq: first.seq, text: 'Käsekuchen' });
  await expect(app.ask('edit', { room: 'lobby', seq: first.seq, text: 'Streusel' })).rejects.toMatchObject({
    code: 'conflict',
    current: { seq: first.seq, text: 'Käsekuchen' },
  });
  const found = await app.ask<{ items: JavaMessage[] }>('search', { text: 'KÄSE', room: 'lobby' });
  expect(found.items.map(({ text }) => text)).toEqual(['Käsekuchen']);
  expect(await app.ask('delete', { room: 'lobby', seq: first.seq })).toMatchObject({
    text: '',
    deletedBy: 'AUTHOR',
  });
  await expect(app.ask('edit', { room: 'lobby', seq: first.seq, text: 'x' })).rejects.toEqual(
    refused('unknown_message'),
  );
  also.close();
});

test('a rejected message stays until it is sent again or discarded', async () => {
  await start();
  await app.ask('open', { room: 'lobby' });
  const clientId = await app.ask('send', { room: 'lobby', text: 'x'.repeat(4001) });
  expect(await app.isTold('unsent')).toMatchObject({ message: { clientId, failed: 'too_long' } });
  await expect
    .poll(async () => (await app.messages('lobby')).at(-1))
    .toMatchObject({ clientId, failed: 'too_long' });
  const from = app.told.length;
  await app.ask('retry', { clientId });
  await app.isTold('unsent', undefined, from);
  await app.ask('discard', { clientId });
  await app.isTold('messages', ({ unsent }) => unsent === 0, from);
  // Later messages are not delayed.
  await app.ask('send', { room: 'lobby', text: 'short' });
  await shows('short');
});

test('an app manages rooms and their members, with typed roles and rights', async () => {
  const also = await start();
  const ben = await site.person({}, 'ben');
  const { room: den } = await app.ask<{ room: JavaRoom }>('createRoom', {
    name: '果园 🌳',
    topic: 'trees',
    members: ['ben', also.id],
  });
  expect(den).toMatchObject({ name: '果园 🌳', topic: 'trees', kind: 'PRIVATE', role: 'OWNER', members: 2 });
  expect(den.may).toEqual(expect.arrayContaining(['SEND', 'INVITE', 'ROLES', 'DELETE']));
  expect(await room(den.id)).toMatchObject({ name: '果园 🌳' });

  await app.ask('open', { room: den.id });
  const from = app.told.length;
  expect(await app.ask('invite', { room: den.id, users: ['cem'] })).toEqual({ added: ['cem'], failed: {} });
  expect(await app.isTold('members', undefined, from)).toMatchObject({
    changed: [{ user: 'cem', role: 'MEMBER', present: false }],
  });
  await app.ask('setRole', { room: den.id, user: 'ben', role: 'MODERATOR' });
  expect(await app.ask('members', { room: den.id })).toMatchObject({
    count: 3,
    items: expect.arrayContaining([{ user: 'ben', role: 'MODERATOR', present: true }]),
  });
  await app.ask('removeMember', { room: den.id, user: 'cem' });
  expect(await app.ask('updateRoom', { room: den.id, name: 'Orchard', topic: '' })).not.toHaveProperty(
    'topic',
  );
  expect(await app.ask('setNotify', { room: den.id, notify: 'NONE' })).toMatchObject({ notify: 'NONE' });
  const quiet = await app.ask('setNotify', { room: den.id, notify: 'ALL', quietMs: 3_600_000 });
  expect(quiet).toMatchObject({ notify: 'ALL', quiet: true });
  expect(await app.ask('setFavourite', { room: den.id, position: 3 })).toMatchObject({ favourite: 3 });
  expect(await app.ask('setArchived', { room: den.id, archived: true })).toMatchObject({
    favourite: -1,
    archived: true,
  });
  expect(await app.ask('setFavourite', { room: den.id })).toMatchObject({ favourite: -1, archived: true });
  await expect(app.ask('deleteRoom', { room: 'lobby' })).rejects.toEqual(refused('forbidden'));
  await app.ask('deleteRoom', { room: den.id });
  expect(await app.isTold('roomRemoved')).toMatchObject({ room: den.id, reason: 'DELETED', readable: false });
  expect(await room(den.id)).toBeUndefined();

  const { room: open } = await app.ask<{ room: JavaRoom }>('createRoom', { name: 'Open' });
  await app.ask('leaveRoom', { room: open.id });
  const others = await app.ask<{ items: JavaRoom[] }>('listRooms', { own: false, query: 'ope' });
  expect(others.items).toMatchObject([{ id: open.id, kind: 'PUBLIC', member: false }]);
  await expect(app.ask('open', { room: 'nowhere' })).rejects.toEqual(refused('unknown_room'));
  ben.close();
  also.close();
});

test('an app receives new messages, invitations and removals for rooms that it did not open', async () => {
  const also = await start();
  const dora = await site.person({}, 'dora');
  const den = await site.den(dora, [also]);
  await app.isTold('rooms', ({ rooms }) => (rooms as JavaRoom[]).some(({ id }) => id === den.id));
  await dora.request('room:join', { room: den.id });
  await say(dora, den.id, 'psst');
  expect(await app.isTold('newMessage')).toMatchObject({ room: den.id, user: 'dora', text: 'psst' });
  await expect.poll(() => room(den.id)).toMatchObject({ unread: 1, last: 'psst' });

  await app.ask('open', { room: den.id });
  await shows('psst', den.id);
  await app.ask('markRead', { room: den.id });
  await expect.poll(() => room(den.id)).toMatchObject({ unread: 0 });
  // The room is read on the other device too.
  await expect
    .poll(async () => (await also.request('room:list', {})).rooms.find(({ id }) => id === den.id)?.unread)
    .toBe(0);
  await dora.request('room:remove', { room: den.id, user: also.id });
  expect(await app.isTold('roomRemoved')).toMatchObject({
    room: den.id,
    reason: 'REMOVED',
    readable: false,
  });
  expect(await app.messages(den.id)).toEqual([]);
  dora.close();
  also.close();
});

if (soak) {
  test('messages marked as unread stay unread on all devices until the room is reopened', async () => {
    const also = await start();
    const kim = await site.person({}, 'kim');
    const den = await site.den(kim, [also]);
    await kim.request('room:join', { room: den.id });
    for (const text of ['one', 'two']) await say(kim, den.id, text);
    await say(kim, den.id, '@x', { mentions: [{ user: also.id, start: 0, length: 2 }] });
    const summary = await app.ask<JavaRoom>('open', { room: den.id });
    expect(summary).toMatchObject({ unread: 3, mentions: 1 });
    const elsewhere = async () =>
      (await also.request('room:list', {})).rooms.find(({ id }) => id === den.id)?.unread;

    // The app calls markRead before the response and again after it.
    const asked = app.ask<JavaRoom>('markUnread', { room: den.id, seq: 2 });
    await app.ask('markRead', { room: den.id });
    expect(await asked).toMatchObject({ unread: 2, mentions: 1 });
    await app.ask('markRead', { room: den.id });
    // The server answers in order, so this response shows that `markRead` had no effect.
    expect(await app.ask('setNotify', { room: den.id, notify: 'ALL' })).toMatchObject({ unread: 2 });
    expect(await elsewhere()).toBe(2);
    await expect(app.ask('markUnread', { room: den.id, seq: 9 })).rejects.toEqual(refused('bad_request'));

    await also.request('read:mark', { room: den.id, seq: 3 });
    await expect.poll(() => room(den.id)).toMatchObject({ unread: 0, mentions: 0 });
    await also.request('read:mark', { room: den.id, seq: 2, unread: true });
    await expect.poll(() => room(den.id)).toMatchObject({ unread: 1, mentions: 1 });
    await app.ask('stop');
    await app.isTold('state', ({ kind }) => kind === 'STOPPED');
    await also.request('read:mark', { room: den.id, seq: 0, unread: true });
    await app.ask('start');
    await expect.poll(() => room(den.id)).toMatchObject({ unread: 3 });
    await app.ask('close', { room: den.id });
    await app.ask('open', { room: den.id });
    await app.ask('markRead', { room: den.id });
    await expect.poll(elsewhere).toBe(0);
    kim.close();
    also.close();
  });
}

test('an app shows who is online, types and reads in a direct room', async () => {
  await start();
  const eva = await site.person({}, 'eva');
  await expect
    .poll(async () => (await app.ask<{ users: string[] }>('findUsers', { query: 'ev' })).users)
    .toEqual(['eva']);
  const direct = await app.ask<JavaRoom>('openDirect', { user: 'eva' });
  expect(direct).toMatchObject({ kind: 'DIRECT', with: 'eva' });
  await app.ask('open', { room: direct.id });
  await app.ask('send', { room: direct.id, text: 'coffee?' });
  await shows('coffee?', direct.id);
  await eva.request('room:join', { room: direct.id });
  expect(await app.isTold('present', ({ users }) => (users as string[]).includes('eva'))).toBeTruthy();
  await eva.request('typing:set', { room: direct.id, typing: true });
  await app.isTold('typing', ({ users }) => (users as string[])[0] === 'eva');
  const from = app.told.length;
  await eva.request('room:previews', { room: direct.id, previews: 'on' });
  expect(await app.ask('setPreviews', { room: direct.id, on: true })).toMatchObject({ previews: true });
  expect(await app.ask('setPreviews', { room: direct.id, on: false })).toMatchObject({ previews: false });
  await say(eva, direct.id, 'yes');
  await app.isTold('typing', ({ users }) => (users as string[]).length === 0, from);
  await app.ask('typed', { room: direct.id });
  await expect
    .poll(() => eva.events.filter(({ name }) => name === 'typing:changed').map(({ payload }) => payload))
    .toMatchObject([{ typing: true }]);
  await app.ask('stoppedTyping');
  await expect.poll(() => eva.events.filter(({ name }) => name === 'typing:changed').length).toBe(2);
  const { head } = await eva.request('room:sync', { room: direct.id, since: 0 });
  await app.ask('send', { room: direct.id, text: 'at ten' });
  await expect.poll(() => eva.messages().at(-1)?.text).toBe('at ten');
  await eva.request('read:mark', { room: direct.id, seq: head + 1 });
  expect(await app.isTold('readByOther', ({ seq }) => seq === head + 1)).toMatchObject({ room: direct.id });
  eva.close();
  await app.isTold('present', ({ users }) => !(users as string[]).includes('eva'), from);
});

test('mentions read on another device are subtracted, and edits of read messages add none', async () => {
  const also = await start();
  const gil = await site.person({}, 'gil');
  const den = await site.den(gil, [also]);
  await gil.request('room:join', { room: den.id });
  const mentions = [{ user: also.id, start: 0, length: 2 }];
  for (let n = 0; n < 3; n++) await say(gil, den.id, '@x', { mentions });
  const { seq, rev } = await say(gil, den.id, 'one');
  await say(gil, den.id, 'two');
  await expect.poll(() => room(den.id)).toMatchObject({ unread: 5, mentions: 3 });
  await also.request('read:mark', { room: den.id, seq: 2 });
  await expect.poll(() => room(den.id)).toMatchObject({ unread: 3, mentions: 1 });
  await also.request('read:mark', { room: den.id, seq: 4 });
  await expect.poll(() => room(den.id)).toMatchObject({ unread: 1, mentions: 0 });
  await gil.request('message:edit', { room: den.id, seq, rev, text: '@x', mentions });
  await say(gil, den.id, 'three');
  await expect.poll(() => room(den.id)).toMatchObject({ unread: 2, mentions: 0 });
  gil.close();
  also.close();
});

test('mentions and reactions show current names and users', async () => {
  const also = await start();
  const frank = await site.person({}, 'frank');
  const den = await site.den(frank, [also]);
  await frank.request('room:join', { room: den.id });
  const mentions = [{ user: also.id, start: 2, length: 2 }];
  const { seq } = await say(frank, den.id, '👋 @x', { mentions });
  expect(await app.isTold('mention')).toMatchObject({
    room: { id: den.id, mentions: 1, unread: 1 },
    message: { text: '👋 @x', shown: `👋 @Name of ${also.id}` },
  });
  // `newMessage` arrives later, and only once.
  await app.isTold('newMessage', ({ room }) => room === den.id);
  await app.ask('open', { room: den.id });
  await shows('👋 @x', den.id);
  await app.ask('markRead', { room: den.id });
  await expect.poll(() => room(den.id)).toMatchObject({ mentions: 0, unread: 0 });
  // In an open room, the app finds the mention in the message itself.
  await say(frank, den.id, '@y', { mentions: [{ user: also.id, start: 0, length: 2 }] });
  await expect.poll(() => room(den.id)).toMatchObject({ mentions: 1, unread: 1 });
  expect(app.told.filter(({ told }) => told === 'mention').map(({ message }) => message)).toMatchObject([
    { text: '👋 @x' },
    { text: '@y' },
  ]);

  await frank.request('message:react', { room: den.id, seq, emoji: '👍', on: true });
  const first = async () => (await app.messages(den.id))[0]?.reactions;
  await expect.poll(first).toEqual(['👍 1 [frank]']);
  const given = await app.ask<JavaMessage>('react', { room: den.id, seq, emoji: '👍', on: true });
  expect(given.reactions).toEqual([`👍 2 mine [frank, ${also.id}]`]);
  await frank.request('message:react', { room: den.id, seq, emoji: '👍', on: false });
  await expect.poll(first).toEqual([`👍 1 mine [${also.id}]`]);
  const page = await app.ask<{ items: string[] }>('reactions', { seq, emoji: '👍' });
  expect(page.items).toEqual([also.id]);
  await app.ask('react', { room: den.id, seq, emoji: '👍', on: false });
  await expect.poll(first).toBeUndefined();
  await expect(app.ask('react', { room: den.id, seq, emoji: 'x', on: true })).rejects.toEqual(
    refused('bad_request'),
  );
  await expect(app.ask('pin', { room: den.id, seq, pinned: true })).rejects.toEqual(refused('forbidden'));
  await frank.request('message:pin', { room: den.id, seq });
  const pin = { seq, text: '👋 @x', by: 'frank' };
  await app.isTold('pins', ({ pins }) => (pins as object[]).length === 1);
  expect(await app.ask('pinned', { room: den.id })).toEqual([pin]);
  await frank.request('room:role', { room: den.id, user: also.id, role: 'moderator' });
  const from = app.told.length;
  await app.ask('pin', { room: den.id, seq, pinned: false });
  await app.isTold('pins', ({ pins }) => (pins as object[]).length === 0, from);
  expect(await app.ask('pinned', { room: den.id })).toEqual([]);
  const frankHere = { role: 'OWNER', present: true, known: false, hidden: false };
  expect(await app.ask('about', { room: den.id, user: 'frank' })).toEqual(frankHere);
  await app.ask('hide', { hidden: true });
  const own = { role: 'MODERATOR', present: true, known: false, hidden: true };
  expect(await app.ask('about', { room: den.id, user: also.id })).toEqual(own);
  const told = app.told.filter((one) => one.told === 'newMessage' && one.room === den.id);
  expect(told.map(({ text }) => text)).toEqual(['👋 @x', '@y']);
  await app.ask('send', { room: den.id, text: 'mine' });
  await expect.poll(async () => (await app.messages(den.id)).at(-1)).toMatchObject({ text: 'mine', seq: 3 });
  expect(await app.ask('seenBy', { seq: 3 })).toEqual({ users: [], total: 1 });
  await frank.request('read:mark', { room: den.id, seq: 3 });
  const seenBy = { told: 'seenBy', room: den.id, seq: 3, users: ['frank'], total: 1 };
  await expect.poll(() => app.told).toContainEqual(expect.objectContaining(seenBy));
  // A copy of a message in a private room does not name the author, and a repeated clientId returns the same copy.
  const copy = { seq: 3, to: den.id, clientId: 'copy' };
  const copied = await app.ask('forward', copy);
  expect(copied).toMatchObject({ text: 'mine', seq: 4, forwarded: true });
  expect(copied).not.toHaveProperty('forwardedFrom');
  expect(await app.ask('forward', copy)).toEqual(copied);

  const mark = (important: boolean) => app.ask<JavaMessage>('markImportant', { seq, important });
  await expect(mark(true)).rejects.toEqual(refused('forbidden'));
  await frank.request('room:update', { room: den.id, write: 'moderators' });
  expect(await mark(true)).toMatchObject({ seq, important: true, edited: false });
  await expect.poll(async () => (await app.messages(den.id))[0]).toMatchObject({ important: true });
  expect(await mark(false)).not.toHaveProperty('important');
  await frank.request('room:update', { room: den.id, write: 'all' });

  const poll = { options: ['a', 'b'] };
  const { seq: asked } = await say(frank, den.id, 'which?', { poll });
  await expect.poll(async () => (await app.messages(den.id)).at(-1)?.text).toBe('which?');
  await app.ask('vote', { room: den.id, seq: asked, choice: [1] });
  const voted = await app.ask<JavaMessage>('vote', { room: den.id, seq: asked, choice: [2] });
  expect(voted.reactions).toEqual([`2 1 mine [${also.id}]`]);
  await expect(app.ask('endPoll', { room: den.id, seq: asked })).rejects.toEqual(refused('forbidden'));
  frank.close();
  also.close();
});

if (soak) {
  test('lookAtRoom pages through a public room without joining it', async () => {
    const also = await start();
    const meg = await site.person();
    const plot = { name: 'Plot', kind: 'public', clientId: `plot-${meg.id}` } as const;
    const { id } = (await meg.request('room:create', plot)).room;
    await meg.request('room:join', { room: id });
    for (let n = 1; n <= 51; n++) await say(meg, id, `bed ${n}`);
    type Page = { items: JavaMessage[]; next?: string };
    const first = await app.ask<Page>('lookAtRoom', { room: id });
    expect(first.items.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, n) => n + 2));
    const rest = await app.ask<Page>('lookAtRoom', { room: id, cursor: first.next });
    expect(rest.items.map(({ text }) => text)).toEqual(['bed 1']);
    expect(rest).not.toHaveProperty('next');
    expect((await meg.request('room:members', { room: id })).count).toBe(1);
    await app.ask('open', { room: id });
    await shows('bed 51', id);
    expect((await meg.request('room:members', { room: id })).count).toBe(2);
    await expect(app.ask('lookAtRoom', { room: 'none' })).rejects.toEqual(refused('unknown_room'));
    meg.close();
    also.close();
  });
}

test('an app creates, lists, accepts and revokes invite links', async () => {
  const also = await start();
  const [owner, guest] = [await site.person(), await site.person()];
  const theirs = await site.den(owner, [], { topic: 'Saturday' });
  const { token } = await owner.request('invite:create', { room: theirs.id });
  const seen = { by: owner.id, name: 'Den', topic: 'Saturday', members: 1, people: 1 };
  expect(await app.ask('lookAtInvite', { token })).toEqual(seen);
  expect(await app.ask('acceptInvite', { token })).toMatchObject({ id: theirs.id });
  expect(await room(theirs.id)).toBeDefined();
  const { room: den } = await app.ask<{ room: JavaRoom }>('createRoom', { name: 'Mine', members: ['hal'] });
  const made = await app.ask<{ id: string; token: string }>('createInvite', {
    room: den.id,
    seconds: 60,
    uses: 0,
  });
  expect(made).toMatchObject({ by: also.id, lasts: 60_000, uses: 0, used: 0 });
  await guest.request('invite:accept', made);
  const { token: _, ...listed } = made;
  expect(await app.ask('invites', { room: den.id })).toEqual([{ ...listed, used: 1 }]);
  await app.ask('revokeInvite', { room: den.id, invite: made.id });
  expect(await app.ask('invites', { room: den.id })).toEqual([]);
  await expect(app.ask('acceptInvite', { token: 'none' })).rejects.toEqual(refused('unknown_invite'));
});

test('an app moderates a room', async () => {
  const also = await start();
  expect(await app.isTold('identity')).toMatchObject({
    limits: { text: 4000, mentions: 20, file: 10_485_760, files: 10 },
    can: { sendFiles: true, report: true },
  });
  const gina = await site.person({}, 'gina');
  const ivo = await site.person({}, 'ivo');
  const members = ['gina', 'ivo'];
  const { room: den } = await app.ask<{ room: JavaRoom }>('createRoom', { name: 'Den', members });
  await gina.request('room:join', { room: den.id });
  expect(
    await app.ask('updateRoom', {
      room: den.id,
      topic: 'trees',
      write: 'MODERATORS',
      slow: 60,
      previews: false,
      seen: false,
      color: 'TEAL',
      emoji: '🌳',
    }),
  ).toMatchObject({
    name: 'Den',
    topic: 'trees',
    write: 'MODERATORS',
    slow: 60,
    previews: false,
    seen: false,
    color: 'TEAL',
    emoji: '🌳',
  });
  await app.ask('updateRoom', { room: den.id, write: 'ALL', slow: 0, previews: true, seen: true });
  expect(await room(den.id)).toMatchObject({
    topic: 'trees',
    write: 'ALL',
    slow: 0,
    previews: true,
    seen: true,
  });

  const { seq } = await say(gina, den.id, 'buy now');
  await app.ask('open', { room: den.id });
  await expect(app.ask('messages', { room: den.id })).resolves.toHaveLength(1);
  // Another device of the owner reports the message.
  await also.request('message:report', { room: den.id, seq, reason: 'spam', text: 'again' });
  const report = { room: den.id, by: also.id, reason: 'SPAM', text: 'again', message: { text: 'buy now' } };
  expect(await app.isTold('report')).toMatchObject({ report, open: 1 });
  await expect.poll(() => room(den.id)).toMatchObject({ reports: 1 });
  const open = await app.ask<{ items: { id: string }[] }>('reports');
  expect(open.items).toMatchObject([report]);
  const [{ id }] = open.items as [{ id: string }];
  await ivo.request('message:report', { room: den.id, seq, reason: 'spam' });
  await app.isTold('report', ({ open }) => open === 2);
  const muted = { report: { id }, done: 'MUTED', seconds: 3600, reason: 'no offers', all: true };
  expect(await app.ask('closeReport', muted)).toMatchObject({ id, done: 'MUTED' });
  expect(await app.isTold('report', ({ open }) => open === 0)).toMatchObject({ report: { done: 'MUTED' } });
  // The report is already closed.
  expect(await app.ask('closeReport', { ...muted, done: 'NOTHING' })).toMatchObject({ done: 'MUTED' });
  const restricted = async () => (await app.ask<{ items: object[] }>('restricted', { room: den.id })).items;
  expect(await restricted()).toMatchObject([
    { user: 'gina', kind: 'MUTED', reason: 'no offers', by: also.id },
  ]);
  await app.ask('unmute', { room: den.id, user: 'gina' });
  expect(await restricted()).toEqual([]);
  await app.ask('ban', { room: den.id, user: 'gina', reason: 'spam' });
  expect(await restricted()).toEqual([
    { user: 'gina', kind: 'BANNED', until: 0, reason: 'spam', by: also.id },
  ]);
  await app.ask('unban', { room: den.id, user: 'gina' });
  expect(await restricted()).toEqual([]);

  // Now the user is moderated by another user.
  const ours = await site.den(gina, [also]);
  await app.ask('open', { room: ours.id });
  await gina.request('room:join', { room: ours.id });
  await say(gina, ours.id, 'mind your words');
  await expect.poll(async () => (await app.messages(ours.id)).length).toBe(1);
  await app.ask('report', { seq: 1, reason: 'OTHER', text: 'no' });
  await expect
    .poll(() => eventsOf(gina, 'report:changed'))
    .toMatchObject([{ report: { text: 'no' }, open: 1 }]);
  const at = Date.now();
  await gina.request('room:mute', { room: ours.id, user: also.id, seconds: 1000, reason: 'calm down' });
  await expect.poll(() => room(ours.id)).toMatchObject({ mutedReason: 'calm down' });
  const until = (await room(ours.id))?.mutedUntil as number;
  expect(until).toBeGreaterThan(at + 900_000);
  expect(until).toBeLessThan(Date.now() + 1_001_000);
  await app.ask('send', { room: ours.id, text: 'but' });
  expect(await app.isTold('unsent')).toMatchObject({ message: { failed: 'muted' } });
  await gina.request('room:mute', { room: ours.id, user: also.id });
  await expect.poll(() => room(ours.id)).not.toHaveProperty('mutedReason');
  expect(`${(await room(ours.id))?.mutedUntil}`).toBe('9223372036854776000');
  await gina.request('room:mute', { room: ours.id, user: also.id, seconds: 0 });
  await expect.poll(() => room(ours.id)).toMatchObject({ mutedUntil: 0 });
  await gina.request('room:ban', { room: ours.id, user: also.id, seconds: 60, reason: 'enough' });
  const gone = await app.isTold('roomRemoved', ({ room }) => room === ours.id);
  expect(gone).toMatchObject({ reason: 'BANNED', readable: false, text: 'enough' });
  expect(gone.until).toBeGreaterThan(at + 59_000);
  ivo.close();
  gina.close();
  also.close();
});

test('messages of a blocked user are hidden and cause no notifications', async () => {
  const also = await start();
  const hugo = await site.person({}, 'hugo');
  const den = await site.den(hugo, [also]);
  await hugo.request('room:join', { room: den.id });
  await app.ask('open', { room: den.id });
  const hidden = async () => (await app.messages(den.id)).map((one) => one.hidden);
  await say(hugo, den.id, 'one');
  await expect.poll(hidden).toEqual([false]);
  const { room: direct } = await hugo.request('direct:open', { user: also.id });
  await hugo.request('room:join', { room: direct.id });
  await say(hugo, direct.id, 'psst');
  await expect.poll(() => room(direct.id)).toMatchObject({ unread: 1 });
  await app.ask('block', { user: 'hugo', blocked: true });
  await expect.poll(hidden).toEqual([true]);
  expect(await room(direct.id)).toMatchObject({ unread: 0 });
  expect(await app.ask('blocked')).toEqual(['hugo']);
  await say(hugo, den.id, 'two', { mentions: [{ user: also.id, start: 0, length: 3 }] });
  await hugo.request('typing:set', { room: den.id, typing: true });
  await expect.poll(hidden).toEqual([true, true]);
  expect(await room(den.id)).toMatchObject({ lastHidden: true, last: 'two', unread: 2, mentions: 0 });
  // The messages stay hidden over a new connection.
  await app.ask('stop');
  await app.isTold('state', ({ kind }) => kind === 'STOPPED');
  const from = app.told.length;
  await app.ask('start');
  await app.isTold('messages', ({ upToDate }) => upToDate === true, from);
  await say(hugo, den.id, 'three');
  await expect.poll(hidden).toEqual([true, true, true]);
  expect(await room(direct.id)).toMatchObject({ unread: 0 });
  expect(app.told.filter(({ told }) => told === 'newMessage')).toMatchObject([{ text: 'one' }]);
  expect(app.told.filter(({ told }) => told === 'typing' || told === 'mention')).toEqual([]);
  // The user unblocks on another device.
  await also.request('user:block', { user: 'hugo', blocked: false });
  expect(await app.isTold('blocked')).toMatchObject({ user: 'hugo', blocked: false });
  await expect.poll(hidden).toEqual([false, false, false]);
  await expect.poll(() => room(den.id)).toMatchObject({ lastHidden: false });
  expect(await room(direct.id)).toMatchObject({ unread: 1 });
  hugo.close();
  also.close();
});

test('an open room reloads after a user is erased, at once or after the next connect', async () => {
  const also = await start();
  const ida = await site.person({}, 'ida');
  const den = await site.den(also, [ida]);
  for (const one of [ida, also]) await one.request('room:join', { room: den.id });
  await say(ida, den.id, 'of ida');
  await say(also, den.id, '@ida', { mentions: [{ user: 'ida', start: 0, length: 4 }] });
  await app.ask('open', { room: den.id });
  const shown = async () =>
    (await app.messages(den.id)).map(({ user, shown, reactions = [] }) => [user, shown, ...reactions]);
  expect(await shown()).toEqual([
    ['ida', 'of ida'],
    [also.id, '@Name of ida'],
  ]);
  expect((await site.api('DELETE', '/users/ida?messages=anonymise')).status).toBe(202);
  await expect.poll(shown).toEqual([
    ['0', 'of ida'],
    [also.id, '@ida'],
  ]);
  // Later messages still arrive.
  await say(also, den.id, 'after it');
  await shows('after it', den.id);

  const jon = await site.person({}, 'jon');
  await also.request('room:invite', { room: den.id, users: ['jon'] });
  await jon.request('room:join', { room: den.id });
  await jon.request('message:react', { room: den.id, seq: 3, emoji: '👍', on: true });
  await expect.poll(async () => (await shown())[2]).toEqual([also.id, 'after it', '👍 1 [jon]']);
  await app.ask('stop');
  await site.api('DELETE', '/users/jon?messages=delete');
  await expect.poll(() => eventsOf(also, 'room:reset').length).toBe(2);
  await app.ask('start');
  await expect.poll(async () => (await shown())[2]).toEqual([also.id, 'after it']);
  also.close();
});
