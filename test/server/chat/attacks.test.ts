import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import {
  codeOf,
  eventsOf,
  nextOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';
import { roomRequests } from '../../helpers/room-requests.ts';

/**
 * A user tries to learn about a room, or to act in it, without being in it. Eve has an account like everybody else,
 * knows the protocol, and may even know the id of the room.
 */
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ROOMS: 'lobby,garden', CHAT_CREATE_ROOMS: 'all' });
});
afterAll(() => site.close());

let ann: Person;
let ben: Person;
let eve: Person;
/** Ann's room, with Ben in it. */
let den: string;
/** Contained in the room's name, its topic and all its messages. */
let secret: string;
const everybody: Person[] = [];
async function person(session?: object, id?: string): Promise<Person> {
  const one = await site.person(session, id);
  everybody.push(one);
  return one;
}
beforeEach(async () => {
  secret = `secret${newClientId().replaceAll('-', 'x')}`;
  [ann, ben, eve] = [await person(), await person(), await person()];
  den = (await site.den(ann, [ben], { name: `Den of ${secret}`, topic: secret })).id;
  for (const member of [ann, ben]) await member.request('room:join', { room: den });
  for (const text of ['one', 'two', 'three']) await say(ann, den, `${secret} ${text}`);
});
afterEach(() => {
  for (const one of everybody.splice(0)) one.close();
});

/** Makes sure that the events of all earlier requests would have arrived. */
const settled = async (client: Person) => {
  await pause(300);
  await client.request('room:list', {});
};
const heard = (client: Person) => client.events.filter(({ name }) => name !== 'session:ready');
/** Eve's events and answers must contain neither the room nor its messages. */
const hasLearnt = (client: Person, ...answers: unknown[]) => {
  const all = JSON.stringify([client.ready, client.events, ...answers]);
  return [den, secret].filter((word) => all.includes(word));
};

test('1 as a moderator or admin of the site: rooms that they are not members of do not exist for them', async () => {
  for (const roles of ['moderator', 'admin']) {
    const boss = await person({ roles });
    for (const [event, payload] of Object.entries(roomRequests)) {
      expect([event, await codeOf(boss, event, { room: den, ...payload })]).toEqual([event, 'unknown_room']);
    }
    expect(hasLearnt(boss, await boss.request('message:search', { query: secret }))).toEqual([]);
  }
});

test('2 by the lists of rooms, in every page and by every query', async () => {
  const answers: unknown[] = [];
  for (const member of [true, false]) {
    for (const query of ['', 'den', secret]) {
      for (let cursor: string | undefined, more = true; more; ) {
        const page = await eve.request('room:list', {
          member,
          query,
          limit: 1,
          ...(cursor ? { cursor } : {}),
        });
        answers.push(page);
        cursor = page.next;
        more = cursor !== undefined;
      }
    }
  }
  expect(hasLearnt(eve, answers)).toEqual([]);
});

test('3 by a cursor of a member: it opens no list but the own one', async () => {
  await site.den(ann);
  const { next } = await ann.request('room:list', { limit: 1 });
  const own = await eve.request('room:list', { cursor: next as string });
  expect(own.rooms).toEqual([]);
  const { next: members } = await ann.request('room:members', { room: den, limit: 1 });
  expect(await codeOf(eve, 'room:members', { room: den, cursor: members })).toBe('unknown_room');
});

test('4 by counts: unread, totals and GET /me know nothing of rooms of others', async () => {
  const fresh = await site.again(eve);
  everybody.push(fresh);
  expect(fresh.ready.totals).toEqual({ unread: 0, mentions: 0 });
  expect(fresh.ready.more).toBe(false);
  const me = await fetch(`${site.chat.url}/me`, {
    headers: { cookie: eve.cookie, 'sec-fetch-site': 'same-origin' },
  });
  expect(await me.json()).toEqual({
    user: { id: eve.id, name: `Name of ${eve.id}` },
    unread: 0,
    mentions: 0,
  });
});

