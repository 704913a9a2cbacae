import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import { eventsOf, nextOf, type PeopleSite, say, startPeopleSite } from '../../helpers/people.ts';

/** What connections are told when the site changes somebody’s session, and of rooms that they do not show. */
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite();
});
afterAll(() => site.close());

test('the activity of a direct room names the other one to each side', async () => {
  const [ann, ben] = [await site.person(), await site.person()];
  const { room } = await ann.request('direct:open', { user: ben.id });
  await ann.request('room:join', { room: room.id });
  await say(ann, room.id);
  await ben.request('room:join', { room: room.id });
  await say(ben, room.id);
  const others = [await site.again(ann), await site.again(ben)] as const;
  const told = others.map((client) => nextOf(client, 'room:activity'));
  await say(ann, room.id, 'news');
  const [toAnn, toBen] = await Promise.all(told);
  expect(toAnn).toMatchObject({
    room: room.id,
    members: 2,
    name: `Name of ${ben.id}`,
    last: { text: 'news' },
  });
  expect(toBen).toMatchObject({
    room: room.id,
    members: 2,
    name: `Name of ${ann.id}`,
    last: { text: 'news' },
  });
});

test('a role on the site changes the rights in one’s rooms: each is told', async () => {
  const [ann, ben] = [await site.person(), await site.person()];
  const { id } = await site.den(ann, [ben]);
  await ben.request('room:join', { room: 'lobby' });
  await site.writeSession(ben, { roles: 'moderator' });
  await expect.poll(() => eventsOf(ben, 'session:changed')).toHaveLength(1);
  const changed = () => eventsOf(ben, 'room:changed').map((room) => [room.id, room.may]);
  await expect.poll(changed).toHaveLength(2);
  expect(Object.fromEntries(changed())).toEqual({
    [id]: ['send', 'invite', 'update', 'remove', 'moderate', 'leave'],
    lobby: ['send', 'update', 'remove', 'moderate', 'leave'],
  });
});

test('a new list of rooms in the session changes rooms, and nothing that `session:changed` would tell', async () => {
  const ann = await site.person();
  const room = `team-${newClientId()}`;
  await site.writeSession(ann, { rooms: [room] });
  await expect.poll(() => eventsOf(ann, 'room:added')).toMatchObject([{ id: room }]);
  await pause(300);
  expect(eventsOf(ann, 'session:changed')).toEqual([]);
  await site.writeSession(ann, { rooms: [room], firstname: 'Other' });
  await expect.poll(() => eventsOf(ann, 'session:changed')).toMatchObject([{ user: { name: 'Other' } }]);
});
