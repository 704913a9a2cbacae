import { beforeAll, expect, test } from 'vitest';
import { refusalOf } from '../../helpers/chat-client.ts';
import {
  codeOf,
  eventsOf,
  nextOf,
  type Person,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';

/** User IDs are compared byte by byte, so these are different users. Two IDs contain the two forms of `ó`. */
const ids = ['Bob', 'bob', 'bob ', 'B\u00f3b', 'Bo\u0301b'];
const site = sharedSite(() =>
  startPeopleSite({
    CHAT_FIND_PEOPLE: 'all',
    CHAT_SEEN: 'off',
    CHAT_LIMIT_SEND: '3/1h',
    CHAT_LIMIT_CONNECTIONS_USER: '2',
  }),
);
let people: Person[];
beforeAll(async () => {
  people = await Promise.all(ids.map((id) => site.person({}, id)));
});

const connections = async () =>
  Promise.all(
    ids.map(async (id) => (await site.api('GET', `/users/${encodeURIComponent(id)}`)).body.connections),
  );

test('gives similar user IDs separate limits and connection quotas', async () => {
  const [limited, ...rest] = await Promise.all(ids.map((id) => site.person({}, `quota${id}`)));
  for (const client of [limited, ...rest] as Person[]) await client.request('room:join', { room: 'lobby' });
  for (let n = 0; n < 3; n++) await say(limited as Person, 'lobby');
  expect(await codeOf(limited as Person, 'message:send', { room: 'lobby', text: 'x', clientId: 'x' })).toBe(
    'rate_limited',
  );
  for (const client of rest) await say(client, 'lobby');
  const second = await site.person({}, `quota${ids[0]}`);
  expect((await refusalOf(site.person({}, `quota${ids[0]}`))).message).toBe('rate_limited');
  second.close();
  (await site.person({}, `quota${ids[1]}`)).close();
});

test('with CHAT_SEEN=off, does not reveal read markers to the peer', async () => {
  const [reader, author] = await Promise.all(['reads', 'writes'].map((id) => site.person({}, id)));
  const { room } = await (reader as Person).request('direct:open', { user: 'writes' });
  for (const client of [reader, author] as Person[]) {
    await client.request('room:join', { room: room.id });
    await say(client, room.id);
  }
  await (reader as Person).request('read:mark', { room: room.id, seq: 2 });
  const { seq } = await say(reader as Person, room.id);
  const written = () => eventsOf(author as Person, 'message:new').map((message) => message.seq);
  await expect.poll(written).toContain(seq);
  expect(eventsOf(author as Person, 'read:changed').filter(({ user }) => user === 'reads')).toEqual([]);
  expect((await (author as Person).request('room:join', { room: room.id })).room).not.toHaveProperty(
    'readByOther',
  );
});

test('adds all users of PUT /api/users, or none if one is invalid', async () => {
  const looking = await site.person();
  const found = async () => (await looking.request('user:find', { query: 'kim' })).users;
  const users = [
    { id: 'kim', name: 'Kim Adams' },
    { id: 'kim ', name: 'Kim Brown' },
  ];
  const bad = [...users, { id: '', name: 'Kim Nobody' }];
  expect((await site.api('PUT', '/users', { users: bad })).status).toBe(400);
  expect(await found()).toEqual([]);
  expect(await site.api('PUT', '/users', { users })).toEqual({ status: 200, body: { count: 2 } });
  expect(await found()).toEqual(users);
  // The session contains a newer name.
  await site.person({}, 'kim');
  expect(await found()).toContainEqual({ id: 'kim', name: 'Name of kim' });
});

test('applies pushes, disconnects, bans and memberships of the API to the exact user ID', async () => {
  for (const [n, client] of people.entries()) {
    const id = encodeURIComponent(ids[n] as string);
    const pushed = nextOf(client, 'push');
    expect((await site.api('POST', `/users/${id}/push`, { name: `for-${n}` })).body).toEqual({
      delivered: 1,
    });
    expect(await pushed).toEqual({ name: `for-${n}` });
    expect(eventsOf(client, 'push')).toHaveLength(1);
  }
  await site.api('PUT', '/rooms/bobs', { name: 'Bobs', kind: 'private' });
  expect((await site.api('PATCH', '/rooms/bobs/members', { add: ids })).body).toEqual({ count: 5 });
  expect((await site.api('PATCH', '/rooms/bobs/members', { remove: ['bob '] })).body).toEqual({ count: 4 });
  expect((await site.api('PUT', `/users/${encodeURIComponent('bob ')}/ban`, {})).body).toEqual({ closed: 1 });
  expect(await people[2]?.ended).toMatchObject({ reason: 'kicked' });
  expect((await refusalOf(site.again(people[2] as Person))).message).toBe('forbidden');
  expect((await site.api('DELETE', `/users/${encodeURIComponent('B\u00f3b')}/connections`)).body).toEqual({
    closed: 1,
  });
  expect(await connections()).toEqual([1, 1, 0, 0, 1]);
});
