import { beforeAll, expect, test } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  nextOf,
  type Person,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';
import { roomRequests } from '../../helpers/room-requests.ts';

/**
 * A user tries to read or act in a room without being a member. Eve has a normal account, knows the protocol, and may
 * even know the ID of the room.
 */
const site = sharedSite(() => startPeopleSite({ CHAT_ROOMS: 'lobby,garden', CHAT_CREATE_ROOMS: 'all' }));
beforeAll(async () => {
  [ann, ben, eve] = await site.people(3);
  den = (await site.den(ann, [ben], { name: `Den of ${secret}`, topic: secret })).id;
  for (const client of [ann, ben]) await client.request('room:join', { room: den });
  for (const text of ['one', 'two', 'three']) await say(ann, den, `${secret} ${text}`);
});

let ann: Person;
let ben: Person;
/** Not a member of any room of other users. */
let eve: Person;
/** A room of Ann's with Ben as a member. */
let den: string;
/** Contained in the room's name, its topic and all its messages. */
const secret = `secret${newClientId().replaceAll('-', 'x')}`;
const inTest = closedAfterEach();
const person = async (session?: object): Promise<Person> => inTest(await site.person(session));
/** Returns a new user after a join of Ann's room. */
async function member(): Promise<Person> {
  const mole = await person();
  await ann.request('room:invite', { room: den, users: [mole.id] });
  await mole.request('room:join', { room: den });
  return mole;
}
/** Returns which of the room's ID and the secret appear in the user's events and responses. */
const leaks = (client: Person, ...answers: unknown[]) => {
  const all = JSON.stringify([client.ready, client.events, ...answers]);
  return [den, secret].filter((word) => all.includes(word));
};
const me = async (client: Person) => {
  const headers = { 'sec-fetch-site': 'same-origin', cookie: client.cookie };
  return (await (await fetch(`${site.chat.url}/me`, { headers })).json()) as object;
};

test.each(['moderator', 'admin'])(
  'hides a private room from a site %s who is not a member',
  async (roles) => {
    const boss = await person({ roles });
    for (const [event, payload] of Object.entries(roomRequests))
      expect([event, await codeOf(boss, event, { room: den, ...payload })]).toEqual([event, 'unknown_room']);
    expect(leaks(boss, await boss.request('message:search', { query: secret }))).toEqual([]);
  },
);

test('denies a removed user access to the room and its events', async () => {
  const mole = await member();
  const sent = { room: den, text: 'mine', clientId: newClientId() };
  const { seq } = (await mole.request('message:send', sent)).message;
  await ann.request('room:remove', { room: den, user: mole.id });
  await expect.poll(() => eventsOf(mole, 'room:removed')).toHaveLength(1);
  const before = mole.events.length;
  for (const [event, payload] of [...Object.entries(roomRequests), ['message:send', sent] as const])
    expect([event, await codeOf(mole, event, { room: den, ...payload })]).toEqual([event, 'unknown_room']);
  for (const event of ['message:edit', 'message:delete'])
    expect(await codeOf(mole, event, { room: den, seq, text: 'changed' })).toBe('unknown_room');
  expect((await mole.request('message:search', { query: 'mine' })).messages).toEqual([]);
  await say(ann, den, `${secret} after the removal`);
  await ann.request('room:update', { room: den, topic: `${secret} changed` });
  await ann.request('typing:set', { room: den, typing: true });
  // Presence changes are batched for the longest time, so this event comes last.
  (await site.again(ben)).close();
  const there = (await member()).id;
  await expect
    .poll(() => eventsOf(ben, 'presence:changed').flatMap(({ joined }) => joined.map(({ id }) => id)))
    .toContain(there);
  await ann.request('message:delete', { room: den, seq, reason: secret });
  await mole.request('room:list', {});
  expect(mole.events.slice(before)).toEqual([]);
});

test('ensures that nothing comes after `room:removed` if a user joins during the removal', async () => {
  const mole = await person();
  for (let round = 0; round < size(30, 8); round++) {
    await ann.request('room:invite', { room: den, users: [mole.id] });
    await expect.poll(() => eventsOf(mole, 'room:added')).toHaveLength(round + 1);
    // Before, during and after the removal.
    const joins = Array.from({ length: 5 }, () => mole.raw('room:join', { room: den }));
    const removal = ann.request('room:remove', { room: den, user: mole.id });
    joins.push(mole.raw('room:join', { room: den }));
    await removal;
    await Promise.all(joins);
    await expect.poll(() => eventsOf(mole, 'room:removed')).toHaveLength(round + 1);
    const removed = mole.events.length;
    await say(ann, den, `${secret} ${round}`);
    await mole.request('room:list', {});
    expect(mole.events.slice(removed)).toEqual([]);
    expect(await codeOf(mole, 'message:send', { room: den, text: 'x', clientId: `m${round}` })).toBe(
      'unknown_room',
    );
  }
});

