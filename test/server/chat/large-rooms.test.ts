import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Answers } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { codeOf, eventsOf, nextOf, type PeopleSite, say, startPeopleSite } from '../../helpers/people.ts';

/** Many rooms, many members, large texts: answers to clients stay small. */
const answerBytes = 256 * 1024;
const size = (data: unknown) => Buffer.byteLength(JSON.stringify(data));
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_CREATE_ROOMS: 'all', CHAT_ROOMS: 'lobby,hall' });
});
afterAll(() => site.close());

test('a page of found messages ends at 256 KiB, and the next one goes on', async () => {
  const ann = await site.person();
  const room = (await site.den(ann)).id;
  await ann.request('room:join', { room });
  await Promise.all(Array.from({ length: 45 }, (_, n) => say(ann, room, `${'好'.repeat(3990)} ${n}`)));
  const seqs: number[] = [];
  let pages = 0;
  for (let cursor: string | undefined, more = true; more; pages++) {
    const page = await ann.request('message:search', { query: '好好', ...(cursor ? { cursor } : {}) });
    expect(size(page)).toBeLessThan(answerBytes + 1024);
    seqs.push(...page.messages.map(({ seq }) => seq));
    cursor = page.next;
    more = cursor !== undefined;
  }
  expect(seqs).toEqual(Array.from({ length: 45 }, (_, n) => 45 - n));
  expect(pages).toBeGreaterThan(2);
});

test('150 rooms of the largest size: session:ready has 100, the list has all in pages of at most 256 KiB', async () => {
  const rooms = Array.from({ length: 150 }, (_, n) => `big-${newClientId()}-${n}`);
  const ann = await site.person({ rooms });
  const admin = await site.person({ rooms, roles: 'admin' });
  for (const room of rooms) {
    await admin.request('room:update', { room, name: '😀'.repeat(80), topic: '😀'.repeat(250) });
    await admin.request('room:join', { room });
    await say(admin, room, '😀'.repeat(120));
  }
  const ready = (await site.again(ann)).ready;
  expect(ready.rooms.map(({ id }) => id)).toEqual([...rooms].reverse().slice(0, 100));
  expect(ready).toMatchObject({ more: true, totals: { unread: 150 } });
  const listed: string[] = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await ann.request('room:list', { limit: 200, ...(cursor ? { cursor } : {}) });
    expect(size(page)).toBeLessThan(answerBytes + 1024);
    listed.push(...page.rooms.map(({ id }) => id));
    cursor = page.next;
    more = cursor !== undefined;
  }
  expect(listed).toEqual([...rooms].reverse());
});

test('a room of 103 present users: 100 are named, including the joiner; typing is not announced', async () => {
  const [ann, ben] = await site.people(2);
  await ann.request('room:join', { room: 'hall' });
  await ben.request('room:join', { room: 'hall' });
  await ben.request('typing:set', { room: 'hall', typing: true });
  await expect.poll(() => eventsOf(ann, 'typing:changed')).toMatchObject([{ typing: true }]);
  await ben.request('typing:set', { room: 'hall', typing: false });
  await expect.poll(() => eventsOf(ann, 'typing:changed')).toHaveLength(2);
  const crowd = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => connectChat(site.chat.url, await site.session(`crowd-${n}`))),
  );
  await Promise.all(crowd.map((one) => one.request('room:join', { room: 'hall' })));
  const eve = await site.person();
  const joined = await eve.request('room:join', { room: 'hall' });
  expect(joined).toMatchObject({ presentCount: 103, present: { length: 100 } });
  expect(joined.present.map(({ id }) => id)).toContain(eve.id);
  await expect.poll(() => eventsOf(ann, 'presence:changed').at(-1)?.count).toBe(103);
  expect(await codeOf(ben, 'typing:set', { room: 'hall', typing: true })).toBe('ok');
  await say(ben, 'hall', 'typed');
  await expect.poll(() => eventsOf(ann, 'message:new')).toHaveLength(1);
  expect(eventsOf(ann, 'typing:changed')).toHaveLength(2);
  // All leave at once: one event cannot name them.
  const gone = nextOf(ann, 'presence:changed');
  for (const one of crowd) one.close();
  expect((await gone).left.length).toBeLessThanOrEqual(100);
  await expect.poll(() => eventsOf(ann, 'presence:changed').at(-1)?.count).toBe(3);
});

test('pages of the present members of a large room: names are made into keys once, not for each page', async () => {
  const { chat, history, close } = await openChatOver((stored) => stored);
  onTestFinished(close);
  await history.write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at: 0 });
  const connect = askedDirectly(chat);
  // In no order.
  const ids = Array.from({ length: 300 }, (_, n) => `u${1000 + ((n * 7) % 300)}`);
  const people = await Promise.all(ids.map((id) => connect(id)));
  for (const { ask } of people) expect(await ask('room:join', { room: 'lobby' })).toMatchObject({ ok: true });
  const { ask } = people[0] as (typeof people)[number];
  const normalize = vi.spyOn(String.prototype, 'normalize');
  onTestFinished(() => normalize.mockRestore());
  const page = async (over: object) => {
    normalize.mockClear();
    const { data } = await ask('room:members', { room: 'lobby', present: true, limit: 100, ...over });
    const { members, next } = data as Answers['room:members'];
    return { ids: members.map(({ user }) => user.id), next, keys: normalize.mock.calls.length };
  };
  const sorted = [...ids].sort();
  const first = await page({});
  expect(first).toMatchObject({ ids: sorted.slice(0, 100), keys: 300 });
  const second = await page({ cursor: first.next });
  const last = await page({ cursor: second.next });
  expect([...second.ids, ...last.ids]).toEqual(sorted.slice(100));
  expect(last.next).toBeUndefined();
  // The one who asks is seen as connected, whatever the others are shown.
  expect([second.keys, last.keys]).toEqual([1, 1]);
  expect(await page({ query: 'name of u12', limit: 1 })).toMatchObject({ ids: ['u1200'] });
  // The key of the query, and those of the one who asks.
  expect(await page({ query: 'u129' })).toEqual({ ids: sorted.slice(290), keys: 3 });
});

test('150 members at once: one event names 100 of them, says that there are more, and how many', async () => {
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

test('rooms of a session stay one’s own when the last connection is closed', async () => {
  const ann = await site.person({ rooms: [`team-${newClientId()}`] });
  ann.close();
  const user = async () => (await site.api('GET', `/users/${ann.id}`)).body;
  await expect.poll(user).toMatchObject({ connections: 0, rooms: 1 });
});
