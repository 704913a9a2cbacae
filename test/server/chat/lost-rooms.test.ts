import { expect, test } from 'vitest';
import type { Answers, Held } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import {
  closedAfterEach,
  eventsOf,
  exportOf,
  type PeopleSite,
  type Person,
  type Several,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

/** A user who was removed or banned tries to learn about the room through their own messages, files and rooms. */
const env = {
  CHAT_CREATE_ROOMS: 'all',
  CHAT_ROOMS: 'lobby,garden',
  CHAT_HOLD: 'first',
  CHAT_LIMIT_ROOMS_USER: '12',
  CHAT_HOLD_WORDS: 'pallets',
};
const site = sharedSite(() => startPeopleHere(env));
/** A server with files and exports. */
const served = sharedSite(() => startPeopleSite({ ...env, CHAT_ORIGINS: origin }));

const inTest = closedAfterEach();
const user = async (session?: object, on: Pick<PeopleSite, 'person'> = site): Promise<Person> =>
  inTest(await on.person(session));
const users = <Count extends keyof Several>(count: Count) => site.people(count, inTest);

const send = (client: Person, room: string, text = 'hello', over: object = {}) =>
  client.request('message:send', { room, text, clientId: newClientId(), ...over }) as Promise<
    Answers['message:send']
  >;
async function hold(client: Person, room: string): Promise<Held> {
  const sent = await send(client, room, 'pallets');
  if (!('held' in sent)) throw new Error('the message is not pending');
  return sent.held;
}
const pendingOf = async (client: Person) => (await client.request('held:list', { mine: true })).held;
const lost = (client: Person, room: string) =>
  expect.poll(() => eventsOf(client, 'room:removed').filter((event) => event.room === room)).toHaveLength(1);

const overLimit = (message: RegExp) => ({
  error: { code: 'limit_reached', message: expect.stringMatching(message) },
});

/** Creates a private room of Ben's that Ben and Ann join. */
async function den(on: Pick<PeopleSite, 'people' | 'den'> = site) {
  const [ben, ann] = await on.people(2, inTest);
  const { id } = await on.den(ben, [ann]);
  for (const client of [ben, ann]) await client.request('room:join', { room: id });
  return { ben, ann, room: id };
}

test.each([
  ['a private room', 'club'],
  ['a public room', 'garden'],
])('holds the message of a user banned from %s, even if no message there was deleted', async (_, room) => {
  const mod = await user({ roles: 'moderator', rooms: ['club'] });
  for (const id of [room, 'lobby']) await mod.request('room:join', { room: id });
  const waits: boolean[] = [];
  for (const isDeleted of [false, true]) {
    const ann = await user({ rooms: ['club'] });
    await ann.request('room:join', { room });
    const first = await send(ann, room);
    if (!('held' in first)) throw new Error('the message is not pending');
    const { message } = await mod.request('held:approve', { id: first.held.id });
    // Later messages there need no approval.
    expect(await send(ann, room, 'and more')).toHaveProperty('message');
    await mod.request('room:ban', { room, user: ann.id });
    await lost(ann, room);
    if (isDeleted)
      for (const seq of [message.seq, message.seq + 1]) await mod.request('message:delete', { room, seq });
    await ann.request('room:join', { room: 'lobby' });
    waits.push('held' in (await send(ann, 'lobby')));
  }
  expect(waits).toEqual([true, true]);
});

test('does not notify a removed user of decisions about the user’s pending messages', async () => {
  for (const how of ['room:ban', 'room:remove'] as const) {
    const { ben, ann, room } = await den();
    const later = await site.again(ann);
    inTest(later);
    const [waiting, rejected] = [await hold(ann, room), await hold(ann, room)];
    await ben.request(how, { room, user: ann.id });
    for (const client of [ann, later]) await lost(client, room);
    const eventsBefore = [ann, later].map(({ events }) => events.length);
    expect(await pendingOf(ann)).toEqual([]);
    await ben.request('held:reject', { id: rejected.id, reason: 'no' });
    await ann.request('held:discard', { id: waiting.id });
    await expect
      .poll(() => eventsOf(ben, 'held:changed').filter(({ is }) => is === 'discarded'))
      .toHaveLength(1);
    expect(await pendingOf(ann)).toEqual([]);
    expect([ann, later].map(({ events }, n) => events.slice(eventsBefore[n]))).toEqual([[], []]);
  }
});

test('does not count pending messages in lost rooms toward the user’s limit', async () => {
  const { ben, ann, room } = await den();
  for (let n = 0; n < 20; n++) await hold(ann, room);
  await ann.request('room:join', { room: 'lobby' });
  await expect(hold(ann, 'lobby')).rejects.toMatchObject(overLimit(/^the limit of 20 /));
  await ben.request('room:remove', { room, user: ann.id });
  await lost(ann, room);
  await hold(ann, 'lobby');
});

test('limits a user’s pending messages over all lost rooms', async () => {
  const [ben, ann] = await users(2);
  const fill = async () => {
    const { id } = await site.den(ben, [ann]);
    await ann.request('room:join', { room: id });
    for (let n = 0; n < 20; n++) await hold(ann, id);
    await ben.request('room:remove', { room: id, user: ann.id });
    await lost(ann, id);
  };
  for (let n = 0; n < 10; n++) await fill();
  await expect(fill()).rejects.toMatchObject(overLimit(/^the limit of 200 .* in all rooms/));
});

test('makes a new room when a lost room is created again, whether or not the lost room still exists', async () => {
  const answers: unknown[] = [];
  for (const isDeleted of [false, true]) {
    const [ann, ben] = await users(2);
    const made = { name: 'Den', kind: 'private', clientId: newClientId() } as const;
    const { room } = await ann.request('room:create', { ...made, members: [ben.id] });
    await ann.request('room:role', { room: room.id, user: ben.id, role: 'owner' });
    await ben.request('room:remove', { room: room.id, user: ann.id });
    await lost(ann, room.id);
    if (isDeleted) await ben.request('room:delete', { room: room.id });
    const again = await ann.raw('room:create', made);
    const repeated = await ann.raw('room:create', made);
    expect(repeated).toEqual(again);
    answers.push([again.ok, again.ok && (again.data as Answers['room:create']).room.id === room.id]);
  }
  expect(answers).toEqual([
    [true, false],
    [true, false],
  ]);
});

/** Returns the mutes, bans and audit entries in the user's export, after the audit log contains all earlier actions. */
async function exported(
  client: Person,
): Promise<{ about: string; restricted: object[]; messages: object[]; acts: object[] }> {
  const room = newClientId();
  await served.api('PUT', `/rooms/${room}`, { name: room, kind: 'private' });
  await served.api('DELETE', `/rooms/${room}`);
  await expect.poll(async () => JSON.stringify((await served.api('GET', '/audit')).body)).toContain(room);
  const files = await exportOf(served, client.id);
  const text = (name: string) => files[name] ?? '';
  const lines = (name: string) =>
    text(name)
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return {
    about: text('about.json'),
    restricted: JSON.parse(text('about.json')).restricted,
    messages: lines('messages.jsonl'),
    acts: lines('acts.jsonl').map(({ at: _, ...act }) => act),
  };
}

test('exports nothing about a room that the user never joined, even after a ban from the room', async () => {
  const [ben, eve] = await served.people(2, inTest);
  const { id } = await served.den(ben);
  await ben.request('room:mute', { room: id, user: eve.id, reason: 'shall not speak' });
  await ben.request('room:ban', { room: id, user: eve.id, reason: 'shall not see' });
  const { about, acts } = await exported(eve);
  expect(about).not.toContain(id);
  expect(about).not.toContain('shall not');
  expect(acts).toEqual([]);
});

test('exports the loss of a room but no later moderation there', async () => {
  for (const how of ['room:ban', 'room:remove'] as const) {
    const { ben, ann, room } = await den(served);
    const held = await hold(ann, room);
    const { seq } = (await ben.request('held:approve', { id: held.id })).message;
    await ben.request('room:mute', { room, user: ann.id, reason: 'loud' });
    await ben.request('message:pin', { room, seq });
    const mute = { room, kind: 'muted', reason: 'loud' };
    const pin = { kind: 'pinned', room, seq, as: 'user' };
    const before = await exported(ann);
    expect(before.restricted).toEqual([mute]);
    expect(before.acts).toEqual([pin, { ...mute, as: 'user' }, { kind: 'approved', room, seq, as: 'user' }]);
    await ben.request(how, { room, user: ann.id, ...(how === 'room:ban' ? { reason: 'spam' } : {}) });
    await lost(ann, room);
    await ben.request('message:unpin', { room, seq });
    await ben.request('message:delete', { room, seq });
    const { restricted, acts } = await exported(ann);
    const ban = { room, kind: 'banned', reason: 'spam' };
    const isBanned = how === 'room:ban';
    expect(restricted).toEqual(isBanned ? [mute, ban] : []);
    expect(acts).toEqual([{ ...(isBanned ? ban : { kind: 'removed', room }), as: 'user' }]);
  }
});

test('exports no reactions from a public room after a ban', async () => {
  const mod = await user({ roles: 'moderator' }, served);
  const ann = await user({}, served);
  for (const client of [mod, ann]) await client.request('room:join', { room: 'garden' });
  const held = await hold(ann, 'garden');
  const { seq } = (await mod.request('held:approve', { id: held.id })).message;
  await mod.request('message:react', { room: 'garden', seq, emoji: '👍', on: true });
  const before = await exported(ann);
  expect(before.messages).toEqual([expect.objectContaining({ reactions: [{ emoji: '👍', count: 1 }] })]);
  await mod.request('room:ban', { room: 'garden', user: ann.id });
  await lost(ann, 'garden');
  const { messages } = await exported(ann);
  expect(messages).toEqual([expect.not.objectContaining({ reactions: expect.anything() })]);
});

test('hides the user’s own files in a lost room', async () => {
  const { ben, ann, room } = await den(served);
  const own = (await upload(served.chat.url, ann.cookie, 'text', { room, name: 'plan.txt' })).file;
  const loose = (await upload(served.chat.url, ann.cookie, 'text', { room, name: 'loose.txt' })).file;
  const first = await send(ann, room, 'look', { files: [{ id: own.id }] });
  if (!('held' in first)) throw new Error('the message is not pending');
  await ben.request('held:approve', { id: first.held.id });
  const statuses = async () =>
    Promise.all([own, loose].map(async (file) => (await download(served.chat.url, ann.cookie, file)).status));
  expect(await statuses()).toEqual([200, 200]);
  await ben.request('room:remove', { room, user: ann.id });
  await lost(ann, room);
  expect(await statuses()).toEqual([404, 404]);
});