test('5 by previews: `last` and `room:activity` do not reach who has been removed', async () => {
  const mole = await person();
  const added = nextOf(ben, 'members:changed');
  await ann.request('room:invite', { room: den, users: [mole.id] });
  await added;
  await ann.request('room:remove', { room: den, user: mole.id });
  await expect.poll(() => eventsOf(mole, 'room:removed')).toHaveLength(1);
  const before = mole.events.length;
  await say(ann, den, `${secret} after the removal`);
  await ann.request('room:update', { room: den, topic: 'changed' });
  await settled(mole);
  expect(mole.events.slice(before)).toEqual([]);
  expect(JSON.stringify(await mole.request('room:list', {}))).not.toContain(secret);
});

test('6 by searching for what may have been said, a piece of it, or the room', async () => {
  const answers: unknown[] = [];
  for (const query of [secret, secret.slice(0, 7), 'on', 's', 'two', den]) {
    answers.push((await eve.request('message:search', { query })).messages);
    expect(await codeOf(eve, 'message:search', { query, room: den })).toBe('unknown_room');
  }
  expect(answers.flat()).toEqual([]);
});

test('7 by words that mean something to the index', async () => {
  const queries = [
    '" OR room : r1 OR "',
    'room:r1',
    'r1',
    'r4',
    'text:*',
    '*',
    '"',
    'NEAR(a b)',
    'AND',
    "' OR 1=1 --",
    '%',
    '_',
  ];
  for (const query of queries) {
    const answer = await eve.raw('message:search', { query });
    expect([query, answer]).toMatchObject([query, { ok: true, data: { messages: [] } }]);
  }
});

test('8 by the cursor of a member’s search: it finds nothing, and opens no room', async () => {
  const { next } = await ann.request('message:search', { query: secret, limit: 1 });
  expect((await eve.request('message:search', { query: secret, cursor: next as string })).messages).toEqual(
    [],
  );
});

test('9 by the own search’s cursor: it does not count what others write', async () => {
  await eve.request('room:join', { room: 'garden' });
  const word = newClientId();
  for (let n = 0; n < 3; n++) await say(eve, 'garden', word);
  const { next } = await eve.request('message:search', { query: word, limit: 1 });
  for (let n = 0; n < 20; n++) await say(ann, den, secret);
  await say(eve, 'garden', word);
  await say(eve, 'garden', word);
  const { next: later } = await eve.request('message:search', { query: word, limit: 1 });
  // A number, in any encoding, would be similar to the one before.
  const [a, b] = [next, later].map((cursor) => Buffer.from(cursor as string, 'base64url'));
  expect((a as Buffer).filter((byte, n) => byte === (b as Buffer)[n]).length).toBeLessThan(8);
  for (const forged of ['1', '999999', Buffer.alloc(16).toString('base64url'), `${next}A`, 'x']) {
    expect([forged, await codeOf(eve, 'message:search', { query: word, cursor: forged })]).toEqual([
      forged,
      'bad_request',
    ]);
  }
});

test('10 by history and sync after having been a member, however far back', async () => {
  const mole = await person();
  await ann.request('room:invite', { room: den, users: [mole.id] });
  await mole.request('room:join', { room: den });
  const own = await say(mole, den, 'mine');
  await ann.request('room:remove', { room: den, user: mole.id });
  for (const [event, payload] of [
    ['room:sync', { since: 0 }],
    ['room:sync', { since: own.rev }],
    ['room:join', { since: own.rev }],
    ['message:history', { before: own.seq }],
    ['message:history', { after: 0 }],
    ['read:mark', { seq: own.seq }],
  ] as const) {
    expect(await codeOf(mole, event, { room: den, ...payload })).toBe('unknown_room');
  }
  expect((await mole.request('message:search', { query: 'mine' })).messages).toEqual([]);
});

