import { expect, test } from 'vitest';
import { connectUser } from '../../../server/chat/connected-users.ts';
import { createInvite, lookAtInvite, revokeInvite } from '../../../server/chat/invites.ts';
import { methods } from '../../../server/history/history.ts';
import type { Answers } from '../../../server/wire/events.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { closedAfterEach, eventsOf, type Person, type Several, sharedSite } from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

const site = sharedSite(() => startPeopleHere({ CHAT_LIMIT_INVITE: '1000/1h' }));

const inTest = closedAfterEach();
const person = async (session?: object): Promise<Person> => inTest(await site.person(session));
const users = <Count extends keyof Several>(count: Count) => site.people(count, inTest);
const link = (by: Person, room: string, over = {}) => by.request('invite:create', { room, ...over });
const accept = (who: Person, token: string) => who.request('invite:accept', { token });
/** Returns the responses when the user views and accepts a link. */
const triesOf = async (who: Person, token: string) => [
  await who.raw('invite:look', { token }),
  await who.raw('invite:accept', { token }),
];

test('shows the room of a link to members and to users who may join', async () => {
  const [ann, ben, eve] = await users(3);
  const { id: room } = await site.den(ann, [ben], { name: 'Den', topic: 'Saturday' });
  const { invite, token } = await link(ben, room);
  expect(invite).toEqual({
    id: expect.any(String),
    by: { id: ben.id, name: `Name of ${ben.id}` },
    at: expect.any(Number),
    until: invite.at + 7 * 24 * 60 * 60 * 1000,
    uses: 50,
    used: 0,
  });
  expect(Buffer.from(token, 'base64url').length).toBeGreaterThanOrEqual(16);
  // Ann added Ben, who has not acted in the room, so Ben's name is not shown.
  const shown: Answers['invite:look'] = {
    by: { id: ben.id, name: ben.id },
    name: 'Den',
    topic: 'Saturday',
    members: 2,
    present: 1,
    people: [{ id: ann.id, name: `Name of ${ann.id}` }],
  };
  expect(await eve.request('invite:look', { token })).toEqual(shown);
  expect(await eve.request('room:list', {})).toEqual({ rooms: [] });
  const joined = await accept(eve, token);
  expect(joined.room).toMatchObject({ id: room, member: true, role: 'member', members: 3, unread: 0 });
  expect(eventsOf(eve, 'room:added')).toEqual([]);
  expect(await eve.request('invite:look', { token })).toMatchObject({ room, members: 3, present: 2 });
  expect(await accept(eve, token)).toEqual(joined);
  const { invites } = await ben.request('invite:list', { room });
  expect(invites).toEqual([{ ...invite, used: 1 }]);
});

test('does not open a link during a ban of its maker from the site', async () => {
  const [ann, ben] = await users(2);
  const { id: room } = await site.den(ann);
  const { token } = await link(ann, room);
  await site.api('PUT', `/users/${ann.id}/ban`, {});
  expect(await triesOf(ben, token)).toEqual(await triesOf(ben, 'no-such-token'));
  await site.api('DELETE', `/users/${ann.id}/ban`);
  expect((await accept(ben, token)).room.id).toBe(room);
});

