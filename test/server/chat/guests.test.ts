import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestName } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { codeOf, type Person, say } from '../../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

const rooms = 'support:Support,lobby:Lobby,news:News';
const setting = (may: string) => ({
  CHAT_GUESTS: may,
  CHAT_GUEST_ROOMS: 'support,news,missing,class',
  CHAT_ROOMS: rooms,
  CHAT_FIND_PEOPLE: 'all',
});
const hi = (room: string) => ({ room, text: 'Hi', clientId: newClientId() });
const guestId = (n: number) => `g-${n.toString(16).padStart(32, '0')}`;
let guests = 0;
const newGuest = (people: PeopleHere): Promise<Person> =>
  people.person({ firstname: 'Guest Eve' }, guestId(++guests));

const token = 'x';
/** The code of each request by a guest who may write and, if it differs, by a guest who may only read. */
const matrix: {
  [E in RequestName]: [payload: (other: string) => object, writes: string, reads?: string];
} = {
  'room:list': [() => ({ member: false }), 'ok'],
  'room:join': [() => ({ room: 'support' }), 'ok'],
  'room:sync': [() => ({ room: 'support', since: 0 }), 'ok'],
  'room:leave': [() => ({ room: 'news' }), 'ok'],
  'room:create': [() => ({ name: 'Own', kind: 'private', clientId: newClientId() }), 'forbidden'],
  'room:update': [() => ({ room: 'support', name: 'Ours' }), 'forbidden'],
  'room:delete': [() => ({ room: 'support' }), 'forbidden'],
  'room:invite': [(other) => ({ room: 'support', users: [other] }), 'forbidden'],
  'room:remove': [(other) => ({ room: 'support', user: other }), 'forbidden'],
  'room:role': [(other) => ({ room: 'support', user: other, role: 'member' }), 'forbidden'],
  'room:members': [() => ({ room: 'support' }), 'ok'],
  'room:notify': [() => ({ room: 'support', notify: 'none' }), 'ok'],
  'room:arrange': [() => ({ room: 'support', archived: true }), 'forbidden'],
  'room:previews': [() => ({ room: 'support', previews: 'on' }), 'forbidden'],
  'room:mute': [(other) => ({ room: 'support', user: other }), 'forbidden'],
  'room:ban': [(other) => ({ room: 'support', user: other }), 'forbidden'],
  'room:restricted': [() => ({ room: 'support' }), 'forbidden'],
  'room:files': [() => ({ room: 'support', what: 'links' }), 'ok'],
  'room:pins': [() => ({ room: 'support' }), 'ok'],
  'invite:create': [() => ({ room: 'support' }), 'forbidden'],
  'invite:list': [() => ({ room: 'support' }), 'forbidden'],
  'invite:revoke': [() => ({ room: 'support', id: 'i' }), 'forbidden'],
  'invite:look': [() => ({ token }), 'forbidden'],
  'invite:accept': [() => ({ token }), 'forbidden'],
  'direct:open': [(user) => ({ user }), 'forbidden'],
  'user:block': [(user) => ({ user, blocked: false }), 'forbidden'],
  'user:blocked': [() => ({}), 'ok'],
  'user:about': [(user) => ({ room: 'support', user }), 'ok'],
  'user:hide': [() => ({ hidden: true }), 'forbidden'],
  'notify:get': [() => ({}), 'forbidden'],
  'notify:set': [() => ({ mail: 'off' }), 'forbidden'],
  'client:active': [() => ({ zone: 'UTC' }), 'forbidden'],
  'user:find': [() => ({ query: 'n' }), 'forbidden'],
  'device:register': [() => ({ token }), 'forbidden'],
  'device:remove': [() => ({ id: 'd' }), 'forbidden'],
  'device:list': [() => ({}), 'forbidden'],
  'session:renew': [() => ({ ticket: 'x' }), 'forbidden'],
  'message:send': [() => ({ room: 'support', text: 'Hi', clientId: newClientId() }), 'ok', 'forbidden'],
  'message:forward': [
    () => ({ room: 'support', from: { room: 'support', seq: 1 }, clientId: newClientId() }),
    'forbidden',
  ],
  'message:edit': [() => ({ room: 'support', seq: 99, text: 'Hi' }), 'unknown_message', 'forbidden'],
  'message:delete': [() => ({ room: 'support', seq: 99 }), 'unknown_message', 'forbidden'],
  'message:unpreview': [() => ({ room: 'support', seq: 99 }), 'unknown_message', 'forbidden'],
  'message:react': [() => ({ room: 'support', seq: 1, emoji: '👍', on: true }), 'ok', 'forbidden'],
  'poll:vote': [() => ({ room: 'support', seq: 1, choice: [1] }), 'unknown_message', 'forbidden'],
  'poll:end': [() => ({ room: 'support', seq: 99 }), 'unknown_message', 'forbidden'],
  'card:get': [() => ({ room: 'support', seq: 1 }), 'forbidden'],
  'card:find': [() => ({ room: 'support' }), 'forbidden'],
  'card:press': [() => ({ room: 'support', seq: 1, button: 'pay', clientId: 'a' }), 'forbidden'],
  'message:mark': [() => ({ room: 'support', seq: 1, important: true }), 'forbidden'],
  'message:pin': [() => ({ room: 'support', seq: 1 }), 'forbidden'],
  'message:unpin': [() => ({ room: 'support', seq: 1 }), 'forbidden'],
  'message:reactions': [() => ({ room: 'support', seq: 1, emoji: '👍' }), 'ok'],
  'message:seen': [() => ({ room: 'support', seq: 1 }), 'forbidden'],
  'message:report': [() => ({ room: 'support', seq: 1, reason: 'spam' }), 'ok', 'forbidden'],
  'message:history': [() => ({ room: 'support' }), 'ok'],
  'message:search': [() => ({ query: 'hello' }), 'ok'],
  'thread:get': [() => ({ room: 'support', thread: 1 }), 'ok'],
  'thread:follow': [() => ({ room: 'support', thread: 1, following: false }), 'forbidden'],
  'read:mark': [() => ({ room: 'support', seq: 1 }), 'ok'],
  'typing:set': [() => ({ room: 'support', typing: true }), 'ok', 'forbidden'],
  'report:list': [() => ({}), 'forbidden'],
  'report:close': [() => ({ id: 'r', done: 'nothing' }), 'forbidden'],
  'report:context': [() => ({ id: 'r' }), 'forbidden'],
  'moderate:people': [() => ({}), 'forbidden'],
  'moderate:person': [(user) => ({ user }), 'forbidden'],
  'moderate:ban': [(user) => ({ user }), 'forbidden'],
  'moderate:erase': [(user) => ({ user, name: 'n' }), 'forbidden'],
  'moderate:acts': [() => ({}), 'forbidden'],
  'moderate:overview': [() => ({}), 'forbidden'],
  'moderate:rooms': [() => ({ rooms: ['support'] }), 'forbidden'],
  'moderate:retry': [() => ({}), 'forbidden'],
  'held:list': [() => ({ mine: true }), 'ok', 'forbidden'],
  'held:approve': [() => ({ id: 'h' }), 'forbidden'],
  'held:reject': [() => ({ id: 'h' }), 'forbidden'],
  'held:discard': [() => ({ id: 'h' }), 'ok', 'forbidden'],
  'scheduled:add': [() => ({ room: 'support', text: 'x', clientId: 's', at: 0 }), 'forbidden'],
  'scheduled:list': [() => ({}), 'forbidden'],
  'scheduled:edit': [() => ({ id: 'l' }), 'forbidden'],
  'scheduled:send': [() => ({ id: 'l' }), 'forbidden'],
  'scheduled:delete': [() => ({ id: 'l' }), 'forbidden'],
  'reminder:set': [() => ({ room: 'support', seq: 1, at: 0 }), 'forbidden'],
  'reminder:list': [() => ({}), 'forbidden'],
  'reminder:delete': [() => ({ id: 'l' }), 'forbidden'],
  'question:about': [() => ({}), 'forbidden'],
  'question:ask': [() => ({ text: 'x', clientId: 'q' }), 'forbidden'],
  'question:address': [() => ({ mail: null }), 'forbidden'],
  'question:claim': [() => ({ guest: 'x'.repeat(43) }), 'forbidden'],
  'question:list': [() => ({ which: 'all' }), 'forbidden'],
  'question:open': [() => ({ question: 'support' }), 'forbidden'],
  'question:take': [() => ({ question: 'support' }), 'forbidden'],
  'question:hand': [(to) => ({ question: 'support', to }), 'forbidden'],
  'question:close': [() => ({ question: 'support' }), 'forbidden'],
  'question:note': [() => ({ question: 'support', text: 'x', clientId: 'n' }), 'forbidden'],
  'question:unnote': [() => ({ question: 'support', id: 'n' }), 'forbidden'],
  'question:snippets': [() => ({}), 'forbidden'],
  'question:snippet': [() => ({ name: 'x', text: 'x' }), 'forbidden'],
};