test('11 by editing or deleting: not even one’s own message of the time as a member', async () => {
  const mole = await person();
  await ann.request('room:invite', { room: den, users: [mole.id] });
  await mole.request('room:join', { room: den });
  const { seq } = await say(mole, den, 'mine');
  await ann.request('room:remove', { room: den, user: mole.id });
  for (const target of [1, seq]) {
    expect(await codeOf(mole, 'message:edit', { room: den, seq: target, text: 'changed' })).toBe(
      'unknown_room',
    );
    expect(await codeOf(mole, 'message:delete', { room: den, seq: target })).toBe('unknown_room');
  }
  const { messages } = await ann.request('message:history', { room: den });
  expect(messages.map(({ text }) => text)).not.toContain('changed');
  expect(messages.some(({ deletedAt }) => deletedAt !== undefined)).toBe(false);
});

test('12 by a reply: it names a message of its own room, and brings no text with it', async () => {
  const room = (await site.den(eve)).id;
  await eve.request('room:join', { room });
  expect(await codeOf(eve, 'message:send', { room, text: 'x', clientId: 'r', replyTo: 1 })).toBe(
    'unknown_message',
  );
  const { message } = await eve.request('message:send', { room, text: 'x', clientId: 'r' });
  const reply = await say(eve, room, 'y', { replyTo: 1, quote: den, replyRoom: den });
  expect(reply).toEqual({ ...reply, room, replyTo: message.seq });
  expect(hasLearnt(eve, reply)).toEqual([]);
});

test('13 by typing: nobody inside sees who is outside, and the other way round', async () => {
  expect(await codeOf(eve, 'typing:set', { room: den, typing: true })).toBe('unknown_room');
  await ann.request('typing:set', { room: den, typing: true });
  await expect.poll(() => eventsOf(ben, 'typing:changed')).toHaveLength(1);
  await settled(eve);
  expect(eventsOf(ann, 'typing:changed')).toEqual([]);
  expect(heard(eve)).toEqual([]);
});

test('14 by presence and changes of members: they are told inside alone', async () => {
  const mole = await person();
  await ann.request('room:invite', { room: den, users: [mole.id] });
  await mole.request('room:join', { room: den });
  await expect.poll(() => eventsOf(ben, 'presence:changed').length).toBeGreaterThan(0);
  await mole.request('room:remove', { room: den, user: mole.id });
  const before = mole.events.length;
  ben.close();
  await expect
    .poll(() => eventsOf(ann, 'presence:changed').some(({ left }) => left.includes(ben.id)))
    .toBe(true);
  await settled(mole);
  expect(mole.events.slice(before)).toEqual([]);
  expect(heard(eve)).toEqual([]);
});

test('15 by guessing a direct room: it has 128 random bits, and is of two users alone', async () => {
  const { room } = await ann.request('direct:open', { user: ben.id });
  expect(Buffer.from(room.id.slice(2), 'base64url')).toHaveLength(16);
  await ann.request('room:join', { room: room.id });
  await say(ann, room.id, secret);
  expect((await eve.request('direct:open', { user: ben.id })).room.id).not.toBe(room.id);
  expect(hasLearnt(eve)).toEqual([]);
  // The PHP application cannot write there as a third user either.
  const answer = await site.api('POST', `/rooms/${room.id}/messages`, {
    user: { id: eve.id, name: 'Eve' },
    text: 'x',
    clientId: 'x',
  });
  expect(answer).toMatchObject({ status: 404, body: { error: { code: 'unknown_room' } } });
});

test('16 by opening a direct room: neither name nor presence of whom one does not know', async () => {
  const { room } = await eve.request('direct:open', { user: ann.id });
  expect(room).toMatchObject({ name: ann.id, with: { id: ann.id, name: ann.id }, present: false });
  await eve.request('room:join', { room: room.id });
  await say(eve, room.id);
  const { rooms } = await eve.request('room:list', {});
  expect(rooms).toMatchObject([{ name: ann.id, present: false }]);
  const nobody = (await eve.request('direct:open', { user: 'nobody-at-all' })).room;
  expect({ ...nobody, id: '', name: '', with: {} }).toEqual({
    ...room,
    id: '',
    name: '',
    with: {},
  });
});

