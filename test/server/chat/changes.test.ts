import { expect, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import { codeOf, eventsOf, say, sharedSite, startPeopleSite } from '../../helpers/people.ts';

/** Events after the site changes a user’s session, and events of rooms that a connection does not show. */
const site = sharedSite(() => startPeopleSite());

test('names the peer in the activity of a direct room', async () => {
  const [ann, ben] = await site.people(2);
  const { room } = await ann.request('direct:open', { user: ben.id });
  await ann.request('room:join', { room: room.id });
  await say(ann, room.id);
  await ben.request('room:join', { room: room.id });
  await say(ben, room.id);
  const others = [await site.again(ann), await site.again(ben)] as const;
  await say(ann, room.id, 'news');
  // An activity event of an earlier message may come first.
  for (const [client, partner] of [
    [others[0], ben],
    [others[1], ann],
  ] as const)
    await expect
      .poll(() => eventsOf(client, 'room:activity').at(-1))
      .toMatchObject({ room: room.id, members: 2, name: `Name of ${partner.id}`, last: { text: 'news' } });
});

test('updates the user’s rights in all rooms after a new site role', async () => {
  const [ann, ben] = await site.people(2);
  const { id } = await site.den(ann, [ben]);
  await ben.request('room:join', { room: 'lobby' });
  await site.writeSession(ben, { roles: 'moderator' });
  await expect.poll(() => eventsOf(ben, 'session:changed')).toHaveLength(1);
  const changed = () => eventsOf(ben, 'room:changed').map((room) => [room.id, room.may]);
  await expect.poll(changed).toHaveLength(2);
  expect(Object.fromEntries(changed())).toEqual({
    [id]: ['send', 'invite', 'update', 'remove', 'moderate', 'pin', 'leave'],
    lobby: ['send', 'update', 'remove', 'moderate', 'pin', 'leave'],
  });
});

test('adds and removes rooms of the session’s list without `session:changed`', async () => {
  const ann = await site.person();
  const room = `team-${newClientId()}`;
  await site.writeSession(ann, { rooms: [room] });
  await expect.poll(() => eventsOf(ann, 'room:added')).toMatchObject([{ id: room }]);
  await site.writeSession(ann, { rooms: [room], firstname: 'Other' });
  await expect.poll(() => eventsOf(ann, 'session:changed')).toMatchObject([{ user: { name: 'Other' } }]);
  await site.writeSession(ann, { rooms: [] });
  const lost = { room, readable: false, reason: 'site' };
  await expect.poll(() => eventsOf(ann, 'room:removed')).toEqual([lost]);
  expect(await codeOf(ann, 'room:join', { room })).toBe('unknown_room');
});

test('logs invalid entries of the session’s room list once, without their text', async () => {
  const logged = () =>
    [...site.chat.output().matchAll(/^\{.*"setting":"CHAT_USER_ROOMS".*\}$/gm)].map(
      ([line]) => (JSON.parse(line) as { reason: string }).reason,
    );
  const ann = await site.person({ rooms: ['team-1', 'very secret!', 7, null, 'd-direct'] });
  const tabs = [await site.again(ann), await site.again(ann)];
  const first =
    '2 of 5 entries are not ids, the first is number 2; 1 IDs begin with u-, d- or r-, which are reserved for the chat';
  await expect.poll(logged).toEqual([first]);
  // Change another part of the session.
  await site.writeSession(ann, {
    rooms: ['team-1', 'very secret!', 7, null, 'd-direct'],
    firstname: 'Renamed',
  });
  for (const client of [ann, ...tabs])
    await expect.poll(() => eventsOf(client, 'session:changed')).toHaveLength(1);
  expect(logged()).toEqual([first]);
  await site.writeSession(ann, { rooms: 'very secret!' });
  const second = 'the value is neither a list of IDs nor a map from IDs to names';
  await expect.poll(logged).toEqual([first, second]);
  await site.writeSession(ann, { rooms: Array.from({ length: 502 }, (_, n) => n) });
  const third = 'only the first 500 entries count';
  await expect.poll(logged).toEqual([first, second, third]);
  expect(site.chat.output()).not.toContain('very secret');
});

test('does not announce the first visit of a member known to all', async () => {
  const [ann, ben, eva] = await site.people(3);
  for (const client of [ann, ben]) await client.request('room:join', { room: 'lobby' });
  const { id } = await site.den(ann, [ben, eva]);
  await ann.request('room:join', { room: id });
  const known = await ann.request('room:members', { room: id });
  const events = () => eventsOf(ann, 'members:changed').filter(({ room }) => room === id);
  await ben.request('room:join', { room: id });
  // Ann does not know Eva before Eva joins. An event about Ben would come before Eva's or with it.
  await eva.request('room:join', { room: id });
  const ofEva = { user: { id: eva.id, name: `Name of ${eva.id}` }, role: 'member', present: true };
  await expect.poll(events).toEqual([{ room: id, changed: [ofEva], count: 3 }]);
  expect((await ann.request('room:members', { room: id })).members).toEqual(
    expect.arrayContaining(known.members.filter(({ user }) => user.id !== eva.id)),
  );
  for (const client of [ann, ben, eva]) client.close();
});