describe.each(['write', 'read'])('with CHAT_GUESTS=%s', (may) => {
  let people: PeopleHere;
  let ann: Person;
  beforeAll(async () => {
    people = await startPeopleHere(setting(may));
    ann = await people.person();
    await ann.request('room:join', { room: 'support' });
    await say(ann, 'support', 'hello');
  });
  afterAll(() => people.close());

  test.each(Object.entries(matrix))(
    '%s of a guest gets the expected code',
    async (event, [payload, writes, reads]) => {
      const guest = await newGuest(people);
      await guest.request('room:join', { room: 'support' });
      const code = await codeOf(guest, event, payload(ann.id));
      expect(code).toBe(may === 'write' ? writes : (reads ?? writes));
    },
  );

  test('session:ready lists what a guest may do', async () => {
    const guest = await newGuest(people);
    const { roles, can, rooms } = guest.ready;
    expect(roles).toEqual([may === 'write' ? 'guest' : 'reader']);
    expect(Object.entries(can).flatMap(([name, may]) => (may ? name : []))).toEqual(
      may === 'write' ? ['report'] : [],
    );
    expect(rooms.map(({ id, may }) => [id, may])).toEqual([
      ['support', may === 'write' ? ['send', 'leave'] : ['leave']],
      ['news', may === 'write' ? ['send', 'leave'] : ['leave']],
    ]);
    expect(await people.mayUpload(guest, 'support')).toBe('forbidden');
  });
});