test('17 by inviting somebody: not the name by the list, its cursor, its search or the events', async () => {
  const name = `Hidden ${secret}`;
  const target = await person({ firstname: name });
  const room = (await site.den(eve, [target])).id;
  await eve.request('room:join', { room });
  await eve.request('room:invite', { room, users: ['a-nobody', 'z-nobody'] });
  const answers: unknown[] = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await eve.request('room:members', { room, limit: 1, ...(cursor ? { cursor } : {}) });
    answers.push(page, cursor && Buffer.from(cursor, 'base64url').toString('latin1'));
    cursor = page.next;
    more = cursor !== undefined;
  }
  expect(answers.filter((page) => typeof page === 'object')).toHaveLength(4);
  for (const query of ['hidden', secret]) {
    expect((await eve.request('room:members', { room, query })).members).toEqual([]);
    expect((await eve.request('user:find', { query, room })).users).toEqual([]);
  }
  answers.push(await eve.request('room:role', { room, user: target.id, role: 'moderator' }));
  await settled(eve);
  expect(JSON.stringify([eve.events, answers])).not.toContain(secret);
});

test('18 by looking for people: members of a room that one is not in are not found by it', async () => {
  expect(await eve.request('user:find', { query: 'Name of' })).toEqual({ users: [], inRoom: [] });
  expect(await codeOf(eve, 'user:find', { query: 'Name of', room: den })).toBe('unknown_room');
  // A common room shows presence, not the user's other rooms.
  await eve.request('room:join', { room: 'lobby' });
  await ann.request('room:join', { room: 'lobby' });
  expect((await eve.request('user:find', { query: ann.id, room: 'lobby' })).inRoom).toEqual([ann.id]);
  expect(await codeOf(eve, 'user:find', { query: ann.id, room: den })).toBe('unknown_room');
});

test('19 by the API without a key, with another, and with a session in its place', async () => {
  for (const headers of [{}, { authorization: 'Bearer an-api-key-for-testz' }, { cookie: ann.cookie }]) {
    for (const [method, path] of [
      ['GET', `/api/users/${ann.id}`],
      ['PATCH', `/api/rooms/${den}/members`],
      ['PATCH', '/api/rooms/u-none/members'],
      ['DELETE', `/api/rooms/${den}`],
      ['POST', `/api/rooms/${den}/messages`],
      ['POST', `/api/users/${ann.id}/push`],
    ] as const) {
      const answer = await fetch(site.chat.url + path, {
        method,
        headers: headers as Record<string, string>,
      });
      expect([
        path,
        answer.status,
        ((await answer.json()) as { error: { code: string } }).error.code,
      ]).toEqual([path, 401, 'unauthorized']);
    }
  }
});