test('ignores entries of the session’s room list that name rooms of users', async () => {
  const { room } = await ann.request('direct:open', { user: ben.id });
  const forged = await person({ rooms: [den, room.id, { [den]: 'x' }] });
  expect(forged.ready.rooms.filter(({ member }) => member)).toEqual([]);
  expect(leaks(forged)).toEqual([]);
});

test('returns lists, pages and cursors that do not depend on a hidden name', async () => {
  const target = await person({ firstname: 'Zoe' });
  const room = (await site.den(eve, [ann, target, ben])).id;
  await site.api('PATCH', '/rooms/lobby/members', { add: [target.id] });
  for (const id of [room, 'lobby']) await eve.request('room:join', { room: id });
  const cursorOf = (...key: unknown[]) => Buffer.from(JSON.stringify(key)).toString('base64url');
  const look = async () => {
    const answers: unknown[] = [];
    for (const id of [room, 'lobby']) {
      for (const present of [{}, { present: true }, { present: false }]) {
        const list = (over: object) => eve.raw('room:members', { room: id, ...present, ...over });
        const first = await list({ limit: 1 });
        const cursors = [[target.id], ['', target.id], ['m', ''], ['name of', target.id], ['\u{10ffff}', '']];
        answers.push(await list({}), first);
        for (const key of cursors) answers.push(await list({ cursor: cursorOf(...key) }));
      }
    }
    for (const query of ['a', 'adam', 'z', 'zoe', target.id]) {
      answers.push(await eve.raw('user:find', { query }));
    }
    return answers;
  };
  const before = await look();
  expect(JSON.stringify(before)).toContain(target.id);
  expect(JSON.stringify(before)).not.toContain('Zoe');
  const renamed = nextOf(target, 'session:changed');
  await site.writeSession(target, { firstname: 'Adam' });
  await renamed;
  expect(await look()).toEqual(before);
});

test('does not reveal the number of reports in other rooms by the cursor of report:list', async () => {
  const mia = await person();
  const { id: room } = await site.den(eve, [mia]);
  await mia.request('room:join', { room });
  await ben.request('room:join', { room: den });
  const reported = async (author: Person, by: Person, where: string) => {
    const { seq } = await say(author, where);
    await by.request('message:report', { room: where, seq, reason: 'spam' });
  };
  const list = (more: object = {}) => eve.request('report:list', { limit: 1, ...more });
  await eve.request('room:join', { room });
  for (let n = 0; n < 3; n++) await reported(mia, eve, room);
  const { reports, next } = await list();
  for (let n = 0; n < 20; n++) await reported(ann, ben, den);
  await reported(mia, eve, room);
  const { next: later } = await list();
  const [a, b] = [next, later].map((cursor) => Buffer.from(cursor as string, 'base64url'));
  expect(a?.length).toBe(b?.length);
  expect((a as Buffer).filter((byte, n) => byte === (b as Buffer)[n]).length).toBeLessThan(8);
  const newest = await list({ limit: 100 });
  expect([reports[0], ...(await list({ cursor: next, limit: 100 })).reports]).toEqual(
    newest.reports.slice(1),
  );
  const ofNumber = Buffer.from('[2]').toString('base64url');
  const { next: ofSearch } = await eve.request('message:search', { query: 'e', limit: 1 });
  const ofZeros = Buffer.alloc(a?.length ?? 0).toString('base64url');
  for (const cursor of [ofNumber, ofZeros, `${next}A`, ofSearch as string])
    expect([cursor, await codeOf(eve, 'report:list', { cursor })]).toEqual([cursor, 'bad_request']);
});

test('excludes from GET /me a room that the site removed from the session while no page was open', async () => {
  const room = `team-${newClientId()}`;
  const [mole, mia] = [await person({ rooms: [room] }), await person({ rooms: [room] })];
  await mia.request('room:join', { room });
  mole.close();
  await mole.disconnected;
  await say(mia, room, `@${mole.id}`, { mentions: [{ user: mole.id, start: 0, length: 1 }] });
  expect(await me(mole)).toMatchObject({ unread: 1, mentions: 1 });
  await site.writeSession(mole, { rooms: [] });
  const nothing = { user: { id: mole.id }, unread: 0, mentions: 0 };
  expect(await me(mole)).toMatchObject(nothing);
  // Also after the server has dropped the user from memory.
  await expect
    .poll(() => eventsOf(mia, 'presence:changed').some(({ left }) => left.includes(mole.id)))
    .toBe(true);
  expect(await me(mole)).toMatchObject(nothing);
});