describe('a guest', () => {
  let people: PeopleHere;
  let admin: Person;
  let ann: Person;
  beforeAll(async () => {
    people = await startPeopleHere(setting('write'));
    admin = await people.person({ roles: ['admin'] });
    ann = await people.person();
    for (const room of ['support', 'lobby']) await ann.request('room:join', { room });
  });
  afterAll(() => people.close());

  test('cannot see or enter other rooms', async () => {
    await say(ann, 'lobby', 'inside words');
    const guest = await newGuest(people);
    const { room } = await ann.request('room:create', {
      ...{ name: 'Hidden', kind: 'public', clientId: newClientId() },
    });
    await ann.request('room:update', { room: room.id, name: 'Still hidden' });
    await ann.request('room:delete', { room: room.id });
    expect(guest.events).toEqual([]);
    expect(guest.ready).toMatchObject({ more: false, firstRoom: 'support' });
    const { rooms } = await guest.request('room:list', { member: false });
    expect(rooms.map(({ id }) => id)).toEqual(['news', 'support']);
    expect(await codeOf(guest, 'room:join', { room: 'lobby' })).toBe('unknown_room');
    expect((await guest.request('message:search', { query: 'inside' })).messages).toEqual([]);
  });

  test('cannot enter a private room in CHAT_GUEST_ROOMS', async () => {
    await people.api('PUT', '/rooms/class', { name: 'Class', kind: 'private' });
    const guest = await newGuest(people);
    expect(await codeOf(guest, 'room:join', { room: 'class' })).toBe('unknown_room');
  });

  test('cannot mention users', async () => {
    const guest = await newGuest(people);
    await guest.request('room:join', { room: 'support' });
    const mentions = [{ user: ann.id, start: 0, length: 4 }];
    const said = { room: 'support', text: '@Ann hello', mentions };
    const { message } = await guest.request('message:send', { ...said, clientId: newClientId() });
    expect(message.mentions).toBeUndefined();
    const edit = await guest.request('message:edit', { ...said, seq: message.seq });
    expect(edit.message.mentions).toBeUndefined();
    expect(ann.events.filter(({ name }) => name === 'mention')).toEqual([]);
  });

  test('cannot be invited, promoted or sent direct messages', async () => {
    const guest = await newGuest(people);
    await guest.request('room:join', { room: 'support' });
    const den = await people.den(ann);
    const invited = await ann.request('room:invite', { room: den.id, users: [guest.id] });
    expect(invited).toEqual({ added: [], failed: [{ user: guest.id, code: 'unknown_user' }] });
    expect(await codeOf(ann, 'direct:open', { user: guest.id })).toBe('unknown_user');
    const promoted = { room: 'support', user: guest.id, role: 'moderator' };
    expect(await codeOf(admin, 'room:role', promoted)).toBe('forbidden');
  });

  test('is not found by a search for users', async () => {
    const guest = await newGuest(people);
    await guest.request('room:join', { room: 'support' });
    await say(guest, 'support', 'Hi');
    const gus = await people.person({ firstname: 'Gus' });
    const { users } = await ann.request('user:find', { query: 'gu' });
    expect(users.map(({ id }) => id)).toEqual([gus.id]);
  });

  test('is not found by a search for members', async () => {
    const guest = await newGuest(people);
    await guest.request('room:join', { room: 'support' });
    for (const present of [true, undefined]) {
      const asked = { room: 'support', query: 'eve', present: present || undefined };
      expect((await ann.request('room:members', asked)).members).toEqual([]);
    }
  });

  test('does not follow a thread after a reply', async () => {
    const guest = await newGuest(people);
    await guest.request('room:join', { room: 'support' });
    const { seq } = await say(ann, 'support', 'question');
    await say(guest, 'support', 'reply', { replyTo: seq });
    const { following } = await guest.request('thread:get', { room: 'support', thread: seq });
    expect(following).toBe(false);
  });

  test('gets no events of a room that is no longer in CHAT_GUEST_ROOMS', async () => {
    const id = guestId(++guests);
    await people.history.write.join({ room: 'lobby', user: { id, name: 'Guest Eve' }, at: Date.now() });
    const guest = await people.person({ firstname: 'Guest Eve' }, id);
    await admin.request('room:join', { room: 'lobby' });
    await say(ann, 'lobby', 'inside');
    await people.history.write.markRead({ room: 'lobby', user: id, seq: 1 });
    await admin.request('room:ban', { room: 'lobby', user: id, reason: 'why' });
    await admin.request('room:ban', { room: 'lobby', user: id, seconds: 0 });
    expect(guest.events).toEqual([]);
  });

  test('can be muted and banned', async () => {
    const guest = await newGuest(people);
    await guest.request('room:join', { room: 'support' });
    await admin.request('room:join', { room: 'support' });
    await admin.request('room:mute', { room: 'support', user: guest.id });
    expect(await codeOf(guest, 'message:send', hi('support'))).toBe('muted');
    await admin.request('room:ban', { room: 'support', user: guest.id });
    expect(await codeOf(guest, 'room:join', { room: 'support' })).toBe('unknown_room');
  });
});
