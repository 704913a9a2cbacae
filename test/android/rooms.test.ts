import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type JavaClient, type JavaMessage, type JavaRoom, nextJavaClient } from '../helpers/java-client.ts';
import { type PeopleSite, say, startPeopleSite } from '../helpers/people.ts';

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
/** A user with the Java client, connected; `also` is the same user elsewhere. */
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
  app.isTold('messages', ({ room, last, pending }) => room === of && last === text && pending === 0);

test('messages: replied to, edited, deleted, searched for, and a conflict with another device', async () => {
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
  // The list is told in a turn of its own.
  const edited = async () => (await app.messages('lobby'))[0];
  await expect.poll(edited).toMatchObject({ text: 'Apfelkuchen', edited: true });
  // The other device is quicker: the app still has the text of before.
  await also.request('message:edit', { room: 'lobby', seq: first.seq, text: 'Käsekuchen' });
  await expect(app.ask('edit', { room: 'lobby', seq: first.seq, text: 'Streusel' })).rejects.toMatchObject({
    code: 'conflict',
    current: { seq: first.seq, text: 'Käsekuchen' },
  });
  const found = await app.ask<{ items: JavaMessage[] }>('search', { query: 'KÄSE', room: 'lobby' });
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

test('a message that the server refuses is told, kept, and sent again or forgotten', async () => {
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
  await app.isTold('messages', ({ pending }) => pending === 0, from);
  // It holds up nothing.
  await app.ask('send', { room: 'lobby', text: 'short' });
  await shows('short');
});

test('rooms: created, changed, filled, left, deleted; roles and rights are typed', async () => {
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

test('rooms that are not open: what is said there, invitations and removals', async () => {
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
  // On the other device, too.
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

test('people: found, written to directly, seen to come, type, read and go', async () => {
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

test('far back: older pages, a window around one message, and the end again', async () => {
  await start();
  const writer = await site.person({}, 'writer');
  await writer.request('room:join', { room: 'garden' });
  for (let n = 1; n <= 230; n++) await say(writer, 'garden', `g${n}`);
  await app.ask('open', { room: 'garden' });
  const seqs = async () => (await app.messages('garden')).map(({ seq }) => seq);
  expect((await seqs()).at(0)).toBe(181);
  await app.ask('older', { room: 'garden' });
  await expect.poll(async () => (await seqs()).at(0)).toBe(131);
  await app.ask('jumpTo', { room: 'garden', seq: 40 });
  await app.isTold('messages', ({ atEnd }) => atEnd === false);
  expect(await seqs()).toEqual(Array.from({ length: 50 }, (_, n) => 15 + n));
  // Nothing is put where it does not belong; the end has it.
  await say(writer, 'garden', 'meanwhile');
  await app.ask('newer', { room: 'garden' });
  await expect.poll(async () => (await seqs()).at(-1)).toBe(114);
  const from = app.told.length;
  await app.ask('jumpToEnd', { room: 'garden' });
  await app.isTold('messages', ({ last, atEnd }) => last === 'meanwhile' && atEnd === true, from);
  expect((await seqs()).at(-1)).toBe(231);
  writer.close();
});

test('what the PHP application pushes comes as Java’s own types', async () => {
  const also = await start();
  const data = { order: 7, price: 1.5, items: ['a', null, true] };
  await site.api('POST', `/users/${also.id}/push`, { name: 'shipped', data });
  expect(await app.isTold('push')).toMatchObject({ name: 'shipped', data });
  also.close();
});
