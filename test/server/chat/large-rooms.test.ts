import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { disconnectUser } from '../../../server/chat/connected-users.ts';
import type { Answers } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { type OpenChat, openChatOver } from '../../helpers/chat-over-history.ts';
import { eventsOf, nextOf, say, sharedSite } from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

/** Responses stay small despite many rooms, many members and large texts. */
const answerBytes = 256 * 1024;
const size = (data: unknown) => Buffer.byteLength(JSON.stringify(data));
const site = sharedSite(() => startPeopleHere({ CHAT_CREATE_ROOMS: 'all', CHAT_ROOMS: 'lobby' }));

test('limits a page of search results to 256 KiB', async () => {
  const ann = await site.person();
  const room = (await site.den(ann)).id;
  await ann.request('room:join', { room });
  await Promise.all(Array.from({ length: 45 }, (_, n) => say(ann, room, `${'好'.repeat(3990)} ${n}`)));
  const seqs: number[] = [];
  let pages = 0;
  for (let cursor: string | undefined, more = true; more; pages++) {
    const page = await ann.request('message:search', { query: '好好', cursor: cursor || undefined });
    expect(size(page)).toBeLessThan(answerBytes + 1024);
    seqs.push(...page.messages.map(({ seq }) => seq));
    cursor = page.next;
    more = cursor !== undefined;
  }
  expect(seqs).toEqual(Array.from({ length: 45 }, (_, n) => 45 - n));
  expect(pages).toBeGreaterThan(2);
});

test('lists 150 large rooms in pages of at most 256 KiB', async () => {
  const rooms = Array.from({ length: 150 }, (_, n) => `big-${newClientId()}-${n}`);
  const ann = await site.person({ rooms });
  const admin = await site.person({ rooms, roles: 'admin' });
  const names = { name: '😀'.repeat(80), topic: '😀'.repeat(250) };
  // One after the other, because a busy machine might not finish hundreds of them within the time limit of a request.
  for (const room of rooms) {
    await admin.request('room:update', { room, ...names });
    await admin.request('room:join', { room });
    await say(admin, room, '😀'.repeat(120));
  }
  const listed: string[] = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await ann.request('room:list', { limit: 200, cursor: cursor || undefined });
    expect(size(page)).toBeLessThan(answerBytes + 1024);
    listed.push(...page.rooms.map(({ id }) => id));
    cursor = page.next;
    more = cursor !== undefined;
  }
  expect(listed.toSorted()).toEqual(rooms.toSorted());
  const { ready } = await site.again(ann);
  expect(ready.rooms.map(({ id }) => id)).toEqual(listed.slice(0, 100));
  expect(ready).toMatchObject({ more: true, totals: { unread: 150 } });
});

describe('a room of 130 present users', () => {
  type Asker = Awaited<ReturnType<ReturnType<typeof askedDirectly>>>;
  let chat: OpenChat;
  let people: Asker[];
  const events: { to: readonly string[] | string; name: string; payload: object }[] = [];
  const ids = Array.from({ length: 130 }, (_, n) => `u${1000 + n}`);
  beforeAll(async () => {
    chat = await openChatOver(
      (stored) => stored,
      () => ({
        publisher: {
          toRoom: (to, name, payload) => void events.push({ to, name, payload }),
          toConnections: (to, name, payload) => void events.push({ to, name, payload }),
          join() {},
          leave() {},
        },
      }),
    );
    await chat.history.write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at: 0 });
    const connect = askedDirectly(chat.chat);
    people = await Promise.all(ids.map((id) => connect(id)));
    const joined = await Promise.all(people.map(({ ask }) => ask('room:join', { room: 'lobby' })));
    expect(joined.map(({ ok }) => ok)).toEqual(ids.map(() => true));
  });
  afterAll(() => chat.close());

  test('limits the presence list to 100 users and omits typing events', async () => {
    const { ask } = await askedDirectly(chat.chat)('eve');
    const joined = (await ask('room:join', { room: 'lobby' })).data as Answers['room:join'];
    expect(joined).toMatchObject({ presentCount: 131, present: { length: 100 } });
    expect(joined.present.map(({ id }) => id)).toContain('eve');
    expect(await ask('typing:set', { room: 'lobby', typing: true })).toMatchObject({ ok: true });
    await ask('message:send', { room: 'lobby', text: 'typed', clientId: 'typed' });
    await expect.poll(() => events.map(({ name }) => name)).toContain('message:new');
    expect(events.map(({ name }) => name)).not.toContain('typing:changed');
  });

  test('names at most 100 users in one event when 127 leave at once', async () => {
    const presence = () => events.filter(({ name }) => name === 'presence:changed');
    const before = presence().length;
    for (const { connection } of people.slice(3)) disconnectUser(chat.chat, connection);
    await expect.poll(() => presence().at(-1)?.payload).toMatchObject({ count: 4 });
    const left = presence()
      .slice(before)
      .map(({ payload }) => (payload as { left: string[] }).left.length);
    expect(Math.max(...left)).toBe(100);
  });
});

test('names 100 of 150 new members in one event, with the total count', async () => {
  const ann = await site.person();
  const room = `bulk-${newClientId()}`;
  await site.api('PUT', `/rooms/${room}`, { name: 'Bulk', kind: 'private' });
  await site.api('PATCH', `/rooms/${room}/members`, { add: [ann.id] });
  await expect.poll(() => eventsOf(ann, 'room:added')).toHaveLength(1);
  await ann.request('room:join', { room });
  const changed = nextOf(ann, 'members:changed');
  await site.api('PATCH', `/rooms/${room}/members`, {
    add: Array.from({ length: 150 }, (_, n) => `bulk-${n}`),
  });
  expect(await changed).toMatchObject({ changed: { length: 100 }, count: 151, partial: true });
});

test('keeps the rooms of a session after its last connection closes', async () => {
  const ann = await site.person({ rooms: [`team-${newClientId()}`] });
  ann.close();
  const user = async () => (await site.api('GET', `/users/${ann.id}`)).body;
  await expect.poll(user).toMatchObject({ connections: 0, rooms: 1 });
});