test('20 by GET /me with no cookie, a foreign page, or the session of nobody', async () => {
  const me = async (headers: Record<string, string>) => {
    const answer = await fetch(`${site.chat.url}/me`, { headers });
    return { status: answer.status, body: await answer.json() };
  };
  const own = { 'sec-fetch-site': 'same-origin' };
  expect(await me(own)).toEqual({ status: 200, body: {} });
  expect(await me({ ...own, cookie: 'PHPSESSID=0123456789abcdef' })).toEqual({ status: 200, body: {} });
  expect(await me({ cookie: ann.cookie, origin: 'https://evil.example' })).toMatchObject({ status: 403 });
  expect(await me({ cookie: ann.cookie, 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
});

test('21 by joining in the moment of the removal: nothing comes after `room:removed`', async () => {
  const mole = await person();
  for (let round = 0; round < 30; round++) {
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

test('22 by a clientId: a repeat gives back neither another’s message, nor one’s own after the removal', async () => {
  const mole = await person();
  await ann.request('room:invite', { room: den, users: [mole.id] });
  await mole.request('room:join', { room: den });
  const first = await ann.request('message:send', { room: den, text: 'of Ann', clientId: 'shared' });
  const other = await mole.request('message:send', { room: den, text: 'of the mole', clientId: 'shared' });
  expect(other.message.seq).toBe(first.message.seq + 1);
  await ann.request('room:remove', { room: den, user: mole.id });
  const again = { room: den, text: 'of the mole', clientId: 'shared' };
  expect(await codeOf(mole, 'message:send', again)).toBe('unknown_room');
  expect(await codeOf(mole, 'message:send', { ...again, text: 'other' })).toBe('unknown_room');
});

test('23 by the clientId of a room that one has made and lost', async () => {
  const clientId = newClientId();
  const { room } = await eve.request('room:create', {
    name: 'Mine',
    kind: 'private',
    members: [ann.id],
    clientId,
  });
  await eve.request('room:remove', { room: room.id, user: eve.id });
  await ann.request('room:join', { room: room.id });
  await say(ann, room.id, secret);
  // It is a new room, as it would be if the lost one were deleted: see lost-rooms.test.ts.
  const answer = await eve.request('room:create', { name: 'Mine', kind: 'private', clientId });
  expect(answer.room).toMatchObject({ members: 1, lastSeq: 0 });
  expect(answer.room.id).not.toBe(room.id);
  expect(hasLearnt(eve, answer)).toEqual([]);
});

test('24 by making a room of the same name: private rooms have none that could be taken', async () => {
  const { room } = await eve.request('room:create', {
    name: `Den of ${secret}`,
    kind: 'public',
    clientId: newClientId(),
  });
  expect(await codeOf(eve, 'room:update', { room: room.id, name: `DEN OF ${secret}` })).toBe('ok');
  await eve.request('room:delete', { room: room.id });
});

test('25 by a list in the session that names rooms of people', async () => {
  const { room } = await ann.request('direct:open', { user: ben.id });
  const forged = await person({ rooms: [den, room.id, { [den]: 'x' }] });
  expect(forged.ready.rooms.filter(({ member }) => member)).toEqual([]);
  expect(hasLearnt(forged)).toEqual([]);
});

describe('26 by a push', () => {
  test('it goes to the user whom the site has named, and to nobody else', async () => {
    const pushed = nextOf(ann, 'push');
    const answer = await site.api('POST', `/users/${ann.id}/push`, { name: 'order', data: secret });
    expect(answer).toEqual({ status: 202, body: { delivered: 1 } });
    expect(await pushed).toEqual({ name: 'order', data: secret });
    await settled(eve);
    expect(hasLearnt(eve)).toEqual([]);
  });

  test('a removed user is not notified that, or why, a message was deleted there', async () => {
    const mole = await person();
    await ann.request('room:invite', { room: den, users: [mole.id] });
    await mole.request('room:join', { room: den });
    const { seq } = await say(mole, den, 'mine');
    await ann.request('room:remove', { room: den, user: mole.id });
    await expect.poll(() => eventsOf(mole, 'room:removed')).toHaveLength(1);
    const before = mole.events.length;
    await ann.request('message:delete', { room: den, seq, reason: secret });
    await settled(mole);
    expect(mole.events.slice(before)).toEqual([]);
  });
});

test('27 by the place of a name that is not shown: whatever it is, lists, pages and cursors are the same', async () => {
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

test('28 by the cursor of the own room’s reports: it does not count those of other rooms', async () => {
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

test('29 by GET /me after the site has taken the room away, while no page is open', async () => {
  const room = `team-${newClientId()}`;
  const [mole, mia] = [await person({ rooms: [room] }), await person({ rooms: [room] })];
  await mia.request('room:join', { room });
  mole.close();
  await mole.disconnected;
  await say(mia, room, `@${mole.id}`, { mentions: [{ user: mole.id, start: 0, length: 1 }] });
  const me = async () => {
    const headers = { 'sec-fetch-site': 'same-origin', cookie: mole.cookie };
    return (await (await fetch(`${site.chat.url}/me`, { headers })).json()) as object;
  };
  expect(await me()).toMatchObject({ unread: 1, mentions: 1 });
  await site.writeSession(mole, { rooms: [] });
  const nothing = { user: { id: mole.id }, unread: 0, mentions: 0 };
  expect(await me()).toMatchObject(nothing);
  // Nor when the server has forgotten the user.
  await expect
    .poll(() => eventsOf(mia, 'presence:changed').some(({ left }) => left.includes(mole.id)))
    .toBe(true);
  expect(await me()).toMatchObject(nothing);
});