test('answers every unusable link like one that does not exist', async () => {
  const [ann, ben, eve] = await users(3);
  const { id: room } = await site.den(ann, [ben, eve]);
  const used = await link(ann, room, { uses: 1 });
  const expired = await link(ann, room, { seconds: 1 });
  const revoked = await link(ann, room);
  await ann.request('invite:revoke', { room, id: revoked.invite.id });
  const makerGone = await link(ben, room);
  const beforeRemoval = await link(ann, room);
  for (const { id: user } of [ben, eve]) await ann.request('room:remove', { room, user });
  await accept(await person(), used.token);
  const stranger = await person();
  const nothing = await triesOf(eve, 'no-such-token');
  expect(nothing[0]).toEqual({ ok: false, error: { code: 'unknown_invite', message: expect.any(String) } });
  await expect.poll(() => stranger.raw('invite:look', expired)).toEqual(nothing[0]);
  for (const { token } of [expired, used, revoked, makerGone])
    expect(await triesOf(stranger, token)).toEqual(nothing);
  expect(await triesOf(eve, beforeRemoval.token)).toEqual(nothing);
  const since = await link(ann, room);
  await ann.request('room:ban', { room, user: eve.id });
  expect(await triesOf(eve, since.token)).toEqual(nothing);
  await ann.request('room:ban', { room, user: eve.id, seconds: 0 });
  expect(await triesOf(eve, since.token)).toEqual(nothing);
  await accept(eve, (await link(ann, room)).token);
  // The links are deleted with the room.
  await ann.request('room:delete', { room });
  expect(await triesOf(stranger, beforeRemoval.token)).toEqual(nothing);
});

test('lets members manage their own links, and moderators all links', async () => {
  const [ann, ben, cat] = await users(3);
  const { id: room } = await site.den(ann, [ben, cat]);
  const [byAnn, byBen, byCat] = [await link(ann, room), await link(ben, room), await link(cat, room)];
  const idsFor = async (who: Person) =>
    (await who.request('invite:list', { room })).invites.map(({ id }) => id).sort();
  const all = [byAnn, byBen, byCat].map(({ invite }) => invite.id);
  expect(await idsFor(ann)).toEqual([...all].sort());
  expect(await idsFor(ben)).toEqual([byBen.invite.id]);
  expect(await ben.raw('invite:revoke', { room, id: byCat.invite.id })).toEqual({ ok: true, data: {} });
  expect(await idsFor(cat)).toEqual([byCat.invite.id]);
  await ann.request('invite:revoke', { room, id: byBen.invite.id });
  expect(await idsFor(ben)).toEqual([]);
  await site.api('DELETE', `/users/${cat.id}`);
  await expect.poll(() => idsFor(ann)).toEqual([byAnn.invite.id]);
});

test('lets removed users join by a link of a site moderator who is a member', async () => {
  const [ann, mod, eve] = [await person(), await person({ roles: 'moderator' }), await person()];
  const { id: room } = await site.den(ann, [mod, eve]);
  await ann.request('room:remove', { room, user: eve.id });
  const { token } = await link(mod, room);
  expect(await accept(eve, token)).toMatchObject({ room: { id: room } });
  await ann.request('room:remove', { room, user: eve.id });
  const again = await link(mod, room);
  await site.writeSession(mod, {});
  const nothing = await triesOf(eve, 'no-such-token');
  await expect.poll(() => eve.raw('invite:look', again)).toEqual(nothing[0]);
  expect(await triesOf(eve, again.token)).toEqual(nothing);
});

test('shows nothing for a link that is revoked while its room is read', async () => {
  let duringRead = async (): Promise<void> => undefined;
  const { chat, history, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      const answer = await stored.read[query](input);
      if (query === 'members') await duringRead();
      return answer;
    }),
  }));
  const at = Date.now();
  const by = { id: '1', name: 'Ann' };
  const ann = await connectUser(chat, 'a', { ...by, roles: [], rooms: [] });
  await history.write.createRoom({ id: 'den', kind: 'private', name: 'Den', by, clientId: 'c', most: 0, at });
  const den = chat.directory.find(ann.person, 'den');
  if (den === undefined) throw new Error('the room is not in memory');
  const eve = await connectUser(chat, 'e', { id: '2', name: 'Eve', roles: [], rooms: [] });
  const { invite, token } = await createInvite(chat, ann, den, { room: 'den', seconds: 0, uses: 0 });
  expect(await lookAtInvite(chat, eve, { token })).toMatchObject({ name: 'Den' });
  duringRead = async () => void (await revokeInvite(chat, ann, den, { room: 'den', id: invite.id }));
  await expect(lookAtInvite(chat, eve, { token })).rejects.toMatchObject({ code: 'unknown_invite' });
  await close();
});
